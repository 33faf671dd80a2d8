package import NIOCore
package import Wire

/// Keeps one outgoing connection to an address alive: connects, and on loss or refusal tries again after a growing
/// pause. The delegate hears of every connection that opens and closes. Confined to its event loop.
package final class PeerLink: @unchecked Sendable {
    /// Where it connects to, `host:port`.
    package let address: String
    /// The open connection, when there is one.
    package private(set) var connection: Connection?
    /// Why the last attempt or connection failed; nil while connected.
    package private(set) var lastError: String?
    /// How the last attempt or connection failed; nil while connected.
    package private(set) var lastFailure: TransportError?
    /// Attempts so far.
    package private(set) var attempts: UInt64 = 0

    private let purpose: ConnectionPurpose
    private let configuration: TransportConfiguration
    private let delegate: any ConnectionDelegate
    private let eventLoop: any EventLoop
    private var backoff: Backoff
    private var isRunning = false
    private var isConnecting = false
    private var retry: Scheduled<Void>?
    private var openedAt = NIODeadline.uptimeNanoseconds(0)

    /// A link that rests until `start`.
    package init(
        address: String, purpose: ConnectionPurpose, configuration: TransportConfiguration,
        delegate: any ConnectionDelegate, eventLoop: any EventLoop
    ) {
        self.address = address
        self.purpose = purpose
        self.configuration = configuration
        self.delegate = delegate
        self.eventLoop = eventLoop
        backoff = Backoff(pauseMs: configuration.reconnectPauseMs)
    }

    /// Begins to connect; nothing when it has begun.
    package func start() {
        eventLoop.assertInEventLoop()
        guard !isRunning else { return }
        isRunning = true
        connect()
    }

    /// Closes the connection and stops trying.
    package func stop() {
        eventLoop.assertInEventLoop()
        isRunning = false
        retry?.cancel()
        retry = nil
        connection?.close(.local("the link is no longer needed"))
    }

    /// Tries at once instead of after the pause: somebody has heard that the peer is back.
    package func tryNow() {
        eventLoop.assertInEventLoop()
        guard retry != nil else { return }
        retry?.cancel()
        retry = nil
        backoff.reset()
        connect()
    }

    private func connect() {
        guard isRunning, connection == nil, !isConnecting else { return }
        isConnecting = true
        attempts += 1
        Connector.connect(
            to: address, purpose: purpose, configuration: configuration, delegate: delegate, owner: self,
            eventLoop: eventLoop)
    }

    private func connectLater(_ reason: CloseReason) {
        let failure = TransportError.connecting(address, reason)
        lastFailure = failure
        lastError = failure.description
        guard isRunning else { return }
        var random = SystemRandomNumberGenerator()
        let pauseMs = backoff.pause(jitter: random.next())
        retry = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(pauseMs))) { [weak self] in
            self?.retry = nil
            self?.connect()
        }
    }
}

extension PeerLink: ConnectionOwner {
    func opened(_ connection: Connection) {
        isConnecting = false
        self.connection = connection
        openedAt = .now()
        lastFailure = nil
        lastError = nil
        // Stopped while it connected: the delegate hears of it all the same, and then of its end.
        if !isRunning { connection.close(.local("the link is no longer needed")) }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        self.connection = nil
        // A peer that accepts and drops at once is not tried at the shortest pause for ever.
        let upMs = (NIODeadline.now() - openedAt).nanoseconds / 1_000_000
        if upMs >= Int64(backoff.pauseMs.upperBound) { backoff.reset() }
        connectLater(reason)
    }

    func failed(_ reason: CloseReason) {
        isConnecting = false
        connectLater(reason)
    }
}
