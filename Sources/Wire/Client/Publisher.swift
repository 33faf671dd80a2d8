import NIOCore
import Synchronization
import Wire

/// Puts the records of concurrent callers into batches. One batch of a partition is on its way at a time; what comes
/// meanwhile makes the next one, so batches grow with the load and a lone record waits for nobody.
final class Publisher: Sendable {
    /// One caller's publish, which ends when all of its records have. Guarded by the publisher's lock.
    private final class Call: @unchecked Sendable {
        var positions: [RecordPosition]
        var unanswered = 0
        var error: ClientError?
        let continuation: CheckedContinuation<Result<[RecordPosition], ClientError>, Never>

        init(count: Int, continuation: CheckedContinuation<Result<[RecordPosition], ClientError>, Never>) {
            positions = Array(repeating: RecordPosition(partition: 0, offset: 0), count: count)
            self.continuation = continuation
        }
    }

    /// A caller's records for one partition, no more than fit into a batch.
    private struct Group: Sendable {
        var call: Call
        var records: [Record] = []
        /// Where the records stand in the caller's list.
        var places: [Int] = []
        var bytes = 0
        var isKeyless = false
        var deadline: NIODeadline
    }

    private struct Queue {
        var groups: [Group] = []
        var isBusy = false
    }

    private struct State {
        var queues: [PartitionID: Queue] = [:]
        var waitingBytes = 0
        /// Where records without a key go at present, by topic.
        var sticky: [TopicID: UInt32] = [:]
        var numbers = ProducerNumbers()
    }

    private let engine: RouterEngine
    private let directory: TopicDirectory
    private let state = Mutex(State())

    init(engine: RouterEngine, directory: TopicDirectory) {
        self.engine = engine
        self.directory = directory
    }

    /// See `StormoClient.publish`; `configuration` is that of a topic made on first use, nil for topics that must exist.
    func publish(
        _ topic: String, _ records: [Record], creating configuration: TopicConfiguration?
    ) async throws(ClientError) -> [RecordPosition] {
        guard !records.isEmpty else { return [] }
        for record in records { try Self.check(record) }
        let deadline = NIODeadline.now() + .milliseconds(Int64(engine.configuration.publishTimeoutMs))
        guard let info = try await directory.info(topic, creating: configuration), !info.partitions.isEmpty else {
            throw .refused(
                .unknownTopic,
                "topic '\(topic)' does not exist\(configuration == nil ? "" : " and could not be made")")
        }
        let result: Result<[RecordPosition], ClientError> = await withCheckedContinuation { continuation in
            enqueue(Call(count: records.count, continuation: continuation), records, info, deadline)
        }
        return try result.get()
    }

    private static func check(_ record: Record) throws(ClientError) {
        guard record.encodedCount <= WireLimits.recordBytesMax else {
            throw .refused(
                .invalid,
                "a record takes \(record.encodedCount) bytes, at most \(WireLimits.recordBytesMax) are allowed")
        }
        guard record.headers.count <= WireLimits.recordHeadersMax else {
            throw .refused(
                .invalid,
                "a record has \(record.headers.count) headers, at most \(WireLimits.recordHeadersMax) are allowed")
        }
        for header in record.headers where header.name.utf8.count > WireLimits.nameBytesMax {
            throw .refused(
                .invalid,
                "a header's name has \(header.name.utf8.count) bytes, at most \(WireLimits.nameBytesMax) are allowed")
        }
    }

    // MARK: Queues

    private func enqueue(_ call: Call, _ records: [Record], _ info: TopicInfo, _ deadline: NIODeadline) {
        let bytes = records.reduce(0) { $0 + $1.encodedCount }
        let idle: [PartitionID]? = state.withLock { state in
            guard state.waitingBytes + bytes <= ClientLimits.publishBytesMax else { return nil }
            state.waitingBytes += bytes
            let keyless = state.sticky[info.id, default: 0] % UInt32(info.partitions.count)
            let groups = Self.split(records, call, info, keyless, deadline)
            call.unanswered = groups.count
            var idle: [PartitionID] = []
            for (partition, group) in groups {
                state.queues[partition, default: Queue()].groups.append(group)
                guard state.queues[partition]?.isBusy == false else { continue }
                state.queues[partition]?.isBusy = true
                idle.append(partition)
            }
            return idle
        }
        guard let idle else {
            engine.counters.overloaded.count()
            return call.continuation.resume(
                returning: .failure(
                    .overloaded("\(ClientLimits.publishBytesMax) bytes of records wait to be published already")))
        }
        let topic = info.name
        for partition in idle { Task { await self.drain(topic, partition) } }
    }

