import Logging
import NIOCore
import Synchronization
import Wire
import WireTransport

/// The work of a `GroupConsumer`: takes partitions, reads them, commits, and gives them back.
struct GroupReader: Sendable {
    typealias Handler = @Sendable ([PositionedRecord]) async throws -> Void

    private let consumer: GroupConsumer
    private let router: Router
    /// The name of this run of this member; never used by another.
    private let owner: String

    init(consumer: GroupConsumer) {
        self.consumer = consumer
        router = consumer.client.router
        var random = SystemRandomNumberGenerator()
        owner = "\(consumer.client.configuration.name)/\(Hex.fixed(random.next()))"
    }

    /// Another member may hold the partition now.
    private struct LeaseLost: Error {}

    /// The partitions that this member should have.
    private final class Share: Sendable {
        private let partitions = Mutex<Set<UInt32>>([])

        var all: Set<UInt32> {
            get { partitions.withLock { $0 } }
            set { partitions.withLock { $0 = newValue } }
        }
    }

    /// What a member's loop hears of.
    private enum Event: Sendable {
        case timeToClaim
        case ended(UInt32)
    }

    /// What happens while a lease is held.
    private enum Step<T: Sendable>: Sendable {
        case done(Result<T, any Error>)
        case timeToRenew
    }

    /// See `GroupConsumer.run`.
    func run(_ handle: @escaping Handler) async throws {
        while let topic = await router.waitForTopic(consumer.topic, consumer.logger) { await read(topic, handle) }
    }

    /// Reads one life of the topic, until it is gone or the task is cancelled.
    private func read(_ topic: TopicInfo, _ handle: @escaping Handler) async {
        let share = Share()
        var members = GroupMembers(client: consumer.client, group: consumer.group, topic: topic.id, owner: owner)
        await withTaskGroup(of: Event.self) { group in
            var held: Set<UInt32> = []
            group.addTask { .timeToClaim }
            while let event = await group.next() {
                switch event {
                case .ended(let partition):
                    held.remove(partition)
                case .timeToClaim:
                    guard !Task.isCancelled, let now = await present(topic, holdsAny: !held.isEmpty) else {
                        group.cancelAll()
                        continue
                    }
                    await update(share, &members, partitions: UInt32(now.partitions.count))
                    for partition in share.all.subtracting(held).sorted() {
                        guard let lease = await take(PartitionID(topic: topic.id, index: partition)) else { continue }
                        held.insert(partition)
                        group.addTask {
                            await read(partition, topic, lease, share, handle)
                            return .ended(partition)
                        }
                    }
                    group.addTask {
                        try? await Task.sleep(for: .milliseconds(ClientLimits.claimMs))
                        return .timeToClaim
                    }
                }
            }
        }
        // Leaving must happen although the task is cancelled.
        await Task { [members] in await members.leave() }.value
    }

    /// Looks who else is there, and what this member should have.
    private func update(_ share: Share, _ members: inout GroupMembers, partitions: UInt32) async {
        do throws(ClientError) {
            let living = try await members.meet()
            let owners = try await members.owners(partitions: partitions)
            share.all = GroupAssignment(partitions: partitions, members: living, owners: owners).share(of: owner)
        } catch {
            // The cluster is away: nothing new is known.
            consumer.logger.debug("group '\(consumer.group)' could not be looked at: \(error)")
        }
    }

    /// The topic as it is now; nil when this life of it is over.
    private func present(_ topic: TopicInfo, holdsAny: Bool) async -> TopicInfo? {
        do throws(ClientError) {
            guard let now = try await router.topicDirectory.askedNow(topic.name) else { return holdsAny ? topic : nil }
            return now.id == topic.id ? now : nil
        } catch {
            // The cluster is away: nothing new is known.
            return topic
        }
    }

    private func take(_ partition: PartitionID) async -> PartitionLease? {
        do throws(ClientError) {
            return try await PartitionLease.take(
                partition, group: consumer.group, topic: consumer.topic, owner: owner, client: consumer.client)
        } catch {
            consumer.logger.debug("could not take partition \(partition.index) of '\(consumer.topic)': \(error)")
            return nil
        }
    }

    /// Reads one partition until its lease is lost, another member should have it, the topic is gone or the task is
    /// cancelled.
    private func read(
        _ partition: UInt32, _ topic: TopicInfo, _ lease: PartitionLease, _ share: Share, _ handle: @escaping Handler
    ) async {
        let source = PartitionSource(
            router: router, topic: topic.name, life: topic.id, partition: partition, logger: consumer.logger)
        var lease = lease
        let place = "partition \(partition) of '\(topic.name)' in group '\(consumer.group)'"
        consumer.logger.debug("took \(place) at offset \(lease.offset.map { "\($0)" } ?? "none")")
        let isMine: @Sendable () -> Bool = { share.all.contains(partition) }
        do {
            var offset = try await begin(source, &lease)
            while isMine() {
                let from = offset
                guard let found = try await holding(&lease, { try await source.read(from: from, while: isMine) }) else {
                    break
                }
                try await deliver(found.records, place, &lease, handle)
                offset = found.nextOffset
                guard await lease.commit(offset) else { throw LeaseLost() }
                try Task.checkCancellation()
            }
            consumer.logger.debug("gives up \(place)")
            await lease.release()
        } catch is LeaseLost {
            consumer.logger.warning("lost \(place): another member reads it from the last commit")
        } catch {
            // Cancelled, or the topic is gone. Giving back must happen although the task is cancelled.
            let last = lease
            await Task {
                var lease = last
                await lease.release()
            }.value
        }
    }

