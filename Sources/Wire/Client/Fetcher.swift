import NIOCore
import Synchronization
import Wire

/// Reads records from the primaries of partitions.
final class Fetcher: Sendable {
    private let engine: RouterEngine
    private let directory: TopicDirectory
    /// The highest epoch that a primary of each partition has answered under: an answer below it comes from one that
    /// does not know yet that it was replaced.
    private let epochs = Mutex<[PartitionID: LogEpoch]>([:])

    init(engine: RouterEngine, directory: TopicDirectory) {
        self.engine = engine
        self.directory = directory
    }

    /// See `StormoClient.fetch`. With `life`, a topic that was made anew under the name is refused as unknown.
    func fetch(
        _ topic: String, partition: UInt32, offset: Offset, bytesMax: Int, waitMs: UInt32, life: TopicID?
    ) async throws(ClientError) -> FetchedRecords {
        var pause = RetryPause(
            deadline: .now() + .milliseconds(Int64(engine.configuration.operationTimeoutMs) + Int64(waitMs)))
        while true {
            let info = try await directory.info(topic)
            guard let info, life == nil || info.id == life else {
                let error = ClientError.refused(
                    .unknownTopic, "topic '\(topic)' does not exist\(life == nil ? "" : " any more")")
                // Not all nodes hear of a new topic at the same moment: one that was known just now is asked for again.
                guard info == nil, pause.failures > 0 else { throw error }
                try await pause.wait(orThrow: error)
                continue
            }
            guard Int(partition) < info.partitions.count else {
                throw .refused(
                    .partitionOutOfRange,
                    "topic '\(topic)' has \(info.partitions.count) partitions, not partition \(partition)")
            }
            let id = PartitionID(topic: info.id, index: partition)
            let primary = info.partitions[Int(partition)].primary
            // The wait is what is left beyond the time that an answer may take: failed tries use it up.
            let leftMs = pause.leftMs
            let answerMs = min(leftMs, engine.configuration.operationTimeoutMs)
            let wait = min(waitMs, UInt32(clamping: leftMs - answerMs))
            let request = Fetch(
                partition: id, offset: offset, bytesMax: UInt32(clamping: max(1, bytesMax)), waitMs: wait)
            do throws(ClientError) {
                guard primary != .none else {
                    throw .refused(.notPrimary, "partition \(partition) of topic '\(topic)' has no primary at present")
                }
                guard
                    case .fetched(let answer) = try await engine.send(
                        .fetch(request), to: .primary(primary), safety: .repeatable, timeoutMs: answerMs,
                        waitMs: UInt64(wait))
                else { throw Router.unexpectedAnswer }
                guard isCurrent(answer.epoch, of: id) else {
                    engine.counters.staleFetches.count()
                    throw .refused(
                        .notPrimary, "the primary of partition \(partition) of topic '\(topic)' was replaced")
                }
                return try result(answer, offset, partition)
            } catch {
                guard error.asksForPrimary else { throw error }
                directory.forget(info)
                try await pause.wait(orThrow: error)
            }
        }
    }

    private func isCurrent(_ epoch: LogEpoch, of partition: PartitionID) -> Bool {
        epochs.withLock { epochs in
            guard epoch >= epochs[partition, default: 0] else { return false }
            // Partitions of deleted topics stay here; their number is bounded by forgetting all at some point.
            if epochs.count >= ClientLimits.epochsMax { epochs = [:] }
            epochs[partition] = epoch
            return true
        }
    }

    private func result(_ answer: Fetched, _ offset: Offset, _ partition: UInt32) throws(ClientError) -> FetchedRecords
    {
        guard offset != .max else {
            return FetchedRecords(
                records: [], nextOffset: answer.highWatermark, highWatermark: answer.highWatermark,
                firstOffset: answer.firstOffset)
        }
        var records: [PositionedRecord] = []
        var next = offset
        for batch in answer.batches where batch.endOffset > next {
            guard batch.isIntact else {
                throw .refused(
                    .corruptBatch,
                    "the batch at offset \(batch.baseOffset) of partition \(partition) is damaged on its primary")
            }
            let content: [Record]
            do throws(WireError) { content = try batch.records() } catch {
                throw .refused(
                    .corruptBatch, "the batch at offset \(batch.baseOffset) of partition \(partition): \(error)")
            }
            records.reserveCapacity(records.count + content.count)
            for (index, record) in content.enumerated() where batch.baseOffset + Offset(index) >= next {
                let position = RecordPosition(partition: partition, offset: batch.baseOffset + Offset(index))
                records.append(PositionedRecord(position: position, record: record))
            }
            next = batch.endOffset
        }
        engine.counters.recordsFetched.count(UInt64(records.count))
        return FetchedRecords(
            records: records, nextOffset: next, highWatermark: answer.highWatermark, firstOffset: answer.firstOffset)
    }
}
