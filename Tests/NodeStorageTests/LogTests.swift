import NodeCore
import Testing
import Wire

@testable import NodeStorage

/// Logs of partitions through memory, files and restarts.
@Suite(.timeLimit(.minutes(2))) struct LogTests {
    private func recovered(_ test: TestEngine) -> RecoveredLog? {
        test.engine.recoveredLogs().first { $0.partition == partition }
    }

    @Test func batchesAreReadFromFilesAndMemory() throws {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let all = try (0..<60).map { try batch(Offset($0 * 10), 10, epoch: $0 < 30 ? 1 : 2, bytes: 1_000) }
        test.apply(.log(partition, facts()))
        test.apply(.append(partition, Array(all[..<20])))
        test.drain()
        test.apply(.append(partition, Array(all[20..<40])))
        test.drain()
        test.apply(.append(partition, Array(all[40..<50])))
        test.engine.flush()
        test.apply(.append(partition, Array(all[50...])))
        let names = try PosixDirectory.names(directory.path + "/logs/\(partition.topic)/3")
        #expect(names.count > 2 && names.first == "00000000000000000000.log")

        #expect(try test.engine.batches(partition, from: 0, limit: .max, bytesMax: 8 << 20) == all)
        for from in [Offset(0), 5, 199, 200, 395, 401, 495, 505, 599] {
            let found = try test.engine.batches(partition, from: from, limit: .max, bytesMax: 8 << 20)
            #expect(found == Array(all[Int(from / 10)...]), "from \(from)")
            #expect(try test.offsets(from: from, bytesMax: 1) == [from / 10 * 10])
        }
        #expect(try test.offsets(from: 180, limit: 205, bytesMax: 8 << 20) == [180, 190, 200])
        #expect(try test.offsets(from: 380, limit: 401, bytesMax: 8 << 20) == [380, 390, 400])
        #expect(try test.offsets(from: 600) == [])
        #expect(try test.offsets(from: 100, limit: 100) == [])
        // What stays within the bytes, and no hole where files end and memory begins.
        let size = all[38].encodedCount
        #expect(try test.offsets(from: 380, bytesMax: 2 * size + size / 2) == [380, 390])
        #expect(try test.offsets(from: 350, bytesMax: 3 * size + size / 2) == [350, 360, 370])
        #expect(
            try test.engine.batches(PartitionID(topic: TopicID(1), index: 0), from: 0, limit: .max, bytesMax: 1) == [])
        try test.engine.close()

        let again = try TestEngine(directory)
        #expect(try again.engine.batches(partition, from: 0, limit: .max, bytesMax: 8 << 20) == all)
        #expect(
            recovered(again)
                == RecoveredLog(
                    partition: partition, facts: facts(), endOffset: 600,
                    epochs: [EpochStart(epoch: 1, start: 0), EpochStart(epoch: 2, start: 300)],
                    bytes: UInt64(all.reduce(0) { $0 + $1.encodedCount }), appendedMs: 0, producers: ProducerTable()))
        try again.engine.close()
    }

    @Test(arguments: [false, true]) func aTruncationCutsInMemoryAndInFiles(flushed: Bool) throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        test.apply(.log(partition, facts()))
        test.apply(.append(partition, [try batch(0, 5), try batch(5, 5), try batch(10, 5, epoch: 2)]))
        if flushed { test.drain() }
        test.apply(.truncate(partition, from: 5))
        #expect(try test.offsets(from: 0) == [0])
        #expect(try test.offsets(from: 5) == [])
        let replacement = try batch(5, 7, epoch: 3)
        test.apply(.append(partition, [replacement]))
        for _ in 0..<2 {
            #expect(try test.offsets(from: 0) == [0, 5])
            #expect(try test.engine.batches(partition, from: 11, limit: .max, bytesMax: 1 << 20) == [replacement])
            try test.engine.close()
            test = try TestEngine(directory)
            let log = try #require(recovered(test))
            #expect(log.endOffset == 12)
            #expect(log.epochs == [EpochStart(epoch: 1, start: 0), EpochStart(epoch: 3, start: 5)])
            #expect(log.bytes == UInt64(try batch(0, 5).encodedCount + replacement.encodedCount))
            test.drain()
            #expect(test.engine.statistics["log_bytes"] == log.bytes)
        }
        try test.engine.close()
    }

    @Test func aTruncationToNothingLeavesAnEmptyLog() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        test.apply(.log(partition, facts()), .append(partition, [try batch(0, 5)]))
        test.drain()
        test.apply(.truncate(partition, from: 0))
        test.drain()
        #expect(try PosixDirectory.names(directory.path + "/logs") == [])
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(
            recovered(test)
                == RecoveredLog(
                    partition: partition, facts: facts(), endOffset: 0, epochs: [], bytes: 0, appendedMs: 0,
                    producers: ProducerTable()))
        try test.engine.close()
    }

    /// 40 batches of ten records, one every 100 ms, every third of producer 8, the others of producer 9; half of them in
    /// files.
    private func timed() throws -> (test: TestEngine, batches: [RecordBatch], directory: TemporaryDirectory) {
        let directory = TemporaryDirectory()
        let test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let batches = try (0..<40).map { number in
            var batch = try RecordBatch(
                records: (0..<10).map { Record(key: nil, value: Array("\(number).\($0)".utf8), timestampMs: 0) },
                producerID: number % 3 == 0 ? 8 : 9, sequence: UInt64(number))
            batch.baseOffset = Offset(number * 10)
            batch.epoch = 1
            batch.appendedMs = UInt64(number * 100)
            return batch
        }
        test.apply(.log(partition, facts()), .append(partition, Array(batches[..<20])))
        test.drain()
        test.apply(.append(partition, Array(batches[20...])))
        test.settle()
        return (test, batches, directory)
    }

    @Test func batchesAreFoundInFilesAndMemory() throws {
        let (test, batches, _) = try timed()
        func found(_ search: LogSearch, limit: Offset = .max) throws -> Offset? {
            try test.engine.find(search, in: partition, limit: limit)?.base
        }
        for round in 0..<2 {
            for number in 0..<40 {
                let base = Offset(number * 10)
                for offset in [base, base + 5, base + 9] { #expect(try found(.holding(offset)) == base, "\(round)") }
                #expect(try found(.appended(UInt64(number * 100))) == base)
                #expect(try found(.appended(UInt64(max(0, number * 100 - 99)))) == base)
                let before = batches[..<number].reduce(0) { $0 + $1.encodedCount }
                #expect(try found(.bytesBefore(UInt64(before))) == base)
                #expect(try test.engine.bytes(of: partition, from: 0, limit: base) == UInt64(before))
            }
            #expect(try found(.appended(4_000)) == nil)
            #expect(try found(.holding(400)) == nil)
            #expect(try found(.bytesBefore(.max)) == nil)
            #expect(try found(.lastOf(8)) == 390)
            #expect(try found(.lastOf(8), limit: 390) == 360)
            #expect(try found(.lastOf(8), limit: 100) == 90)
            #expect(try found(.lastOf(7)) == nil)
            #expect(try found(.appended(500), limit: 50) == nil)
            test.drain()
        }
        test.apply(.log(partition, facts(first: 100)))
        #expect(try found(.holding(0)) == 100)
        #expect(try found(.appended(0)) == 100)
        #expect(try found(.bytesBefore(1)) == 110)
        try test.engine.close()
    }

    @Test func producersAreKnownAfterAStart() throws {
        let (test, batches, directory) = try timed()
        let told = ProducerPosition(producerID: 5, sequence: 1, count: 2, baseOffset: 3, appendedMs: 4)
        test.apply(.producers(partition, [told]))
        test.settle()
        var expected = ProducerTable()
        for batch in batches { expected.append(batch) }
        expected.add(told)
        for _ in 0..<2 {
            let copy = try directory.copy()
            let again = try TestEngine(copy)
            #expect(recovered(again)?.producers == expected)
            #expect(recovered(again)?.appendedMs == 3_900)
            try again.engine.close()
            test.drain()
        }
        test.apply(.truncate(partition, from: 200))
        _ = expected.truncate(to: 200)
        try test.engine.close()
        let again = try TestEngine(directory)
        #expect(recovered(again)?.producers == expected)
        try again.engine.close()
    }

    @Test func retentionDropsRecordsAndFiles() throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
        let all = try (0..<40).map { try batch(Offset($0 * 10), 10, epoch: LogEpoch($0 / 10), bytes: 1_000) }
        test.apply(.log(partition, facts()), .append(partition, all))
        test.drain()
        let path = directory.path + "/logs/\(partition.topic)/3"
        let before = try PosixDirectory.names(path).count
        test.apply(.log(partition, facts(first: 255)))
        // The batch that holds the first offset stays whole.
        #expect(try test.offsets(from: 0, bytesMax: 8 << 20).first == 250)
        #expect(try test.offsets(from: 0, bytesMax: 8 << 20).count == 15)
        test.drain()
        #expect(try test.offsets(from: 0, bytesMax: 8 << 20).count == 15)
        #expect(try PosixDirectory.names(path).count < before)
        try test.engine.close()
        test = try TestEngine(directory)
        let log = try #require(recovered(test))
        #expect(log.facts.firstOffset == 255 && log.endOffset == 400)
        #expect(log.epochs == [EpochStart(epoch: 2, start: 200), EpochStart(epoch: 3, start: 300)])
        #expect(log.bytes == UInt64(all[25...].reduce(0) { $0 + $1.encodedCount }))
        // All of it goes: the end stays.
        test.apply(.log(partition, facts(first: 400)))
        test.drain()
        #expect(try PosixDirectory.names(directory.path + "/logs") == [])
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(recovered(test)?.endOffset == 400)
        #expect(recovered(test)?.epochs == [])
        #expect(recovered(test)?.bytes == 0)
        test.apply(.append(partition, [try batch(400, 1, epoch: 4)]))
        #expect(try test.offsets(from: 0) == [400])
        try test.engine.close()
    }

    @Test(arguments: [false, true]) func aRemovedLogIsGoneAndMayComeAgain(flushed: Bool) throws {
        let directory = TemporaryDirectory()
        var test = try TestEngine(directory)
        test.apply(.log(partition, facts(1)), .append(partition, [try batch(0, 5), try batch(5, 5)]))
        if flushed { test.drain() }
        test.apply(.remove(partition))
        #expect(try test.offsets(from: 0) == [])
        test.apply(.log(partition, facts(2)), .append(partition, [try batch(3, 4, epoch: 8)]))
        #expect(try test.offsets(from: 0) == [3])
        test.engine.flush()
        #expect(try test.offsets(from: 0) == [3])
        test.drain()
        #expect(try test.offsets(from: 0) == [3])
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(recovered(test)?.facts.logID == 2)
        #expect(recovered(test)?.epochs == [EpochStart(epoch: 8, start: 3)])
        test.apply(.remove(partition))
        test.drain()
        #expect(try PosixDirectory.names(directory.path + "/logs") == [])
        try test.engine.close()
        test = try TestEngine(directory)
        #expect(test.engine.recoveredLogs() == [])
        try test.engine.close()
    }

    @Test func randomHistoriesSurviveFlushesAndRestarts() throws {
        for seed in 0..<6 {
            var numbers = Numbers(UInt64(seed))
            let directory = TemporaryDirectory()
            var test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
            var model: [RecordBatch]?
            var first: Offset = 0
            var end: Offset = 0
            var epoch: LogEpoch = 1
            for step in 0..<120 {
                switch Int.random(in: 0..<14, using: &numbers) {
                case 0: test.drain()
                case 1: test.engine.flush()
                case 2:
                    try test.engine.close()
                    test = try TestEngine(directory) { $0.logSegmentBytesMax = 64 << 10 }
                case 3:
                    let copy = try directoryCopy(test, directory)
                    let crashed = try TestEngine(copy)
                    #expect(try read(crashed) == visible(model, first), "crash, seed \(seed) step \(step)")
                    try crashed.engine.close()
                case 4 where model != nil:
                    test.apply(.remove(partition))
                    model = nil
                case 5, 6:
                    guard let batches = model, let cut = batches.randomElement(using: &numbers)?.baseOffset,
                        cut >= first
                    else { continue }
                    test.apply(.truncate(partition, from: cut))
                    model = batches.filter { $0.endOffset <= cut }
                    end = cut
                    epoch += 1
                case 7 where model != nil:
                    first = Offset.random(in: first...max(first, end), using: &numbers)
                    test.apply(.log(partition, facts(first: first)))
                default:
                    if model == nil {
                        (first, end) = (0, 0)
                        test.apply(.log(partition, facts()))
                        model = []
                    }
                    var batches: [RecordBatch] = []
                    for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                        batches.append(try batch(end, Int.random(in: 1...9, using: &numbers), epoch: epoch, bytes: 700))
                        end = batches[batches.count - 1].endOffset
                    }
                    test.apply(.append(partition, batches))
                    model?.append(contentsOf: batches)
                }
                #expect(try read(test) == visible(model, first), "seed \(seed) step \(step)")
            }
            try test.engine.close()
        }
    }

    private func directoryCopy(_ test: TestEngine, _ directory: TemporaryDirectory) throws -> TemporaryDirectory {
        // The background must be at rest: a copy of files that change is no state that a crash could leave.
        test.drain()
        return try directory.copy()
    }

    private func read(_ test: TestEngine) throws -> [RecordBatch] {
        try test.engine.batches(partition, from: 0, limit: .max, bytesMax: 8 << 20)
    }

    private func visible(_ model: [RecordBatch]?, _ first: Offset) -> [RecordBatch] {
        (model ?? []).filter { $0.endOffset > first }
    }
}
