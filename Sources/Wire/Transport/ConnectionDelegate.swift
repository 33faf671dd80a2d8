package import Wire

/// What the owner of connections answers and hears. Every call comes on the connection's event loop.
package protocol ConnectionDelegate: AnyObject, Sendable {
    /// Time and ring epoch for a frame that is about to be sent.
    func stamp() -> (time: HybridTime, epoch: Epoch)

    /// The cluster's id; `.none` before founding.
    var clusterID: ClusterID { get }

    /// Listening side, after the peer has proven the secret: nil lets it in, an error (a duplicate node, say) is sent to
    /// it before the connection closes.
    func admit(_ hello: Hello) -> ErrorMessage?

    /// The handshake is finished.
    func connectionOpened(_ connection: Connection)

    /// A frame came. The owner checks its time and epoch.
    func connection(_ connection: Connection, received frame: Frame)

    /// All frames of one read were delivered. What was sent on this connection meanwhile is flushed after the call.
    func connectionReadCompleted(_ connection: Connection)

    /// An opened connection ended. No call for it follows.
    func connectionClosed(_ connection: Connection, reason: CloseReason)

    /// A connection ended before its handshake was finished; `remoteAddress` is the other end.
    func handshakeFailed(with remoteAddress: String, isOutgoing: Bool, reason: CloseReason)
}

extension ConnectionDelegate {
    /// Nothing, for owners that do not listen.
    package func handshakeFailed(with remoteAddress: String, isOutgoing: Bool, reason: CloseReason) {}
}

/// Whoever made a connection and keeps count of it: told before the delegate is.
protocol ConnectionOwner: AnyObject, Sendable {
    /// Whether there is a place for a peer that has proven the secret; asked before the delegate is.
    func admit(_ hello: Hello) -> ErrorMessage?
    func opened(_ connection: Connection)
    func closed(_ connection: Connection, reason: CloseReason)
    func failed(_ reason: CloseReason)
}

extension ConnectionOwner {
    /// There is, for owners that do not listen.
    func admit(_ hello: Hello) -> ErrorMessage? { nil }
}
