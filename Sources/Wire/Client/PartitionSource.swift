import Logging
import Wire
import WireTransport

/// One partition of one life of a topic, read with the patience of a consumer.
struct PartitionSource: Sendable {
    let router: Router
    let topic: String
    let life: TopicID
    let partition: UInt32
    let logger: Logger

    /// The topic of this life exists no more.
    struct Gone: Error {}

    /// The offset at which a start position lies now.
    func offset(of start: StartPosition) async throws -> Offset {
        try await insist { () async throws(ClientError) in
            let ends = try await fetch(from: .max, waitMs: 0)
            return start == .earliest ? ends.firstOffset : ends.highWatermark
        }
    }

    /// Records from an offset on, at least one: waits for them, and for the cluster while it is away; nil as soon as they
    /// are not wanted any more. Skips, and says so, what retention has taken. Throws `Gone` and when the task is
    /// cancelled.
    func read(
        from offset: Offset, while isWanted: @Sendable () -> Bool = { true }
    ) async throws -> FetchedRecords? {
        var offset = offset
        while true {
            try Task.checkCancellation()
            guard isWanted() else { return nil }
            let from = offset
            let found = try await insist { () async throws(ClientError) -> FetchedRecords in
                do throws(ClientError) { return try await fetch(from: from, waitMs: ClientLimits.pollMs) } catch {
                    guard case .refused(.offsetOutOfRange, _) = error else { throw error }
                    let ends = try await fetch(from: .max, waitMs: 0)
                    // Beyond the end: it will come, at the latest when the primary has caught up with what it promised.
                    guard ends.firstOffset > from else { throw error }
                    logger.warning(
                        "records \(from) to \(ends.firstOffset - 1) of partition \(partition) of '\(topic)' are gone by retention: reading on behind them"
                    )
                    return try await fetch(from: ends.firstOffset, waitMs: ClientLimits.pollMs)
                }
            }
            if !found.records.isEmpty { return found }
            offset = found.nextOffset
        }
    }

    private func fetch(from offset: Offset, waitMs: UInt32) async throws(ClientError) -> FetchedRecords {
        try await router.fetch(
            topic, partition: partition, offset: offset, bytesMax: 1 << 20, waitMs: waitMs, life: life)
    }

    /// Tries again after growing pauses whatever may pass.
    private func insist<T>(_ body: () async throws(ClientError) -> T) async throws -> T {
        var backoff = Backoff(pauseMs: ClientLimits.consumerPauseMs)
        while true {
            try Task.checkCancellation()
            do throws(ClientError) { return try await body() } catch {
                if case .refused(.unknownTopic, _) = error { throw Gone() }
                if Task.isCancelled { throw CancellationError() }
                if backoff.failures % 10 == 0 {
                    logger.warning("reading partition \(partition) of '\(topic)' waits: \(error)")
                }
                try await Task.sleep(for: .milliseconds(backoff.nextMs()))
            }
        }
    }
}

extension Router {
    /// The topic of a name, waited for when it does not exist yet or the cluster is away; nil when the task is cancelled.
    func waitForTopic(_ name: String, _ logger: Logger) async -> TopicInfo? {
        var hasSaid = false
        while !Task.isCancelled {
            do throws(ClientError) {
                if let info = try await topicDirectory.askedNow(name), !info.partitions.isEmpty { return info }
                if !hasSaid { logger.info("waiting for topic '\(name)', which does not exist yet") }
            } catch {
                if !hasSaid { logger.warning("waiting for topic '\(name)': \(error)") }
            }
            hasSaid = true
            try? await Task.sleep(for: .milliseconds(ClientLimits.claimMs / 5))
        }
        return nil
    }
}
