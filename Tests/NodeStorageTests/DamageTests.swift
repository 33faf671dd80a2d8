import Glibc
import NodeCore
import Synchronization
import Testing
import Wire

@testable import NodeStorage

/// What failing and damaged disks do to an engine.
@Suite(.timeLimit(.minutes(2))) struct DamageTests {
    private func code(_ error: (any Error)?) -> String {
        if case .corrupt? = error as? StoreError { return "corrupt" }
        if case .corrupt? = error as? StorageOpenError { return "corrupt" }
        return error.map { "\($0)" } ?? "none"
    }

    private func filled(_ directory: TemporaryDirectory) throws {
        let test = try TestEngine(directory)
        let value = String(repeating: "v", count: 300)
        for number in 0..<300 { test.apply(.register(Key("k\(number)"), state(UInt64(number + 1), value))) }
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 50, bytes: 200), try batch(50, 3)]))
        test.apply(.fact(.ring, [1, 2, 3, 4, 5, 6]))
        test.drain()
        try test.engine.close()
    }

    @Test func anotherFileInThePlaceOfTheDatabaseIsRefused() throws {
        let directory = TemporaryDirectory()
        try write([UInt8](repeating: 65, count: 8_192), to: directory.path + "/state.sqlite")
        let error = #expect(throws: StorageOpenError.self) { _ = try TestEngine(directory) }
        #expect(code(error) == "corrupt")
    }

    @Test func aDatabaseOfAnotherVersionIsRefused() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        let path = directory.path + "/state.sqlite"
        let database = try SQLiteDatabase(path: path, cacheBytes: 1 << 20)
        try database.execute("PRAGMA user_version = 9")
        database.close()
        #expect(throws: StorageOpenError.unknownVersion(file: path, found: 9, known: 4)) {
            _ = try TestEngine(directory)
        }
    }

    @Test func aDamagedBatchIsFound() throws {
        let directory = TemporaryDirectory()
        try filled(directory)
        let path = directory.path + "/logs/\(partition.topic)/3/00000000000000000000.log"
        for offset in [3, 500] {
            try flip(path, at: offset)
            let test = try TestEngine(directory)
            let error = #expect(throws: StoreError.self) { _ = try test.offsets(from: 0) }
            #expect(code(error) == "corrupt")
            #expect("\(try #require(error))".contains(path))
            #expect(try test.offsets(from: 50) == [50])
            try test.engine.close()
            try flip(path, at: offset)
        }
        let bytes = try read(path)
        try write(Array(bytes.dropLast(2)), to: path)
        let test = try TestEngine(directory)
        #expect(throws: StoreError.self) { _ = try test.offsets(from: 50) }
        #expect(try test.offsets(from: 0, limit: 50) == [0])
        try test.engine.close()
        unlink(path)
        let without = try TestEngine(directory)
        #expect(code(#expect(throws: StoreError.self) { _ = try without.offsets(from: 0) }) == "corrupt")
        try without.engine.close()
    }

    @Test(arguments: ["truncated", "flipped", "missing"]) func aDamagedLogIsItsPartitionsAlone(how: String) throws {
        let directory = TemporaryDirectory()
        let other = PartitionID(topic: TopicID(0x10), index: 4)
        let first = try TestEngine(directory)
        for id in [partition, other] {
            first.apply(.log(id, facts()), .append(id, [try batch(0, 50, bytes: 200), try batch(50, 3)]))
        }
        first.apply(.register(Key("a"), state(1, "one")))
        first.drain()
        try first.engine.close()
        let path = directory.path + "/logs/\(partition.topic)/3/00000000000000000000.log"
        switch how {
        case "truncated": try write(Array(try read(path).prefix(100)), to: path)
        case "flipped": try flip(path, at: 500)
        default: unlink(path)
        }
        var test = try TestEngine(directory)
        let error = #expect(throws: StoreError.self) { _ = try test.offsets(from: 0) }
        #expect(code(error) == "corrupt")
        #expect("\(try #require(error))".contains("partition \(partition)"))
        // It is no damage of the database, and all the rest goes on.
        #expect(test.engine.damage == nil && test.engine.readOnlyReason == nil)
        #expect(try test.engine.batches(other, from: 0, limit: .max, bytesMax: 1 << 20).map(\.baseOffset) == [0, 50])
        #expect(try test.value("a") == "one")
        #expect(test.engine.recoveredLogs().map(\.endOffset) == [53, 53])
        test.apply(.append(partition, [try batch(53, 2)]), .append(other, [try batch(53, 2)]))
        test.drain()
        #expect(try test.offsets(from: 53) == [53])
        // The log begins anew from the other replicas, as the core does it with a log that is lost.
        test.apply(.remove(partition), .log(partition, facts(10)), .append(partition, [try batch(0, 53)]))
        test.drain()
        #expect(try test.offsets(from: 0) == [0])
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(try test.offsets(from: 0) == [0])
        try test.engine.close()
    }

    @Test func aDamagedJournalIsNotStartedFrom() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory)
        test.apply(.register(Key("a"), state(1, "one")))
        test.settle()
        test.apply(.register(Key("b"), state(1, "two")))
        try test.engine.close()
        try flip(directory.path + "/journal/0000.journal", at: 8_192 + 50)
        let error = #expect(throws: StorageOpenError.self) { _ = try TestEngine(directory) }
        #expect("\(try #require(error))".contains("0000.journal at 8192"))
        try flip(directory.path + "/journal/0000.journal", at: 8_192 + 50)
        let mended = try TestEngine(directory)
        #expect(try mended.value("b") == "two")
        try mended.engine.close()
    }

    @Test func aFullDiskMakesTheNodeReadOnlyUntilThereIsRoom() throws {
        let directory = TemporaryDirectory()
        let disk = MemoryDisk()
        let test = try TestEngine(directory, disk: disk)
        test.apply(.register(Key("a"), state(1, "one")))
        test.settle()
        disk.state.withLock {
            $0.writeFailures = .max
            $0.code = ENOSPC
        }
        test.apply(.register(Key("a"), state(2, "two")))
        test.until { test.engine.readOnlyReason != nil }
        #expect(try #require(test.engine.readOnlyReason).contains("the disk is full"))
        #expect(test.engine.statistics["read_only"] == 1)
        #expect(test.durable == 1)
        #expect(test.engine.backlogBytes > 0)
        #expect(try test.value("a") == "two")
        // What gathers meanwhile is not lost either.
        test.apply(.register(Key("b"), state(3, "three")))
        disk.state.withLock { $0.writeFailures = 0 }
        test.settle()
        #expect(test.durable == 3)
        #expect(test.engine.readOnlyReason == nil)
        #expect(test.engine.statistics["journal_failures_total"] >= 1)
        try test.engine.close()
        let again = try TestEngine(directory, disk: disk.afterCrash())
        #expect(try again.value("a") == "two")
        #expect(try again.value("b") == "three")
        try again.engine.close()
    }

    @Test func nothingIsDurableThatAFailedSyncLost() throws {
        let directory = TemporaryDirectory()
        let disk = MemoryDisk()
        let test = try TestEngine(directory, disk: disk)
        test.apply(.register(Key("a"), state(1, "one")))
        test.settle()
        disk.state.withLock { $0.syncFailures = 3 }
        test.apply(.register(Key("b"), state(2, "two")))
        test.settle()
        #expect(test.engine.statistics["journal_failures_total"] == 3)
        // Power is lost right after the notice.
        let again = try TestEngine(TemporaryDirectory(), disk: disk.afterCrash())
        #expect(try again.value("a") == "one")
        #expect(try again.value("b") == "two")
        try again.engine.close()
        try test.engine.close()
    }

    @Test func closingOnABrokenDiskSaysWhatIsLost() throws {
        let directory = TemporaryDirectory()
        let disk = MemoryDisk()
        let test = try TestEngine(directory, disk: disk)
        disk.state.withLock { $0.writeFailures = .max }
        test.apply(.register(Key("a"), state(1, "one")))
        #expect(throws: StoreError.self) { try test.engine.close() }
        #expect(test.durable == 0)
        // The directory is free again.
        disk.state.withLock { $0.writeFailures = 0 }
        let again = try TestEngine(directory, disk: disk.afterCrash())
        #expect(try again.value("a") == nil)
        try again.engine.close()
    }

    @Test func withoutRoomForSegmentsTheBacklogGrowsAndShrinksAgain() throws {
        let directory = TemporaryDirectory()
        let disk = MemoryDisk()
        let test = try TestEngine(directory, disk: disk) { $0.journalFirstSegmentBytes = 16 << 10 }
        disk.state.withLock {
            $0.prepareFailures = .max
            $0.code = ENOSPC
        }
        // This much goes into the segment that is there.
        test.apply(.register(Key("k"), state(1, "v")))
        test.settle()
        let value = String(repeating: "v", count: 1_000)
        for number in 0..<30 { test.apply(.register(Key("k\(number)"), state(1, value))) }
        test.until { test.engine.readOnlyReason != nil && test.engine.statistics["journal_segment_waits_total"] > 0 }
        #expect(test.engine.backlogBytes > 30_000)
        #expect(test.durable == 1)
        disk.state.withLock { $0.prepareFailures = 0 }
        test.settle()
        #expect(test.engine.backlogBytes == 0)
        test.until { test.engine.readOnlyReason == nil }
        try test.engine.close()
    }
}
