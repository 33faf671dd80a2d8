import Synchronization

/// What a gateway counts beside its requests. The raw values are the names in `/metrics`.
enum GatewayCounter: String, CaseIterable, Sendable {
    /// Requests refused because too many were in flight.
    case requestsShed = "requests_shed_total"
    /// Times that the last place for a connection was taken, so that new ones had to wait.
    case connectionsFull = "connections_full_total"
    /// Bodies over the limit.
    case bodiesTooLarge = "bodies_too_large_total"
    /// Calls without a good token, or whose token did not allow them.
    case callsRefused = "calls_refused_total"
    /// Requests whose `Host` or `Origin` did not fit.
    case foreignRequests = "foreign_requests_total"
    /// Sign-ins that succeeded.
    case signIns = "sign_ins_total"
    /// Sign-ins with a wrong name or password.
    case signInsFailed = "sign_ins_failed_total"
    /// Attempts to sign in that came too soon.
    case signInsLimited = "sign_ins_limited_total"
    /// Attempts to sign in refused because too many were being checked.
    case signInsShed = "sign_ins_shed_total"
    /// Compare-and-sets by value that gave up because others kept changing the key.
    case casContended = "cas_contended_total"
    /// Events told on streams: once, however many clients; those of a topic's stream for each client.
    case streamEvents = "stream_events_total"
    /// Streams refused because too many were open.
    case streamsRefused = "streams_refused_total"
    /// Clients of streams dropped because they did not read.
    case streamClientsDropped = "stream_clients_dropped_total"
    /// Clients of streams that could not be told all that they had missed.
    case streamResets = "stream_resets_total"
    /// Watches refused or ended since there were too many, or too many keys.
    case watchersRefused = "watches_refused_total"
    /// Errors that no part of the gateway expected.
    case unexpectedErrors = "unexpected_errors_total"
}

/// The gateway's own figures.
final class GatewayMetrics: Sendable {
    /// Upper bounds of the buckets of durations, in ms.
    static let bucketBoundsMs: [Double] = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000]

    /// Figures of one route and status.
    struct Requests: Sendable {
        /// Answers by bucket; the last one is beyond all bounds.
        var buckets = [UInt64](repeating: 0, count: GatewayMetrics.bucketBoundsMs.count + 1)
        /// Answers.
        var count: UInt64 = 0
        /// Time to the answer's head, summed, in ms.
        var sumMs = 0.0
    }

    /// A route and the status of its answer.
    struct Series: Hashable, Sendable {
        let method: String
        /// The route's pattern; empty for requests that have none.
        let path: String
        let status: Int
    }

    private struct State {
        var counters = [UInt64](repeating: 0, count: GatewayCounter.allCases.count)
        var requests: [Series: Requests] = [:]
        var inFlight = 0
    }

    private let state = Mutex(State())
    private let indices: [GatewayCounter: Int] = Dictionary(
        uniqueKeysWithValues: GatewayCounter.allCases.enumerated().map { ($1, $0) })

    /// Adds to a counter.
    func count(_ counter: GatewayCounter, by amount: UInt64 = 1) {
        guard amount > 0, let index = indices[counter] else { return }
        state.withLock { $0.counters[index] += amount }
    }

    /// Begins a request, unless `most` are in flight.
    func begin(most: Int) -> Bool {
        state.withLock { state in
            guard state.inFlight < most else { return false }
            state.inFlight += 1
            return true
        }
    }

    /// Ends a request.
    func end(_ series: Series, ms: Double) {
        let bucket = Self.bucketBoundsMs.firstIndex { ms <= $0 } ?? Self.bucketBoundsMs.count
        state.withLock { state in
            state.inFlight -= 1
            state.requests[series, default: Requests()].buckets[bucket] += 1
            state.requests[series, default: Requests()].count += 1
            state.requests[series, default: Requests()].sumMs += ms
        }
    }

    /// All figures: counters in the order of their cases, requests in a fixed order, requests in flight.
    var snapshot: (counters: [(GatewayCounter, UInt64)], requests: [(Series, Requests)], inFlight: Int) {
        let state = state.withLock { $0 }
        let requests = state.requests.sorted {
            ($0.key.path, $0.key.method, $0.key.status) < ($1.key.path, $1.key.method, $1.key.status)
        }
        return (
            Array(zip(GatewayCounter.allCases, state.counters)), requests.map { ($0.key, $0.value) }, state.inFlight
        )
    }
}