    /// A caller's records by partition, each part within the bounds of a batch.
    private static func split(
        _ records: [Record], _ call: Call, _ info: TopicInfo, _ keyless: UInt32, _ deadline: NIODeadline
    ) -> [(PartitionID, Group)] {
        var groups: [(PartitionID, Group)] = []
        var last: [UInt32: Int] = [:]
        for (place, record) in records.enumerated() {
            let partition = record.key.map { UInt32(XXH64.hash($0) % UInt64(info.partitions.count)) } ?? keyless
            let bytes = record.encodedCount
            var index = last[partition]
            if let at = index,
                groups[at].1.bytes + bytes > ClientLimits.batchBytesMax
                    || groups[at].1.records.count >= ClientLimits.batchRecordsMax
            {
                index = nil
            }
            let at = index ?? groups.count
            if index == nil {
                groups.append((PartitionID(topic: info.id, index: partition), Group(call: call, deadline: deadline)))
                last[partition] = at
            }
            groups[at].1.records.append(record)
            groups[at].1.places.append(place)
            groups[at].1.bytes += bytes
            if record.key == nil { groups[at].1.isKeyless = true }
        }
        return groups
    }

    /// Publishes what waits for a partition, batch after batch, until nothing does.
    private func drain(_ topic: String, _ partition: PartitionID) async {
        while let groups = take(partition) {
            let now = NIODeadline.now()
            let late = groups.filter { $0.deadline <= now }
            if !late.isEmpty {
                engine.counters.timeouts.count(UInt64(late.count))
                finish(
                    late, partition,
                    .failure(.overloaded("the records waited too long to be sent to partition \(partition.index)")))
            }
            let inTime = groups.filter { $0.deadline > now }
            guard let first = inTime.map(\.deadline).min() else { continue }
            do throws(ClientError) {
                let base = try await send(inTime, topic, partition, first)
                engine.counters.batches.count()
                engine.counters.recordsPublished.count(UInt64(inTime.reduce(0) { $0 + $1.records.count }))
                finish(inTime, partition, .success(base))
            } catch {
                finish(inTime, partition, .failure(error))
            }
        }
    }

    /// The groups of the next batch; nil when none wait, and then the partition is idle.
    private func take(_ partition: PartitionID) -> [Group]? {
        state.withLock { state in
            guard let queue = state.queues[partition], !queue.groups.isEmpty else {
                state.queues[partition] = nil
                return nil
            }
            var bytes = 0
            var records = 0
            var count = 0
            for group in queue.groups {
                bytes += group.bytes
                records += group.records.count
                if count > 0, bytes > ClientLimits.batchBytesMax || records > ClientLimits.batchRecordsMax { break }
                count += 1
            }
            let groups = Array(queue.groups.prefix(count))
            state.queues[partition]?.groups.removeFirst(count)
            // The batch leaves: records without a key go to the next partition now.
            if groups.contains(where: \.isKeyless) { state.sticky[partition.topic] = partition.index + 1 }
            return groups
        }
    }

    private func finish(_ groups: [Group], _ partition: PartitionID, _ result: Result<Offset, ClientError>) {
        let done: [Call] = state.withLock { state in
            var done: [Call] = []
            var offset: Offset = if case .success(let base) = result { base } else { 0 }
            for group in groups {
                state.waitingBytes -= group.bytes
                let call = group.call
                switch result {
                case .success:
                    for place in group.places {
                        call.positions[place] = RecordPosition(partition: partition.index, offset: offset)
                        offset += 1
                    }
                case .failure(let error):
                    // The worst news of several partitions: an unknown outcome.
                    if case .outcomeUnknown = call.error { break }
                    call.error = error
                }
                call.unanswered -= 1
                if call.unanswered == 0 { done.append(call) }
            }
            return done
        }
        for call in done {
            call.continuation.resume(returning: call.error.map { .failure($0) } ?? .success(call.positions))
        }
    }