    private func begin(_ source: PartitionSource, _ lease: inout PartitionLease) async throws -> Offset {
        if let offset = lease.offset { return offset }
        let start = consumer.start
        let offset = try await holding(&lease) { try await source.offset(of: start) }
        // Kept at once: who takes over before the first commit must not begin at a later end.
        guard await lease.commit(offset) else { throw LeaseLost() }
        return offset
    }

    /// Hands records to the handler until it takes them, or until those that it cannot take are put aside.
    private func deliver(
        _ records: [PositionedRecord], _ place: String, _ lease: inout PartitionLease, _ handle: @escaping Handler
    ) async throws {
        var backoff = Backoff(pauseMs: ClientLimits.consumerPauseMs)
        while true {
            do {
                return try await holding(&lease) { try await handle(records) }
            } catch let lost as LeaseLost {
                throw lost
            } catch {
                try Task.checkCancellation()
                if let policy = consumer.deadLetters {
                    if records.count > 1 {
                        // One by one: most of them are not to blame.
                        for record in records { try await deliver([record], place, &lease, handle) }
                        return
                    }
                    if let record = records.first, backoff.failures + 1 >= policy.attemptsMax {
                        return try await putAside(record, policy, "\(error)", place, &lease)
                    }
                }
                let pauseMs = backoff.nextMs()
                consumer.logger.warning(
                    "handling \(records.count) records of \(place) failed, again in \(pauseMs) ms: \(error)")
                try await holding(&lease) { try await Task.sleep(for: .milliseconds(pauseMs)) }
            }
        }
    }

    /// Publishes a record that cannot be handled to the dead letters' topic. It is passed over only when it is there.
    private func putAside(
        _ record: PositionedRecord, _ policy: DeadLetterPolicy, _ reason: String, _ place: String,
        _ lease: inout PartitionLease
    ) async throws {
        let letter = DeadLetter(
            topic: consumer.topic, position: record.position, group: consumer.group, attempts: policy.attemptsMax,
            reason: reason)
        let dead = letter.record(of: record.record)
        var backoff = Backoff(pauseMs: ClientLimits.consumerPauseMs)
        while true {
            do {
                try await holding(&lease) { _ = try await consumer.client.publish(policy.topic, [dead]) }
                consumer.logger.error(
                    "record \(record.position.offset) of \(place) went to '\(policy.topic)' after \(policy.attemptsMax) attempts: \(reason)"
                )
                return
            } catch let lost as LeaseLost {
                throw lost
            } catch {
                try Task.checkCancellation()
                let pauseMs = backoff.nextMs()
                consumer.logger.warning("'\(policy.topic)' takes no dead letter, again in \(pauseMs) ms: \(error)")
                try await holding(&lease) { try await Task.sleep(for: .milliseconds(pauseMs)) }
            }
        }
    }

    /// Does something that may take long and keeps the lease alive meanwhile. When the lease is lost, the work is
    /// cancelled and `LeaseLost` thrown.
    private func holding<T: Sendable>(_ lease: inout PartitionLease, _ work: @escaping @Sendable () async throws -> T)
        async throws -> T
    {
        var held = lease
        defer { lease = held }
        let outcome: Result<T, any Error> = await withTaskGroup(of: Step<T>.self) { group in
            group.addTask {
                do { return .done(.success(try await work())) } catch { return .done(.failure(error)) }
            }
            group.addTask { [renewalAt = held.renewalAt] in await Self.renewal(at: renewalAt) }
            var isLost = false
            var outcome: Result<T, any Error> = .failure(CancellationError())
            while let step = await group.next() {
                switch step {
                case .done(let result):
                    outcome = result
                    group.cancelAll()
                case .timeToRenew:
                    guard !group.isCancelled, !Task.isCancelled else { continue }
                    if await held.renew() {
                        group.addTask { [renewalAt = held.renewalAt] in await Self.renewal(at: renewalAt) }
                    } else {
                        isLost = true
                        group.cancelAll()
                    }
                }
            }
            return isLost ? .failure(LeaseLost()) : outcome
        }
        return try outcome.get()
    }

    private static func renewal<T>(at deadline: NIODeadline) async -> Step<T> {
        let pause = max(0, (deadline - .now()).nanoseconds)
        try? await Task.sleep(for: .nanoseconds(pause))
        return .timeToRenew
    }
}
