import NodeCore
import Testing
import Wire

@Suite struct ReplicaLogTests {
    private func batch(_ base: Offset, _ epoch: LogEpoch, count: Int = 1) throws -> RecordBatch {
        var batch = try RecordBatch(records: (0..<count).map { _ in Record(key: nil, value: [1], timestampMs: 0) })
        batch.baseOffset = base
        batch.epoch = epoch
        return batch
    }

    private func append(
        _ previousEnd: Offset, _ previousEpoch: LogEpoch, _ batches: [RecordBatch], firstOffset: Offset = 0
    ) -> Append {
        Append(
            partition: PartitionID(topic: TopicID(1), index: 0), epoch: 9, previousEnd: previousEnd,
            previousEpoch: previousEpoch, highWatermark: 0, firstOffset: firstOffset, batches: batches)
    }

    /// Epoch 1 from 0 to 4 in two batches, epoch 3 from 4 to 6.
    private func log() throws -> ReplicaLog {
        var log = ReplicaLog(facts: LogFacts(logID: 1, epoch: 3, highWatermark: 0, firstOffset: 0))
        log.append(try batch(0, 1, count: 2))
        log.append(try batch(2, 1, count: 2))
        log.append(try batch(4, 3, count: 2))
        return log
    }

    @Test func knowsTheEpochOfEveryOffset() throws {
        let log = try log()
        #expect(log.end == 6)
        #expect((0..<7).map { log.epoch(at: $0) } == [1, 1, 1, 1, 3, 3, nil])
        #expect(log.epoch(endingAt: 0) == 0)
        #expect(log.epoch(endingAt: 4) == 1)
        #expect(log.epoch(endingAt: 6) == 3)
    }

    @Test func appendsBehindWhatAgrees() throws {
        #expect(
            try log().match(append(6, 3, [batch(6, 4)]))
                == .agrees(truncateTo: nil, from: 0))
    }

    @Test func passesOverWhatItHas() throws {
        let batches = [try batch(4, 3, count: 2), try batch(6, 4)]
        #expect(
            try log().match(append(4, 1, batches)) == .agrees(truncateTo: nil, from: 1))
    }

    @Test func cutsAtTheFirstBatchOfAnotherEpoch() throws {
        #expect(
            try log().match(append(2, 1, [batch(2, 1, count: 2), batch(4, 4)]))
                == .agrees(truncateTo: 4, from: 1))
        #expect(
            try log().match(append(0, 0, [batch(0, 2)])) == .agrees(truncateTo: 0, from: 0)
        )
    }

    @Test func asksForAnEarlierPlaceWhenTheEpochBeforeDiffers() throws {
        #expect(try log().match(append(6, 4, [])) == .differs(tryAt: 4))
        #expect(try log().match(append(4, 2, [])) == .differs(tryAt: 0))
        #expect(try log().match(append(9, 3, [])) == .differs(tryAt: 6))
    }

    @Test func cuttingForgetsTheEpochsBehind() throws {
        var log = try log()
        _ = log.truncate(to: 4, bytes: 0)
        #expect(log.end == 4)
        #expect(log.epochs == [EpochStart(epoch: 1, start: 0)])
        log.append(try batch(4, 5))
        #expect(log.epoch(at: 4) == 5)
    }

    /// Only an unclean election cuts there: a later reign must not take what comes in its place for acknowledged.
    @Test func whatIsCutBelowTheHighWatermarkIsNoMoreAcknowledged() throws {
        var log = try log()
        log.facts.highWatermark = 5
        _ = log.truncate(to: 6, bytes: 0)
        #expect(log.facts.highWatermark == 5)
        _ = log.truncate(to: 2, bytes: 0)
        #expect(log.facts.highWatermark == 2)
        log.append(try batch(2, 5, count: 4))
        #expect(log.facts.highWatermark == 2)
    }
}
