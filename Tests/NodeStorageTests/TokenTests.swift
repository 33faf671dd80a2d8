import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// Registers in the order of their tokens, forgotten ones, and the node's own.
@Suite(.timeLimit(.minutes(2))) struct TokenTests {
    /// What a page should be.
    private func expected(_ model: [Key: RegisterState], in range: TokenRange) -> [RegisterPage.Item] {
        model.filter { range.contains($0.key.token) && !$0.key.isLocal }
            .sorted { a, b in
                a.key.token == b.key.token
                    ? a.key < b.key : range.distance(to: a.key.token) < range.distance(to: b.key.token)
            }
            .map { RegisterPage.Item(key: $0.key, state: $0.value) }
    }

    /// All pages of a range.
    private func walk(
        _ test: TestEngine, _ range: TokenRange, limit: Int = 1_000, bytesMax: Int = 1 << 20
    ) throws -> [RegisterPage.Item] {
        var items: [RegisterPage.Item] = []
        while true {
            let page = try test.engine.registers(in: range, after: items.last?.key, limit: limit, bytesMax: bytesMax)
            #expect(page.items.count <= limit)
            #expect(page.items.count == limit || !page.hasMore || bytesMax < 1 << 20)
            items += page.items
            guard page.hasMore, !page.items.isEmpty else { return items }
        }
    }

    /// Two keys with one token: what the hash does with the last word of sixteen bytes can be undone.
    private func twins() -> (Key, Key) {
        let (prime1, prime2) = (0x9E37_79B1_85EB_CA87 as UInt64, 0xC2B2_AE3D_27D4_EB4F as UInt64)
        let (prime4, prime5) = (0x85EB_CA77_C2B2_AE63 as UInt64, 0x27D4_EB2F_1656_67C5 as UInt64)
        func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 - by) }
        func inverse(_ odd: UInt64) -> UInt64 {
            (0..<6).reduce(odd) { inverse, _ in inverse &* (2 &- odd &* inverse) }
        }
        func round(_ word: UInt64) -> UInt64 { rotate(word &* prime2, 31) &* prime1 }
        func middle(_ word: UInt64) -> UInt64 { rotate((prime5 &+ 16) ^ round(word), 27) &* prime1 &+ prime4 }
        func key(_ words: UInt64...) -> Key {
            Key(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
        }
        let wanted = middle(1) ^ round(7) ^ middle(2)
        let last = rotate(wanted &* inverse(prime1), 33) &* inverse(prime2)
        return (key(1, 7), key(2, last))
    }

    @Test func pagesFollowTheRingThroughAllAges() throws {
        for seed in 0..<2 {
            var numbers = Numbers(UInt64(seed))
            let directory = TemporaryDirectory()
            var test = try TestEngine(directory)
            var model: [Key: RegisterState] = [:]
            let (one, other) = twins()
            #expect(one != other && one.token == other.token)
            var names = (0..<900).map { Key("k\($0)") } + [one, other, .system("s")]
            names += (0..<20).map { own("o\($0)") }
            func change(_ count: Int) {
                for _ in 0..<count {
                    let key = names[Int.random(in: 0..<names.count, using: &numbers)]
                    switch Int.random(in: 0..<6, using: &numbers) {
                    case 0:
                        test.apply(.forget(key))
                        model[key] = nil
                    case 1:
                        let promise = RegisterState(promised: ballot(7), accepted: nil)
                        test.apply(.register(key, promise))
                        model[key] = promise
                    default:
                        let value = state(UInt64.random(in: 1...99, using: &numbers), "v")
                        test.apply(.register(key, value))
                        model[key] = value
                    }
                }
            }
            func check(_ what: String) throws {
                for _ in 0..<12 {
                    var range = TokenRange(after: numbers.next(), through: numbers.next())
                    if Int.random(in: 0..<4, using: &numbers) == 0 { range = .all }
                    if Int.random(in: 0..<4, using: &numbers) == 0 { range.through = range.after }
                    if Int.random(in: 0..<4, using: &numbers) == 0 { range.after = names[5].token }
                    if Int.random(in: 0..<4, using: &numbers) == 0 { range.through = names[6].token }
                    let all = expected(model, in: range)
                    #expect(try walk(test, range) == all, "seed \(seed), \(what), \(range)")
                    #expect(try walk(test, range, limit: 17) == all, "seed \(seed), \(what), \(range)")
                }
                let around = TokenRange(after: one.token &- 1, through: one.token)
                #expect(try walk(test, around, limit: 1) == expected(model, in: around))
                for key in names { #expect(try test.engine.register(key) == model[key] ?? .empty) }
            }
            for round in 0..<2 {
                change(700)
                test.drain()
                try check("in SQLite \(round)")
                let rows = model.keys.count { !$0.isLocal }
                #expect(test.engine.statistics["sqlite_keys"] == UInt64(rows))
                change(700)
                test.engine.flush()
                change(300)
                try check("in all ages \(round)")
                change(50)
                try check("after more \(round)")
                try test.engine.close()
                test = try TestEngine(directory)
                try check("after a restart \(round)")
            }
            try test.engine.close()
        }
    }

    @Test func aPageStaysWithinItsBytes() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        for number in 0..<50 {
            test.apply(.register(Key("k\(number)"), state(1, String(repeating: "v", count: 1_000))))
        }
        for _ in 0..<2 {
            let page = try test.engine.registers(in: .all, after: nil, limit: 100, bytesMax: 10_000)
            #expect((5...10).contains(page.items.count) && page.hasMore)
            #expect(try test.engine.registers(in: .all, after: nil, limit: 100, bytesMax: 0).items.count == 1)
            #expect(try walk(test, .all, bytesMax: 10_000).count == 50)
            let last = try #require(try walk(test, .all).last?.key)
            let end = try test.engine.registers(in: .all, after: last, limit: 100, bytesMax: 10_000)
            #expect(end == RegisterPage(items: [], hasMore: false))
            // A key outside of the range has nothing of it behind.
            let small = TokenRange(after: last.token, through: last.token &+ 1)
            #expect(try test.engine.registers(in: small, after: last, limit: 100, bytesMax: 10_000).items == [])
            test.drain()
        }
        try test.engine.close()
    }

    @Test func whatIsForgottenIsGone() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        for key in ["a", "b", "c"] { test.apply(.register(Key(key), state(1, key))) }
        test.drain()
        #expect(try test.value("a") == "a")
        #expect(test.engine.statistics["cache_items"] == 1)
        test.apply(.forget(Key("a")), .forget(Key("b")), .forget(Key("never there")))
        test.apply(.register(Key("b"), state(2, "again")))
        for _ in 0..<2 {
            for flushed in [false, true] {
                #expect(try test.engine.register(Key("a")) == .empty, "flushed: \(flushed)")
                #expect(try test.value("b") == "again")
                #expect(try test.keys() == ["b", "c"])
                #expect(try Set(walk(test, .all).map(\.key.description)) == ["b", "c"])
                if !flushed { test.drain() }
            }
            #expect(test.engine.statistics["sqlite_keys"] == 2)
            try test.engine.close()
            test = try TestEngine(directory)
        }
        let database = try SQLiteDatabase(path: directory.path + "/state.sqlite", cacheBytes: 1 << 20)
        #expect(try database.number("SELECT count(*) FROM registers") == 2)
        #expect(try database.number("SELECT count(*) FROM tokens") == 2)
        database.close()
        try test.engine.close()
    }

    @Test func theNodesOwnKeysAreSeenOnlyWhenAskedFor() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        let long = own("long", bytes: WireLimits.localKeyBytesMax)
        test.apply(
            .register(own("a"), state(1, "own")), .register(long, state(2, "own")),
            .register(Key([0]), state(3, "zero")),
            .register(.system("s"), state(4, "system")), .register(Key("k"), state(5, "user")))
        for _ in 0..<3 {
            for _ in 0..<2 {
                func scan(_ prefix: [UInt8], after: [UInt8] = []) throws -> [Key] {
                    try test.engine.scan(prefix: prefix, after: after, limit: 9, bytesMax: 1 << 20).items.map(\.key)
                }
                #expect(try scan([]) == [Key("k")])
                #expect(try scan([0]) == [Key([0]), .system("s")])
                #expect(try scan([0], after: [0]) == [.system("s")])
                #expect(try scan([0, 0]) == [own("a"), long])
                #expect(try scan([0, 0], after: own("a").bytes) == [long])
                #expect(try Set(walk(test, .all).map(\.key)) == [Key([0]), .system("s"), Key("k")])
                #expect(try test.engine.register(long) == state(2, "own"))
                // In the journal alone first, then after a restart.
                try test.engine.close()
                test = try TestEngine(directory)
            }
            test.drain()
        }
        test.apply(.forget(long))
        test.drain()
        #expect(try test.engine.register(long) == .empty)
        try test.engine.close()
    }
}
