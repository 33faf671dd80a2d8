import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// Logs of which compaction has taken records, through memory, files and restarts.
@Suite(.timeLimit(.minutes(2))) struct CompactedLogTests {
    private let all = 0..<Offset(60)

    private func batches(_ numbers: Range<Offset>) throws -> [RecordBatch] {
        try numbers.map { try batch($0 * 10, 10, epoch: $0 < 30 ? 1 : 2, bytes: 1_000) }
    }

    /// The log that all begin with, in its files; returns its batches.
    private func fill(_ test: TestEngine) throws -> [RecordBatch] {
        let whole = try batches(all)
        test.apply(.log(partition, facts()), .append(partition, whole))
        test.drain()
        return whole
    }

    /// What compaction leaves of batches: every tenth record.
    private func compacted(_ batches: some Sequence<RecordBatch>) throws -> [RecordBatch] {
        try batches.map { try $0.compacted { $0.offset % 10 == 0 } }
    }

    private func read(_ test: TestEngine) throws -> [RecordBatch] {
        try test.engine.batches(partition, from: 0, limit: .max, bytesMax: 8 << 20)
    }

    private func bytes(_ batches: [RecordBatch]) -> UInt64 { batches.reduce(0) { $0 + UInt64($1.encodedCount) } }

    private func bytesOnDisk(_ directory: TemporaryDirectory) throws -> Int {
        let path = directory.path + "/logs/\(partition.topic)/3"
        return try PosixDirectory.names(path).reduce(0) { try $0 + NodeStorageTests.read(path + "/" + $1).count }
    }

    private func expect(_ test: TestEngine, _ expected: [RecordBatch], _ comment: Comment) throws {
        #expect(try read(test) == expected, comment)
        #expect(try test.engine.bytes(of: partition, from: 0, limit: .max) == bytes(expected), comment)
        for number in all {
            let offset = number * 10 + 5
            #expect(try test.offsets(from: offset, bytesMax: 1) == [offset - 5], comment)
            #expect(try test.engine.find(.holding(offset), in: partition, limit: .max)?.base == offset - 5, comment)
        }
    }

    /// Some batches are in files, some wait for them, some are in the newest memory.
    @Test func whatCompactionLeavesIsReadAtOnceAndAfterEveryRestart() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        test.apply(.log(partition, facts()), .append(partition, try batches(0..<20)))
        test.drain()
        test.apply(.append(partition, try batches(20..<40)))
        test.engine.flush()
        test.apply(.append(partition, try batches(40..<60)))
        var expected = try batches(all)
        for group in [0..<10, 15..<25, 35..<45, 55..<60] {
            let left = try compacted(expected[group])
            expected.replaceSubrange(group, with: left)
            test.apply(.compact(partition, left))
            try expect(test, expected, "applied \(group)")
        }
        test.settle()
        // The background must be at rest: a copy of files that change is no state that a crash could leave.
        test.until { test.engine.frozen.isEmpty }
        let copy = try directory.copy()
        let crashed = try TestEngine(copy)
        try expect(crashed, expected, "after a crash before anything is written")
        #expect(crashed.engine.recoveredLogs().first?.bytes == bytes(expected))
        try crashed.engine.close()

        test.drain()
        try expect(test, expected, "written")
        #expect(test.engine.statistics["log_bytes"] == bytes(expected))
        for _ in 0..<2 {
            try test.engine.close()
            test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
            try expect(test, expected, "again")
            let log = try #require(test.engine.recoveredLogs().first)
            #expect(log.endOffset == 600 && log.bytes == bytes(expected))
            #expect(log.epochs == [EpochStart(epoch: 1, start: 0), EpochStart(epoch: 2, start: 300)])
            test.drain()
        }
        // It goes on behind what was compacted, wherever that is now.
        let more = try batches(60..<65)
        test.apply(.append(partition, more))
        test.drain()
        #expect(try read(test) == expected + more)
        test.apply(.truncate(partition, from: 600))
        test.drain()
        try expect(test, expected, "cut")
        try test.engine.close()
    }

    @Test func spaceIsGivenBack() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let whole = try fill(test)
        #expect(try bytesOnDisk(directory) >= Int(bytes(whole)))
        let left = try compacted(whole)
        test.apply(.compact(partition, left))
        test.drain()
        // What is gone is removed once nobody reads it any more.
        test.until { (try? bytesOnDisk(directory)) == Int(bytes(left)) }
        #expect(try read(test) == left)

        // Batches that stay as they are give way too when most of their file is gone.
        let again = try left.enumerated().map {
            try $0.offset % 4 == 0 ? $0.element : $0.element.compacted { _ in false }
        }
        test.apply(.compact(partition, again.enumerated().filter { $0.offset % 4 != 0 }.map(\.element)))
        test.drain()
        test.until { (try? bytesOnDisk(directory)) == Int(bytes(again)) }
        #expect(try read(test) == again)
        try test.engine.close()
    }

    /// Many small passes leave a bounded number of files, of which at most half is gone.
    @Test func manyPassesLeaveFewFiles() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 1 << 20 }
        let whole = try fill(test)
        for batch in try compacted(whole) {
            test.apply(.compact(partition, [batch]))
            test.drain()
        }
        let left = try compacted(whole)
        #expect(try read(test) == left)
        let path = directory.path + "/logs/\(partition.topic)/3"
        test.until { (try? PosixDirectory.names(path).count) ?? .max <= 9 }
        #expect(try bytesOnDisk(directory) <= 2 * Int(bytes(left)))
        try test.engine.close()
    }

    /// A crash of the process anywhere in the background's work: the files that it was at are as they were, or cut short,
    /// or hold something else, as long as the database does not know of them.
    @Test func filesThatWereBegunDoNoHarm() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let whole = try fill(test)
        let left = try compacted(whole)
        test.apply(.compact(partition, left))
        test.settle()
        // The journal has it, and the database has not.
        let before = try directory.copy()
        test.drain()
        test.until { (try? bytesOnDisk(directory)) == Int(bytes(left)) }
        try test.engine.close()
        let name = "/logs/\(partition.topic)/3/compacted-00000000000000000000.log"
        let made = try NodeStorageTests.read(directory.path + name)
        for content in [[], Array(made.prefix(100)), made, made + made, Array(repeating: 7, count: 500_000)] {
            let crashed = try before.copy()
            try write(content, to: crashed.path + name)
            let again = try TestEngine(crashed) { $0.logSegmentBytesMax = 64 << 10 }
            #expect(try read(again) == left)
            again.drain()
            again.until { (try? bytesOnDisk(crashed)) == Int(bytes(left)) }
            #expect(try read(again) == left)
            try again.engine.close()
        }
    }

    /// A crash after the database knew of the new files and before the old ones were removed.
    @Test func filesThatWereLeftBehindGoLater() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let whole = try fill(test)
        let left = try compacted(whole)
        test.apply(.compact(partition, left))
        test.drain()
        test.until { (try? bytesOnDisk(directory)) == Int(bytes(left)) }
        let orphan = directory.path + "/logs/\(partition.topic)/3/00000000000000000000.log"
        #expect(!PosixDirectory.exists(orphan))
        try write([1, 2, 3], to: orphan)
        #expect(try read(test) == left)
        let less = try left[5].compacted { _ in false }
        test.apply(.compact(partition, [less]))
        test.drain()
        test.until { !PosixDirectory.exists(orphan) }
        #expect(try read(test)[5] == less)
        try test.engine.close()
    }

    /// What readers find damaged stays damaged, and nothing of it is taken for what it was.
    @Test func damageIsNotCompactedAway() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 1 << 20 }
        let whole = try fill(test)
        let name = directory.path + "/logs/\(partition.topic)/3/00000000000000000000.log"
        // In the second batch, which stays while most of its file goes.
        try flip(name, at: whole[0].encodedCount + 100)
        let left = try compacted(whole[2...])
        test.apply(.compact(partition, left))
        test.drain()
        test.until { !PosixDirectory.exists(name) }
        #expect(throws: StoreError.self) { try test.engine.batches(partition, from: 10, limit: 11, bytesMax: 1) }
        #expect(try test.engine.batches(partition, from: 0, limit: 1, bytesMax: 1) == [whole[0]])
        #expect(try test.engine.batches(partition, from: 20, limit: .max, bytesMax: 8 << 20) == left)
        try test.engine.close()
    }

    /// Compacting what is not there, or was cut off and replaced, changes nothing.
    @Test func onlyTheSameBatchIsReplaced() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        test.apply(.compact(partition, [try batch(0, 10)]))
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 10), try batch(10, 10)]))
        let others = [try batch(0, 5), try batch(10, 10, epoch: 2), try batch(20, 10), try batch(5, 5)]
        for _ in 0..<2 {
            test.apply(.compact(partition, try others.map { try $0.compacted { _ in false } }))
            #expect(try read(test) == [try batch(0, 10), try batch(10, 10)])
            test.drain()
        }
        test.apply(.compact(partition, [try batch(10, 10).compacted { _ in false }]))
        test.apply(.truncate(partition, from: 10), .append(partition, [try batch(10, 10, epoch: 3)]))
        for _ in 0..<2 {
            #expect(try read(test) == [try batch(0, 10), try batch(10, 10, epoch: 3)])
            test.drain()
            try test.engine.close()
            test = try TestEngine(directory)
        }
        test.apply(.remove(partition))
        test.apply(.log(partition, facts(8)), .append(partition, [try batch(0, 10)]))
        test.apply(.compact(partition, [try batch(0, 10).compacted { _ in false }]))
        test.drain()
        #expect(try read(test) == [try batch(0, 10).compacted { _ in false }])
        try test.engine.close()
    }

    @Test func randomHistoriesSurviveFlushesAndRestarts() throws {
        for seed in 0..<6 {
            var numbers = Numbers(UInt64(seed) + 100)
            let directory = TemporaryDirectory()
            var test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
            test.apply(.log(partition, facts()))
            var model: [RecordBatch] = []
            var end: Offset = 0
            var first: Offset = 0
            for step in 0..<150 {
                switch Int.random(in: 0..<11, using: &numbers) {
                case 0: test.drain()
                case 1: test.engine.flush()
                case 2:
                    try test.engine.close()
                    test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
                    #expect(test.engine.recoveredLogs().first?.bytes == bytes(model), "seed \(seed) step \(step)")
                case 3 where step % 3 == 0:
                    guard let cut = model.last?.baseOffset else { continue }
                    test.apply(.truncate(partition, from: cut))
                    model.removeLast()
                    end = cut
                case 4 where step % 5 == 0:
                    guard let next = model.dropFirst().first?.baseOffset else { continue }
                    first = next
                    test.apply(.log(partition, facts(first: first)))
                    model.removeFirst()
                case 5, 6, 7:
                    guard !model.isEmpty else { continue }
                    let range = Int.random(in: 0..<model.count, using: &numbers)..<model.count
                    let keep = Offset.random(in: 1...4, using: &numbers)
                    let left = try model[range].prefix(7).map { try $0.compacted { $0.offset % keep == 0 } }
                    test.apply(.compact(partition, left))
                    model.replaceSubrange(range.lowerBound..<range.lowerBound + left.count, with: left)
                default:
                    let batch = try batch(end, Int.random(in: 1...9, using: &numbers), bytes: 700)
                    end = batch.endOffset
                    test.apply(.append(partition, [batch]))
                    model.append(batch)
                }
                #expect(try read(test) == model, "seed \(seed) step \(step)")
                #expect(try test.engine.bytes(of: partition, from: first, limit: .max) == bytes(model))
            }
            try test.engine.close()
        }
    }
}
