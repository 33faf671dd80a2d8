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
        let bytesMax = UInt32(clamping: max(1, bytesMax))
        let answer = try await ask(topic, partition, life, waitMs) { id, waitMs in
            .fetch(Fetch(partition: id, offset: offset, bytesMax: bytesMax, waitMs: waitMs))
        }
        guard case .fetched(let fetched) = answer else { throw Router.unexpectedAnswer }
        return try result(fetched, offset, partition, unpackedMax: Int(bytesMax) * ClientLimits.unpackedPerPacked)
    }

    /// See `StormoClient.find`.
    func find(_ topic: String, partition: UInt32, _ query: OffsetQuery, life: TopicID?) async throws(ClientError)
        -> OffsetAnswer
    {
        let answer = try await ask(topic, partition, life, 0) { id, _ in
            .offsetRequest(OffsetRequest(partition: id, query: query))
        }
        guard case .offsetAnswer(let found) = answer else { throw Router.unexpectedAnswer }
        return found
    }

    /// Asks the primary of a partition, and its successors, until one answers.
    private func ask(
        _ topic: String, _ partition: UInt32, _ life: TopicID?, _ waitMs: UInt32,
        _ request: (PartitionID, UInt32) -> Message
    ) async throws(ClientError) -> Message {
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
            do throws(ClientError) {
                guard primary != .none else {
                    throw .refused(.notPrimary, "partition \(partition) of topic '\(topic)' has no primary at present")
                }
                let answer = try await engine.send(
                    request(id, wait), to: .primary(primary), safety: .repeatable, timeoutMs: answerMs,
                    waitMs: UInt64(wait))
                guard isCurrent(answer, of: id) else {
                    engine.counters.staleFetches.count()
                    throw .refused(
                        .notPrimary, "the primary of partition \(partition) of topic '\(topic)' was replaced")
                }
                return answer
            } catch {
                guard error.asksForPrimary else { throw error }
                directory.forget(info)
                try await pause.wait(orThrow: error, forPrimary: error.missesPrimary)
            }
        }
    }

    private func isCurrent(_ answer: Message, of partition: PartitionID) -> Bool {
        switch answer {
        case .fetched(let answer): isCurrent(answer.epoch, of: partition)
        case .offsetAnswer(let answer): isCurrent(answer.epoch, of: partition)
        default: true
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

    private func result(
        _ answer: Fetched, _ offset: Offset, _ partition: UInt32, unpackedMax: Int
    ) throws(ClientError) -> FetchedRecords {
        guard offset != .max else {
            return FetchedRecords(
                records: [], nextOffset: answer.highWatermark, highWatermark: answer.highWatermark,
                firstOffset: answer.firstOffset)
        }
        guard offset >= answer.firstOffset else {
            throw .refused(
                .offsetOutOfRange,
                "records \(offset) to \(answer.firstOffset - 1) of partition \(partition) are gone by retention; the first one left is \(answer.firstOffset)"
            )
        }
        var records: [PositionedRecord] = []
        var next = offset
        var unpacked = 0
        for batch in answer.batches where batch.endOffset > next {
            // A batch of a few bytes may unpack to hundreds of times as many. What does not fit is fetched again.
            guard unpacked == 0 || unpacked + Int(batch.rawCount) <= unpackedMax else { break }
            unpacked += Int(batch.rawCount)
            guard batch.isIntact else {
                throw .refused(
                    .corruptBatch,
                    "the batch at offset \(batch.baseOffset) of partition \(partition) is damaged on its primary")
            }
            let content: [RecordBatch.Entry]
            do throws(WireError) { content = try batch.entries() } catch {
                throw .refused(
                    .corruptBatch, "the batch at offset \(batch.baseOffset) of partition \(partition): \(error)")
            }
            records.reserveCapacity(records.count + content.count)
            for entry in content where entry.offset >= next {
                let position = RecordPosition(partition: partition, offset: entry.offset)
                records.append(PositionedRecord(position: position, record: entry.record))
            }
            next = batch.endOffset
        }
        engine.counters.recordsFetched.count(UInt64(records.count))
        return FetchedRecords(
            records: records, nextOffset: next, highWatermark: answer.highWatermark, firstOffset: answer.firstOffset)
    }
}
