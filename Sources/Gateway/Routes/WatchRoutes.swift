import HTTPTypes
import Hummingbird
import NIOCore
import StormoClient
import Synchronization
import Wire

/// `GET /watch` of the table *Keys*: the latest state of the keys under a prefix, as events. The gateway compares whole
/// listings, each of what a quorum holds, so a key never goes back; how often is a bound of the gateway.
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
        let isResumed = call.header(.lastEventID) != nil
        let hasGone = StreamEnd()
        let body = ResponseBody { [services] writer in
            defer { services.watchers.leave() }
            try await call.request.body.consumeWithInboundCloseHandler { _ in
                try await tell(prefix, isResumed: isResumed, until: hasGone, to: &writer)
            } onInboundClosed: {
                hasGone.set()
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"], body: body)
    }

    private func tell(
        _ prefix: String, isResumed: Bool, until hasGone: StreamEnd, to writer: inout any ResponseBodyWriter
    ) async throws {
        var state = WatchState()
        var told: UInt64 = 0
        var silentMs: UInt64 = 0
        var text = ServerSentEvent.opening(id: "0", retryMs: 2_000)
        // Positions are not kept from one connection to the next: the whole listing follows.
        if isResumed { ServerSentEvent.append(id: "0", name: "reset", json: Array("{}".utf8), to: &text) }
        while !hasGone.isSet, !services.isDraining {
            do throws(ClientError) {
                let items = try await services.client.scanAll(prefix: prefix, max: limits.watchKeysMax + 1)
                guard items.count <= limits.watchKeysMax else {
                    services.metrics.count(.watchersRefused)
                    break
                }
                for event in state.advance(to: items.filter { !$0.key.isSystem }) {
                    told += 1
                    append(event, id: told, to: &text)
                }
            } catch {
                // Unreachable for now: nothing is told, and nothing is lost, since the next listing is compared with
                // what was told last.
                if case .closed = error { break }
            }
            if text.isEmpty, silentMs >= limits.streamCommentMs { text = ServerSentEvent.comment }
            if text.isEmpty {
                silentMs += limits.watchIntervalMs
            } else {
                try await writer.write(ByteBuffer(bytes: text))
                text.removeAll(keepingCapacity: true)
                silentMs = 0
            }
            try await Task.sleep(for: .milliseconds(limits.watchIntervalMs))
        }
    }

    private func append(_ event: WatchState.Event, id: UInt64, to text: inout [UInt8]) {
        var writer = JSONWriter(capacity: 256)
        let name: String
        switch event {
        case .put(let key, let value, let version):
            name = "put"
            writer.object {
                $0.member("key", key.description)
                $0.storedValue(value)
                $0.member("version", version.description)
            }
        case .delete(let key, let version):
            name = "delete"
            writer.object {
                $0.member("key", key.description)
                $0.name("value")
                $0.null()
                $0.member("version", version.description)
            }
        }
        ServerSentEvent.append(id: String(id), name: name, json: writer.bytes, to: &text)
    }
}

/// Whether the client of a stream has gone.
private final class StreamEnd: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}

/// How many watches are open.
final class WatcherCount: Sendable {
    private let count = Mutex(0)

    /// Counts one more, unless there are `most` already.
    func enter(most: Int) -> Bool {
        count.withLock { count in
            guard count < most else { return false }
            count += 1
            return true
        }
    }

    /// One has ended.
    func leave() { count.withLock { $0 -= 1 } }
}
