import CSQLite
import Glibc
import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// Databases whose pages are not what was written: nothing of them is answered, least of all that a key is not there.
@Suite(.timeLimit(.minutes(4))) struct PageTests {
    private static let keys = 700

    private func filled() throws -> TemporaryDirectory {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        let value = String(repeating: "v", count: 100)
        for number in 0..<Self.keys { test.apply(.register(Key("key number \(number)"), state(1, value))) }
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 5), try batch(5, 3)]))
        test.apply(.fact(.ring, [1, 2, 3]))
        test.drain()
        try test.engine.close()
        return directory
    }

    /// Reads everything there is and says what was damaged; a wrong answer is a failure of the test.
    private func damage(_ directory: TemporaryDirectory, _ place: Comment) throws -> Set<String> {
        var found: Set<String> = []
        let test: TestEngine
        do { test = try TestEngine(directory) } catch {
            guard let error = error as? StorageOpenError, case .corrupt(let what) = error else { throw error }
            return [what]
        }
        func check<T: Equatable>(_ expected: T, _ body: () throws -> T) throws {
            do { #expect(try body() == expected, place) } catch {
                guard let error = error as? StoreError, case .corrupt(let what, _) = error else { throw error }
                found.insert(what)
            }
        }
        let expected = state(1, String(repeating: "v", count: 100))
        for number in 0..<Self.keys { try check(expected) { try test.engine.register(Key("key number \(number)")) } }
        try check(Self.keys) { try test.keys("key", limit: 10_000).count }
        try check(Self.keys) {
            try test.engine.registers(in: .all, after: nil, limit: 10_000, bytesMax: 1 << 30).items.count
        }
        try check([0, 5]) { try test.offsets(from: 0) }
        #expect(test.engine.fact(.ring) == [1, 2, 3], place)
        #expect(test.engine.recoveredLogs().map(\.endOffset) == [8], place)
        #expect((test.engine.damage != nil) == !found.isEmpty, place)
        // What only the background reads.
        test.apply(.append(partition, [try batch(8, 1)]), .register(Key("another"), state(1, "v")))
        test.engine.flush()
        test.until { test.engine.frozen.isEmpty || test.engine.damage != nil }
        if let what = test.engine.damage { found.insert(what) }
        try? test.engine.close()
        return found
    }

    @Test func aFlippedBitOfAnyPageIsFound() throws {
        let whole = try filled()
        let bytes = try read(whole.path + "/state.sqlite")
        let pages = bytes.count / PageChecks.pageBytes
        #expect(pages > 30 && bytes.count % PageChecks.pageBytes == 0)
        #expect(bytes[PageChecks.reservedOffset] == 8)
        var numbers = Numbers(1)
        // The first page holds the header, each of whose fields SQLite may look at first.
        var places = Array(stride(from: 0, to: 100, by: 3))
        for page in 0..<pages {
            places.append(page * PageChecks.pageBytes + Int.random(in: 0..<PageChecks.pageBytes, using: &numbers))
        }
        for place in places {
            let directory = try whole.copy()
            try flip(directory.path + "/state.sqlite", at: place)
            let found = try damage(directory, "bit at \(place)")
            #expect(!found.isEmpty, "bit at \(place)")
            for what in found { #expect(what.contains("state.sqlite"), "bit at \(place)") }
        }
        // And without damage none is found.
        #expect(try damage(try whole.copy(), "whole").isEmpty)
    }

    @Test func aPageInThePlaceOfAnotherIsFound() throws {
        let directory = try filled()
        let path = directory.path + "/state.sqlite"
        var bytes = try read(path)
        let last = bytes.count - PageChecks.pageBytes
        bytes.replaceSubrange(last..., with: bytes[last - PageChecks.pageBytes..<last])
        try write(bytes, to: path)
        let found = try damage(directory, "exchanged")
        #expect(
            found.contains { $0.contains("page \(bytes.count / PageChecks.pageBytes) fails its checksum") }, "\(found)")
    }

    @Test func aTruncatedEmptyMissingOrForeignFileIsFoundAtTheStart() throws {
        let whole = try filled()
        let bytes = try read(whole.path + "/state.sqlite")
        for count in [0, 50, 100, 4_096, 5_000, bytes.count / 2, bytes.count - 4_096, bytes.count - 1] {
            let directory = try whole.copy()
            try write(Array(bytes[..<count]), to: directory.path + "/state.sqlite")
            let found = try damage(directory, "cut to \(count)")
            #expect(!found.isEmpty, "cut to \(count)")
        }
        let missing = try whole.copy()
        unlink(missing.path + "/state.sqlite")
        #expect(try damage(missing, "missing").contains { $0.contains("missing or empty") })
        let foreign = try whole.copy()
        unlink(foreign.path + "/state.sqlite")
        try execute("CREATE TABLE other (a)", in: foreign.path + "/state.sqlite")
        #expect(try damage(foreign, "foreign").contains { $0.contains("not a database of stormo") })
    }

    @Test func aDamagedStateOfOneKeyIsMendedByWritingItAgain() throws {
        let directory = try filled()
        let database = try SQLiteDatabase(path: directory.path + "/state.sqlite", cacheBytes: 1 << 20)
        try database.execute(
            "UPDATE registers SET state = CAST(x'00' || state AS BLOB) WHERE key = CAST('key number 7' AS BLOB)")
        database.close()
        let test = try TestEngine(directory)
        let key = Key("key number 7")
        #expect(throws: StoreError.self) { _ = try test.engine.register(key) }
        #expect(test.engine.damage == nil)
        test.apply(.register(key, state(2, "new")))
        test.drain()
        #expect(try test.engine.register(key) == state(2, "new"))
        #expect(try test.keys("key", limit: 10_000).count == Self.keys)
        try test.engine.close()
        let again = try TestEngine(directory)
        #expect(try again.engine.register(key) == state(2, "new"))
        try again.engine.close()
    }

    private func execute(_ sql: String, in path: String) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        try #require(sqlite3_open(path, &connection) == SQLITE_OK)
        let code = sqlite3_exec(connection, sql, nil, nil, nil)
        try #require(code == SQLITE_OK, "\(String(cString: sqlite3_errmsg(connection)))")
    }
}
