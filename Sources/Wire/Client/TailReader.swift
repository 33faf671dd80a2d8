import Logging
import Wire

/// The work of a `TopicTail`.
struct TailReader: Sendable {
    typealias Handler = @Sendable ([PositionedRecord], RecordPosition) async throws -> Void

    private let tail: TopicTail
    private let router: Router

    init(tail: TopicTail) {
        self.tail = tail
        router = tail.client.router
    }

    private enum Event: Sendable {
        case timeToLook
        case gone
    }

    /// See `TopicTail.run`.
    func run(from positions: [UInt32: Offset], start: StartPosition, _ handle: @escaping Handler) async throws {
        var positions = positions
        var start = start
        do {
            while let topic = await router.waitForTopic(tail.topic, tail.logger) {
                try await read(topic, positions, start, handle)
                // A topic made anew has other records: all of them came after the tail began.
                positions = [:]
                start = .earliest
            }
        } catch {
            guard Task.isCancelled else { throw error }
        }
    }

    /// Reads one life of the topic until it is gone. Throws what the handler throws.
    private func read(
        _ topic: TopicInfo, _ positions: [UInt32: Offset], _ start: StartPosition, _ handle: @escaping Handler
    ) async throws {
        try await withThrowingTaskGroup(of: Event.self) { group in
            var count = UInt32(0)
            for partition in 0..<UInt32(topic.partitions.count) {
                group.addTask { try await read(partition, topic, positions[partition], start, handle) }
                count += 1
            }
            group.addTask { try await pause() }
            while let event = try await group.next() {
                guard case .timeToLook = event, let now = await present(topic) else {
                    group.cancelAll()
                    return
                }
                while count < UInt32(now.partitions.count) {
                    // A partition that was added since: everything in it is new.
                    let partition = count
                    group.addTask { try await read(partition, topic, positions[partition], .earliest, handle) }
                    count += 1
                }
                group.addTask { try await pause() }
            }
        }
    }

    private func pause() async throws -> Event {
        try await Task.sleep(for: .milliseconds(ClientLimits.claimMs))
        return .timeToLook
    }

    /// The topic as it is now; nil when it was made anew.
    private func present(_ topic: TopicInfo) async -> TopicInfo? {
        guard let now = try? await router.topicDirectory.askedNow(topic.name) else { return topic }
        return now.id == topic.id ? now : nil
    }

    private func read(
        _ partition: UInt32, _ topic: TopicInfo, _ position: Offset?, _ start: StartPosition,
        _ handle: @escaping Handler
    ) async throws -> Event {
        let source = PartitionSource(
            router: router, topic: topic.name, life: topic.id, partition: partition, logger: tail.logger)
        do {
            var offset: Offset
            if let position { offset = position } else { offset = try await source.offset(of: start) }
            while true {
                guard let found = try await source.read(from: offset) else { continue }
                offset = found.nextOffset
                try await handle(found.records, RecordPosition(partition: partition, offset: offset))
            }
        } catch is PartitionSource.Gone {
            return .gone
        }
    }
}
