import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// The structures in memory, against plain dictionaries and sorting.
@Suite struct StructureTests {
    @Test func anIndexFindsWhatIsInIt() {
        var numbers = Numbers(3)
        var index = KeyIndex()
        var keys: [Key] = []
        var present: [Bool] = []
        for step in 0..<20_000 {
            if step % 3 == 2, let number = present.indices.randomElement(using: &numbers), present[number] {
                index.remove(keys[number].token, number)
                present[number] = false
            } else {
                keys.append(Key("k\(step)"))
                present.append(true)
                index.insert(keys[keys.count - 1].token, keys.count - 1)
            }
        }
        #expect(index.count == present.count { $0 })
        for number in keys.indices {
            #expect((index.find(keys[number].token) { keys[$0] == keys[number] } == number) == present[number])
        }
    }

    @Test func keysWithEqualHashBitsAreToldApart() {
        var index = KeyIndex()
        for number in 0..<100 { index.insert(42 << 32 | UInt64(number), number) }
        for number in 0..<100 where number % 2 == 0 { index.remove(42 << 32 | UInt64(number), number) }
        for number in 0..<100 { #expect((index.find(42 << 32) { $0 == number } != nil) == (number % 2 == 1)) }
    }

    @Test(arguments: [10, 1_023, 1_024, 1_025, 30_000]) func aMemtableKeepsTheNewestInOrder(count: Int) {
        var numbers = Numbers(UInt64(count))
        var table = Memtable(generation: 1)
        var expected: [String: RegisterState] = [:]
        for step in 0..<count {
            let key = "k\(Int.random(in: 0..<count, using: &numbers))"
            let value = state(UInt64(step + 1), "v\(step)")
            table.update(Key(key), value)
            expected[key] = value
            // Listings in between leave runs of all lengths.
            if Int.random(in: 0..<200, using: &numbers) == 0 { table.sort() }
        }
        for (key, value) in expected { #expect(table.state(Key(key)) == value) }
        #expect(table.state(Key("none")) == nil)

        table.sort()
        let sorted = expected.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        var cursor = table.cursor()
        var found: [String] = []
        while let entry = cursor.current {
            found.append(entry.key.description)
            cursor.advance()
        }
        #expect(found == sorted)
        let lower = sorted[sorted.count / 2]
        #expect(table.cursor(from: Array(lower.utf8)).current?.key.description == lower)
        #expect(table.cursor(from: Array(lower.utf8) + [0]).current?.key.description == sorted[sorted.count / 2 + 1])
        #expect(table.cursor(from: [255]).current == nil)
    }

    @Test func aMemtableCountsWhatItHolds() {
        var table = Memtable(generation: 1)
        table.update(Key("a"), state(1, String(repeating: "x", count: 1_000)))
        let large = table.bytes
        #expect((1_000...1_400).contains(large))
        table.update(Key("a"), state(2, "x"))
        #expect(table.bytes == large - 999)
        table.update(.ring, [1, 2, 3, 4])
        table.update(.ring, [1])
        #expect(table.bytes == large - 998)
    }

    @Test func theRangesOfAPrefix() {
        func ranges(_ prefix: [UInt8], _ after: [UInt8]) -> [[UInt8]?] {
            KeyOrder.ranges(prefix: prefix, after: after).flatMap { [$0.lower, $0.upper] }
        }
        #expect(ranges([], []) == [[1], nil])
        #expect(ranges([0, 1], []) == [[0, 1], [0, 2]])
        #expect(ranges([7, 255], []) == [[7, 255], [8]])
        #expect(ranges([255, 255], []) == [[255, 255], nil])
        #expect(ranges([7], [7, 1]) == [[7, 1, 0], [8]])
        #expect(ranges([7], [3]) == [[7], [8]])
        // The node's own are not among the system's keys unless they are asked for.
        #expect(ranges([0], []) == [[0], [0, 0], [0, 1], [1]])
        #expect(ranges([0], [0, 7]) == [[0, 7, 0], [0, 0], [0, 7, 0], [1]])
        #expect(ranges([0], [0, 0, 9]) == [[0, 0, 9, 0], [0, 0], [0, 1], [1]])
        #expect(ranges([0, 0], []) == [[0, 0], [0, 1]])
        #expect(ranges([0, 0, 5], [0, 0, 5, 1]) == [[0, 0, 5, 1, 0], [0, 0, 6]])
    }

    @Test func theRingIsCutWhereSignedNumbersBeginAnew() {
        #expect(TokenOrder.stretches(from: 5, through: 9) == [5...9])
        #expect(TokenOrder.stretches(from: .max, through: 3) == [-1...3])
        #expect(TokenOrder.stretches(from: 9, through: 5) == [9...Int64.max, Int64.min...5])
        #expect(TokenOrder.stretches(from: 1 << 63, through: .max >> 1) == [Int64.min...Int64.max])
        #expect(TokenOrder.stretches(from: 0, through: .max) == [0...Int64.max, Int64.min ... -1])
        #expect(TokenBuckets.bucket(of: .min) == 0 && TokenBuckets.bucket(of: -1) == 511)
        #expect(TokenBuckets.bucket(of: 0) == 512 && TokenBuckets.bucket(of: .max) == 1_023)
    }

    @Test func theOrderIsThatOfBytes() {
        #expect(KeyOrder.precedes([], [0]))
        #expect(KeyOrder.precedes([1, 255], [2]))
        #expect(KeyOrder.precedes([1], [1, 0]))
        #expect(!KeyOrder.precedes([1], [1]))
        #expect(!KeyOrder.precedes([200], [100]))
    }

    @Test func theCacheKeepsWhatWasUsedLast() {
        var cache = LRUCache(itemsMax: 3, bytesMax: 1 << 20)
        for number in 0..<3 { cache.insert(Key("k\(number)"), state(1, "v\(number)")) }
        #expect(cache.state(Key("k0")) == state(1, "v0"))
        cache.insert(Key("k3"), state(1, "v3"))
        #expect(cache.count == 3)
        #expect(cache.state(Key("k1")) == nil)
        #expect(cache.state(Key("k0")) != nil && cache.state(Key("k2")) != nil && cache.state(Key("k3")) != nil)
        #expect(cache.hits == 4 && cache.misses == 1 && cache.evictions == 1)
        cache.update(Key("k0"), state(2, "new"))
        cache.update(Key("k1"), state(2, "not there"))
        #expect(cache.state(Key("k0")) == state(2, "new"))
        #expect(cache.state(Key("k1")) == nil)
    }

    @Test func theCacheStaysWithinItsBytes() {
        var cache = LRUCache(itemsMax: 1_000_000, bytesMax: 64 << 10)
        var numbers = Numbers(5)
        var model: [String: RegisterState] = [:]
        for step in 0..<20_000 {
            let key = "k\(Int.random(in: 0..<500, using: &numbers))"
            let value = state(UInt64(step), String(repeating: "y", count: Int.random(in: 0..<2_000, using: &numbers)))
            if let found = cache.state(Key(key)) {
                #expect(found == model[key])
                cache.update(Key(key), value)
            } else {
                cache.insert(Key(key), value)
            }
            model[key] = value
            #expect(cache.bytes <= 64 << 10)
        }
        #expect(cache.count > 20)
        #expect(cache.hits > 0 && cache.evictions > 0)
        cache.insert(Key("huge"), state(1, String(repeating: "z", count: 100 << 10)))
        #expect(cache.state(Key("huge")) == nil)
    }

    @Test(arguments: [(0, 1 << 20), (10, 0)]) func aBoundOfZeroSwitchesTheCacheOff(items: Int, bytes: Int) {
        var cache = LRUCache(itemsMax: items, bytesMax: bytes)
        cache.insert(Key("a"), state(1, "v"))
        #expect(!cache.isOn)
        #expect(cache.state(Key("a")) == nil)
        #expect(cache.count == 0 && cache.bytes == 0 && cache.misses == 0)
    }
}