    // MARK: Sending

    /// Publishes one batch and gives the offset of its first record. Sends it again, under the same number, until it is
    /// answered: it is kept once.
    private func send(
        _ groups: [Group], _ topic: String, _ partition: PartitionID, _ deadline: NIODeadline
    ) async throws(ClientError) -> Offset {
        let records = groups.flatMap(\.records)
        var number = state.withLock { $0.numbers.number(for: partition) }
        var request = try Self.request(records, number, partition)
        // Set while the batch may be in the log.
        var doubt: ClientError?
        var pause = RetryPause(deadline: deadline)
        // What was certainly not taken is the caller's again after the time of any other operation.
        let certainUntil = NIODeadline.now() + .milliseconds(Int64(engine.configuration.operationTimeoutMs))
        while true {
            do throws(ClientError) {
                let base = try await attempt(request, topic, partition, pause)
                state.withLock { $0.numbers.taken(number, count: records.count, in: partition) }
                return base
            } catch {
                switch error {
                case .outcomeUnknown:
                    doubt = error
                    engine.counters.publishRetries.count()
                case .refused(.sequenceGap, _) where doubt == nil:
                    // The log has forgotten this producer, or it never knew it: a new one begins.
                    state.withLock { $0.numbers.forget(partition) }
                    number = state.withLock { $0.numbers.number(for: partition) }
                    request = try Self.request(records, number, partition)
                case .noQuorum: break
                case _ where error.asksForPrimary: break
                default:
                    if doubt != nil { state.withLock { $0.numbers.forget(partition) } }
                    throw doubt ?? error
                }
                guard doubt != nil || NIODeadline.now() < certainUntil else { throw error }
                do throws(ClientError) {
                    try await pause.wait(orThrow: doubt ?? error, forPrimary: error.missesPrimary)
                } catch {
                    if doubt != nil { state.withLock { $0.numbers.forget(partition) } }
                    throw error
                }
            }
        }
    }

    private static func request(
        _ records: [Record], _ number: ProducerNumbers.Number, _ partition: PartitionID
    ) throws(ClientError) -> Message {
        do throws(WireError) {
            let batch = try RecordBatch(records: records, producerID: number.producerID, sequence: number.sequence)
            return .produce(Produce(partition: partition, batch: batch))
        } catch { throw .refused(.invalid, "\(error)") }
    }

    /// Sends a batch to the primary as it is known now.
    private func attempt(
        _ request: Message, _ topic: String, _ partition: PartitionID, _ pause: RetryPause
    ) async throws(ClientError) -> Offset {
        guard let info = try await directory.info(topic) else {
            // Not all nodes hear of a new topic at the same moment.
            throw .refused(.unknownTopic, "topic '\(topic)' is gone; nothing was published")
        }
        guard info.id == partition.topic, Int(partition.index) < info.partitions.count else {
            throw .refused(.invalid, "topic '\(topic)' was made anew meanwhile; nothing was published")
        }
        let primary = info.partitions[Int(partition.index)].primary
        do throws(ClientError) {
            guard primary != .none else {
                throw .refused(
                    .notPrimary, "partition \(partition.index) of topic '\(topic)' has no primary at present")
            }
            guard
                case .produced(let answer) = try await engine.send(
                    request, to: .primary(primary), safety: .once,
                    timeoutMs: min(pause.leftMs, engine.configuration.operationTimeoutMs))
            else { throw Router.unexpectedAnswer }
            return answer.baseOffset
        } catch {
            // A silent primary may have a successor by now: it is asked for again.
            if error.isOutcomeUnknown || error.asksForPrimary { directory.forget(info) }
            throw error
        }
    }
}
