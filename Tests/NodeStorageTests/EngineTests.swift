import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// The engine over real files.
@Suite(.timeLimit(.minutes(2))) struct EngineTests {
    @Test func whatIsAppliedIsReadAtOnce() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        test.apply(.register(Key("a"), state(1, "one")), .fact(.ring, [5]))
        #expect(test.durable == 0)
        #expect(test.engine.backlogBytes > 0)
        #expect(try test.value("a") == "one")
        #expect(test.engine.fact(.ring) == [5])
        #expect(test.engine.fact(.peers) == nil)
        #expect(try test.engine.register(Key("b")) == .empty)
        test.settle()
        #expect(test.durable == 2)
        #expect(test.engine.backlogBytes == 0)
        try test.engine.close()
    }

    @Test func aRestartHasEverything() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        test.apply(
            .register(Key("a"), state(1, "one")), .register(Key("b"), tombstone(5)), .fact(.ballotCeiling, [1, 2]),
            .register(Key("a"), state(9, "two")))
        try test.engine.close()
        for _ in 0..<3 {
            test = try TestEngine(directory)
            #expect(test.last == .start)
            #expect(try test.engine.register(Key("a")) == state(9, "two"))
            #expect(try test.engine.register(Key("b")) == tombstone(5))
            #expect(test.engine.fact(.ballotCeiling) == [1, 2])
            try test.engine.close()
        }
        test = try TestEngine(directory)
        test.apply(.register(Key("c"), state(1, "three")))
        test.drain()
        #expect(test.engine.statistics["sqlite_keys"] == 3)
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(try test.value("a") == "two")
        #expect(try test.value("c") == "three")
        #expect(test.engine.fact(.ballotCeiling) == [1, 2])
        try test.engine.close()
    }

    @Test func aCopyTakenWhileItRunsHasWhatWasDurable() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        for number in 0..<500 { test.apply(.register(Key("k\(number % 50)"), state(UInt64(number + 1), "v\(number)"))) }
        test.settle()
        let crashed = try TestEngine(try directory.copy())
        for number in 450..<500 { #expect(try crashed.value("k\(number % 50)") == "v\(number)") }
        try crashed.engine.close()
        try test.engine.close()
    }

    @Test func memtablesGoToSQLiteAndTheirSegmentsAreUsedAgain() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) {
            $0.memtableBytesMax = 64 << 10
            $0.journalSegmentBytes = 64 << 10
            $0.journalFirstSegmentBytes = 64 << 10
            $0.journalSegmentsMax = 3
        }
        let value = String(repeating: "v", count: 100)
        for number in 0..<4_000 {
            test.apply(.register(Key("k\(number % 1_500)"), state(UInt64(number + 1), "\(number) \(value)")))
            if number % 50 == 0 { test.settle() }
        }
        test.drain()
        #expect(test.engine.statistics["flushes_total"] > 5)
        #expect(test.engine.statistics["sqlite_keys"] == 1_500)
        #expect(try PosixDirectory.names(directory.path + "/journal").count <= 3)
        for number in 2_500..<4_000 { #expect(try test.value("k\(number % 1_500)") == "\(number) \(value)") }
        // The write-ahead log begins anew now and then, instead of growing with all that was ever written.
        let log = try read(directory.path + "/state.sqlite-wal").count
        #expect(log < 600 << 10, "\(log) bytes after \(test.engine.statistics["flushes_total"]) flushes")
        try test.engine.close()
        let again = try TestEngine(directory)
        for number in 2_500..<4_000 { #expect(try again.value("k\(number % 1_500)") == "\(number) \(value)") }
        try again.engine.close()
    }

    @Test func underSteadyLoadMemoryAndTheWriteAheadLogStayBounded() throws {
        let directory = TemporaryDirectory()
        let memtable = 64 << 10
        let test = try TestEngine(directory) { $0.memtableBytesMax = memtable }
        var inMemory: UInt64 = 0
        for number in 0..<20_000 {
            test.apply(.register(Key("k\(number % 3_000)"), state(UInt64(number + 1), "\(number)")))
            if number % 50 == 0 { test.engine.commit() }
            // As the core does it: nothing is taken above a bound, then what is under way is awaited.
            if test.engine.backlogBytes > memtable { test.until { test.engine.backlogBytes < memtable / 2 } }
            inMemory = max(
                inMemory, test.engine.statistics["memtable_bytes"] + test.engine.statistics["memtables_waiting_bytes"])
            #expect(test.engine.frozen.count <= 1)
        }
        #expect(test.engine.statistics["memtable_waits_total"] > 0)
        // The one that waits and the active one, each with its excess.
        #expect(inMemory < UInt64(4 * memtable + 4_096), "\(inMemory)")
        let log = try read(directory.path + "/state.sqlite-wal").count
        #expect(log < 600 << 10, "\(log) bytes after \(test.engine.statistics["flushes_total"]) flushes")
        test.drain()
        for number in 17_000..<20_000 { #expect(try test.value("k\(number % 3_000)") == "\(number)") }
        try test.engine.close()
    }

    @Test func theCacheAnswersAndNeverWithSomethingOld() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        test.apply(.register(Key("a"), state(1, "one")))
        test.drain()
        #expect(try test.value("a") == "one")
        #expect(try test.value("a") == "one")
        #expect(test.engine.statistics["cache_hits_total"] == 1)
        #expect(test.engine.statistics["cache_misses_total"] == 1)
        test.apply(.register(Key("a"), state(2, "two")))
        #expect(try test.value("a") == "two")
        test.drain()
        #expect(try test.value("a") == "two")
        #expect(test.engine.statistics["cache_hits_total"] == 2)
        #expect(test.engine.statistics["cache_items"] == 1)
        try test.engine.close()
    }

    @Test func withoutACacheEverythingWorks() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.cacheItemsMax = 0 }
        test.apply(.register(Key("a"), state(1, "one")))
        test.drain()
        #expect(try test.value("a") == "one")
        #expect(try test.value("a") == "one")
        #expect(test.engine.statistics["cache_items"] == 0)
        try test.engine.close()
    }

    @Test func aScanMergesAllAges() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        func put(_ key: String, _ time: UInt64) { test.apply(.register(Key(key), state(time, "\(key)@\(time)"))) }
        for key in ["a/1", "a/2", "a/3", "b/1"] { put(key, 1) }
        test.apply(.register(.system("a/0"), state(1, "system")))
        test.drain()
        put("a/2", 2)
        put("a/25", 2)
        test.apply(.register(Key("a/3"), tombstone(2)))
        // A promise alone is no cell.
        test.apply(.register(Key("a/4"), RegisterState(promised: ballot(2), accepted: nil)))
        test.engine.flush()
        put("a/2", 3)
        put("a/0", 3)
        // In SQLite, in the memtable that waits (or is written by now), and in the active one.
        for _ in 0..<2 {
            let page = try test.engine.scan(prefix: Array("a/".utf8), after: [], limit: 100, bytesMax: 1 << 20)
            #expect(page.items.map(\.key.description) == ["a/0", "a/1", "a/2", "a/25", "a/3"])
            #expect(page.items.map(\.accepted.ballot) == [3, 1, 3, 2, 2].map { ballot($0) })
            #expect(page.items.last?.accepted.cell.content == .tombstone)
            #expect(!page.hasMore)
            #expect(try test.keys() == ["a/0", "a/1", "a/2", "a/25", "a/3", "b/1"])
            #expect(try test.keys("\u{0}") == ["\u{0}a/0"])
            #expect(try test.keys("b", after: "b/1") == [])
            #expect(try test.keys("a/2") == ["a/2", "a/25"])
            test.drain()
        }
        try test.engine.close()
    }

    @Test func pagesOfAScanJoinWithoutGapOrRepetition() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        var numbers = Numbers(11)
        var expected: Set<String> = []
        for round in 0..<3 {
            for _ in 0..<700 {
                let key = "k\(Int.random(in: 0..<5_000, using: &numbers))"
                expected.insert(key)
                test.apply(.register(Key(key), state(UInt64(round + 1), "v")))
            }
            if round == 0 { test.drain() }
            if round == 1 { test.engine.flush() }
        }
        let sorted = expected.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        for limit in [7, 1_000] {
            var found: [String] = []
            var more = true
            while more {
                let page = try test.engine.scan(
                    prefix: [UInt8(ascii: "k")], after: Array((found.last ?? "").utf8), limit: limit, bytesMax: 1 << 20)
                #expect(page.items.count == limit || !page.hasMore)
                found += page.items.map(\.key.description)
                more = page.hasMore
            }
            #expect(found == sorted)
        }
        // About a hundred bytes are more than one item and less than three.
        let small = try test.engine.scan(prefix: [], after: [], limit: 1_000, bytesMax: 150)
        #expect((1...2).contains(small.items.count) && small.hasMore)
        #expect(try test.engine.scan(prefix: [], after: [], limit: 1_000, bytesMax: 0).items.count == 1)
        let exact = try test.engine.scan(prefix: [], after: [], limit: sorted.count, bytesMax: 1 << 20)
        #expect(exact.items.count == sorted.count && !exact.hasMore)
        try test.engine.close()
    }

    @Test func aSecondOpeningIsRefused() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        #expect(throws: StorageOpenError.inUse(directory: directory.path)) { _ = try TestEngine(directory) }
        try test.engine.close()
        try TestEngine(directory).engine.close()
    }

    @Test func settingsThatMakeNoSenseAreRefused() throws {
        let directory = TemporaryDirectory()
        #expect(throws: StorageOpenError.self) { _ = try TestEngine(directory) { $0.journalSegmentBytes = 1 } }
        #expect(throws: StorageOpenError.self) { _ = try TestEngine(directory) { $0.directory = "" } }
    }

    @Test func closingTwiceDoesNothing() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        try test.engine.close()
        try test.engine.close()
    }

    @Test func aNodesIdentityStays() throws {
        let directory = TemporaryDirectory()
        let path = directory.path
        #expect(try NodeIdentity.load(from: path) == nil)
        let first = try NodeIdentity.start(in: path, name: "n1", clusterName: "c", newNodeID: NodeID(5))
        #expect(first == NodeIdentity(nodeID: NodeID(5), name: "n1", clusterName: "c", clusterID: nil, incarnation: 1))
        var second = try NodeIdentity.start(in: path, name: "n1", clusterName: "c", newNodeID: NodeID(6))
        #expect(second.nodeID == NodeID(5) && second.incarnation == 2)
        try second.join(ClusterID(high: 1, low: 2), in: path)
        try second.join(ClusterID(high: 1, low: 2), in: path)
        #expect(try NodeIdentity.load(from: path) == second)
        #expect(throws: StorageOpenError.self) { try second.join(ClusterID(high: 1, low: 3), in: path) }
        let error = #expect(throws: StorageOpenError.self) {
            _ = try NodeIdentity.start(in: path, name: "n2", clusterName: "c", newNodeID: NodeID(6))
        }
        #expect("\(try #require(error))".contains("belongs to node \"n1\" and not to \"n2\""))
        #expect(throws: StorageOpenError.foreign(directory: path, what: "cluster", found: "c", expected: "d")) {
            _ = try NodeIdentity.start(in: path, name: "n1", clusterName: "d", newNodeID: NodeID(6))
        }
        #expect(try NodeIdentity.load(from: path) == second)
        for offset in [0, 20, 30] {
            try flip(path + "/IDENTITY", at: offset)
            #expect(throws: StorageOpenError.self) { _ = try NodeIdentity.load(from: path) }
            try flip(path + "/IDENTITY", at: offset)
        }
        try flip(path + "/IDENTITY", at: 8)
        #expect(throws: StorageOpenError.unknownVersion(file: path + "/IDENTITY", found: 17, known: 1)) {
            _ = try NodeIdentity.load(from: path)
        }
        try write([1, 2, 3], to: path + "/IDENTITY")
        #expect(throws: StorageOpenError.self) { _ = try NodeIdentity.load(from: path) }
    }
}
