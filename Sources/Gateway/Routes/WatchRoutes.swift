import HTTPTypes
import Hummingbird
import NIOCore
import StormoClient
import Synchronization
import Wire

/// `GET /watch` of the table *Keys*: the latest state of the keys under a prefix, as events whose ids are positions.
struct WatchRoutes {
    let services: GatewayServices

    var routes: [Route] { [Route(.get, "/watch", .client, isStream: true, watch)] }

    private var limits: GatewayLimits { services.configuration.limits }

    private func watch(_ call: Call) async throws -> Response {
        let prefix = call.query["prefix"] ?? ""
        guard prefix.utf8.count <= WireLimits.keyBytesMax, prefix.utf8.first != 0 else {
            throw Problem.invalidParameter(
                "prefix", "expected at most \(WireLimits.keyBytesMax) bytes that do not begin with byte 0")
        }
        guard services.watchers.enter(most: limits.watchersMax) else {
            services.metrics.count(.watchersRefused)
            throw Problem.overloaded("\(limits.watchersMax) watches are open: try again later, or at another gateway")
        }
        let lastEventID = call.header(.lastEventID)
        let hasGone = StreamEnd()
        let body = ResponseBody { [services] writer in
            defer { services.watchers.leave() }
            try await call.request.body.consumeWithInboundCloseHandler { _ in
                try await tell(prefix, after: lastEventID, until: hasGone, to: &writer)
            } onInboundClosed: {
                hasGone.set()
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"], body: body)
    }

    private enum Step: Sendable {
        case event(WatchEvent)
        /// Time to see whether anybody still listens.
        case pause
    }

    private func tell(
        _ prefix: String, after lastEventID: String?, until hasGone: StreamEnd, to writer: inout any ResponseBodyWriter
    ) async throws {
        let position = lastEventID.flatMap { WatchPosition($0) }
        var text = ServerSentEvent.opening(id: position?.text ?? "0", retryMs: 2_000)
        if lastEventID != nil, position == nil {
            // A position that cannot be read is lost; everything follows.
            ServerSentEvent.append(id: "0", name: "reset", json: Array("{}".utf8), to: &text)
        }
        try await writer.write(ByteBuffer(bytes: text))
        let events = WatchReader(services.client.watch(prefix: Array(prefix.utf8), from: position))
        let pauseMs = limits.watchPauseMs
        var silentMs: UInt64 = 0
        do {
            try await withThrowingTaskGroup(of: Step.self) { group in
                defer { group.cancelAll() }
                group.addTask { .event(try await events.next()) }
                group.addTask {
                    try await Task.sleep(for: .milliseconds(pauseMs))
                    return .pause
                }
                while let step = try await group.next() {
                    guard !hasGone.isSet, !services.isDraining else { return }
                    var text: [UInt8] = []
                    switch step {
                    case .event(let event):
                        append(event, to: &text)
                        group.addTask { .event(try await events.next()) }
                    case .pause:
                        silentMs += pauseMs
                        if silentMs >= limits.streamCommentMs { text = ServerSentEvent.comment }
                        group.addTask {
                            try await Task.sleep(for: .milliseconds(pauseMs))
                            return .pause
                        }
                    }
                    guard !text.isEmpty else { continue }
                    silentMs = 0
                    try await writer.write(ByteBuffer(bytes: text))
                }
            }
        } catch let error as ClientError where error == .closed {
            return
        }
    }

    private func append(_ event: WatchEvent, to text: inout [UInt8]) {
        var writer = JSONWriter(capacity: 256)
        let name: String
        switch event.change {
        case .put(let key, let value):
            guard !key.isSystem else { return }
            name = "put"
            writer.object {
                $0.member("key", key.description)
                $0.storedValue(value.value)
                $0.member("version", value.version.description)
            }
        case .delete(let key, let version):
            guard !key.isSystem else { return }
            name = "delete"
            writer.object {
                $0.member("key", key.description)
                $0.name("value")
                $0.null()
                $0.member("version", version.description)
            }
        case .reset:
            name = "reset"
            writer.object { _ in }
        case .nothing: return
        }
        ServerSentEvent.append(id: event.position?.text ?? "0", name: name, json: writer.bytes, to: &text)
    }
}

/// One reader's place in a watch.
private actor WatchReader {
    private var iterator: KeyWatch.Iterator

    init(_ watch: KeyWatch) { iterator = watch.makeAsyncIterator() }

    func next() async throws -> WatchEvent {
        var own = iterator
        let event = try await own.next()
        iterator = own
        guard let event else { throw CancellationError() }
        return event
    }
}

/// Whether the client of a stream has gone.
final class StreamEnd: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}

/// How many watches are open.
final class WatcherCount: Sendable {
    private let count = Mutex(0)

    /// Counts one more, or as many as one takes, unless there would be more than `most`.
    func enter(most: Int, by more: Int = 1) -> Bool {
        count.withLock { count in
            guard count + more <= most else { return false }
            count += more
            return true
        }
    }

    /// One has ended.
    func leave(by less: Int = 1) { count.withLock { $0 -= less } }
}
