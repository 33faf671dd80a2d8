import Logging
import NIOCore
import NIOPosix
import Synchronization
import Wire
import WireTransport

/// What `StormoClient` is made of: operations go to the engine on its event loop, topics have their own parts.
final class Router: Sendable {
    let engine: RouterEngine
    let topicDirectory: TopicDirectory
    private let publisher: Publisher
    private let fetcher: Fetcher

    init(configuration: ClientConfiguration, logger: Logger) {
        engine = RouterEngine(
            configuration: configuration, logger: logger, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        topicDirectory = TopicDirectory(engine: engine)
        publisher = Publisher(engine: engine, directory: topicDirectory)
        fetcher = Fetcher(engine: engine, directory: topicDirectory)
    }

    /// The answer was of another kind than the request asks for: the node speaks another version.
    static let unexpectedAnswer = ClientError.refused(
        .internalError, "the node answered with a message of another kind: run the same release everywhere")

    /// See `StormoClient.run`.
    func run() async throws {
        let engine = engine
        guard try await engine.eventLoop.submit({ engine.start() }).get() else {
            throw ClientError.refused(.invalid, "the client is running already: run() is called once")
        }
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
        try await engine.eventLoop.submit { engine.stop() }.get()
    }

    /// See `StormoClient.waitUntilReady`.
    func waitUntilReady(timeoutMs: UInt64) async throws(ClientError) {
        let engine = engine
        let error: ClientError? = await withCheckedContinuation { continuation in
            engine.eventLoop.execute { engine.whenReady(timeoutMs: timeoutMs, continuation) }
        }
        if let error { throw error }
    }

    /// Sends a request and gives its answer, never an `error` message.
    func send(_ message: Message, to route: Route, safety: Safety) async throws(ClientError) -> Message {
        try await engine.send(message, to: route, safety: safety)
    }

    /// The ring and the members as last heard.
    var cluster: ClusterState? { engine.cluster.withLock { $0 } }

    /// The client's own counters.
    var statistics: [NodeStatistics.Item] { engine.counters.items }

    /// The client's clock, in milliseconds since 1970: not behind what any node has told.
    var nowMs: UInt64 { engine.clock.now().milliseconds }

    // MARK: Topics

    func topic(_ name: String, creating configuration: TopicConfiguration?) async throws(ClientError) -> TopicInfo? {
        try await topicDirectory.topic(name, creating: configuration)
    }

    func topics() async throws(ClientError) -> [TopicInfo] { try await topicDirectory.topics(named: "") }

    func alterTopic(_ name: String, _ configuration: TopicConfiguration) async throws(ClientError) -> TopicInfo {
        try await topicDirectory.alter(name, configuration)
    }

    func deleteTopic(_ name: String) async throws(ClientError) { try await topicDirectory.delete(name) }

    func publish(
        _ topic: String, _ records: [Record], creating configuration: TopicConfiguration?
    ) async throws(ClientError) -> [RecordPosition] {
        try await publisher.publish(topic, records, creating: configuration)
    }

    func find(
        _ topic: String, partition: UInt32, _ query: OffsetQuery, life: TopicID? = nil
    ) async throws(ClientError) -> OffsetAnswer {
        try await fetcher.find(topic, partition: partition, query, life: life)
    }

    func fetch(
        _ topic: String, partition: UInt32, offset: Offset, bytesMax: Int, waitMs: UInt32, life: TopicID? = nil
    ) async throws(ClientError) -> FetchedRecords {
        try await fetcher.fetch(
            topic, partition: partition, offset: offset, bytesMax: bytesMax, waitMs: waitMs, life: life)
    }
}

extension RouterEngine {
    /// Sends a request and gives its answer, never an `error` message. `waitMs` is what the request asks the node to
    /// wait; `timeoutMs` is the operation's time without it, that of the configuration when nil. A repeatable request
    /// whose task is cancelled ends with `closed`; one that is not goes on, since nobody could tell its outcome.
    func send(
        _ message: Message, to route: Route, safety: Safety, timeoutMs: UInt64? = nil, waitMs: UInt64 = 0
    ) async throws(ClientError) -> Message {
        try RequestCheck.check(message)
        let timeoutMs = timeoutMs ?? configuration.operationTimeoutMs
        let attemptMs = ClientLimits.attemptMs(timeoutMs) + waitMs
        let make = { (continuation: CheckedContinuation<Result<Message, ClientError>, Never>) in
            Operation(
                message: message, route: route, safety: safety, timeoutMs: timeoutMs + waitMs, attemptMs: attemptMs,
                completion: .caller(continuation))
        }
        // Only long polls are worth a handler for cancellation; everything else ends soon by itself.
        guard waitMs > 0 else {
            return try await withCheckedContinuation { submit(make($0)) }.get()
        }
        let cancellable = CancellableOperation()
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let operation = make(continuation)
                submit(operation)
                cancellable.set(operation, on: self)
            }
        } onCancel: {
            cancellable.cancel(on: self)
        }.get()
    }
}
