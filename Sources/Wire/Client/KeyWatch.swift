import Logging
public import Wire

/// Something that a watch tells.
public struct WatchEvent: Hashable, Sendable {
    /// What it is about.
    public enum Change: Hashable, Sendable {
        /// The key has this value.
        case put(Key, VersionedValue)
        /// The key has no value; the deletion has this version.
        case delete(Key, version: Ballot)
        /// The position was lost: forget all keys of the prefix, those that there are follow.
        case reset
        /// Nothing was changed up to this position.
        case nothing
    }

    /// What has changed.
    public var change: Change
    /// Where a later watch goes on so that nothing is missed, though it may repeat what was told since, or everything
    /// that there is; nil: at the beginning.
    public var position: WatchPosition?

    /// Puts an event together.
    public init(change: Change, position: WatchPosition?) {
        self.change = change
        self.position = position
    }
}

/// The keys of a prefix as they change, told to whoever iterates; nothing is asked of the cluster in between. It waits
/// for the cluster while that is away, and goes on at another node when one fails. It never goes back for a key.
public struct KeyWatch: AsyncSequence, Sendable {
    let router: Router
    let prefix: [UInt8]
    let position: WatchPosition?

    /// Begins to watch.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }

    /// Takes one event after the other.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        private let router: Router
        private let prefix: [UInt8]
        private var cursor: WatchCursor
        /// What has been told and not taken yet, last first.
        private var pending: [WatchEvent] = []

        init(_ watch: KeyWatch) {
            router = watch.router
            prefix = watch.prefix
            cursor = WatchCursor(position: watch.position)
        }

        /// The next event; never nil. Throws `refused(.invalid)` for a prefix that is too long, `closed` with the client,
        /// and `CancellationError` when the task is cancelled.
        public mutating func next() async throws -> WatchEvent? {
            while true {
                if let event = pending.popLast() { return event }
                pending = cursor.take(try await ask()).reversed()
            }
        }

        /// Asks until there is an answer.
        private func ask() async throws -> WatchAnswer {
            // By the prefix as if it were a key: all who watch it share what one node keeps for them.
            let route = Route.key(Key(prefix))
            let request = WatchRequest(prefix: prefix, position: cursor.position, waitMs: ClientLimits.watchMs)
            var backoff = Backoff(pauseMs: ClientLimits.consumerPauseMs)
            while true {
                try Task.checkCancellation()
                do throws(ClientError) {
                    guard
                        case .watchAnswer(let answer) = try await router.engine.send(
                            .watchRequest(request), to: route, safety: .repeatable, waitMs: UInt64(request.waitMs))
                    else { throw Router.unexpectedAnswer }
                    return answer
                } catch {
                    if Task.isCancelled { throw CancellationError() }
                    switch error {
                    case .closed, .refused(.invalid, _): throw error
                    default: break
                    }
                    if backoff.failures % 10 == 0 {
                        router.engine.logger.warning("watching '\(Key(prefix))' waits: \(error)")
                    }
                }
                try await Task.sleep(for: .milliseconds(backoff.nextMs()))
            }
        }
    }
}
