package import Wire

/// Settings and bounds of the connections of a process.
package struct TransportConfiguration: Sendable {
    /// The cluster's name; a peer of another name is refused.
    package var clusterName: String
    /// The cluster secret: proved in the handshake, never sent.
    package var secret: [UInt8]
    /// What this process tells its peers of itself.
    package var identity: PeerIdentity

    /// How long a peer may take from the first byte to the end of the handshake, in milliseconds: a few round trips
    /// over a bad line; a stranger who says nothing holds a descriptor no longer.
    package var handshakeTimeoutMs: Int64 = 5_000
    /// How long a TCP connection may take to be made, in milliseconds: two lost SYN packets.
    package var connectTimeoutMs: Int64 = 2_000
    /// How long what was written last may take to leave when a connection is closed, in milliseconds; then it is cut.
    package var closeTimeoutMs: Int64 = 1_000
    /// Accepted connections of one listener that are past their handshake, at a time: a process must have a descriptor
    /// for each, and some to spare for its files. One more is refused with `tooManyConnections`.
    package var connectionsMax = 10_000
    /// Of these, places that only nodes get, so that clients cannot keep the members of the cluster from each other:
    /// two for each other member.
    package var connectionsKeptForNodes = 256
    /// Accepted connections of one listener at a time that are in their handshake, or that wait for a refusal to leave.
    /// One more ends the oldest of those who have said nothing yet, or else the oldest: a peer speaks at once and needs a
    /// few round trips, so who is displaced is a stranger.
    package var handshakesMax = 256
    /// Bytes that may wait for a peer to read them; one that lets more pile up is closed. Four of the largest frames.
    package var writeBufferBytesMax = 64 << 20
    /// Above this many waiting bytes nothing more is read from the peer whose answers they are…
    package var writeHighMarkBytes = 4 << 20
    /// …until no more than this many wait.
    package var writeLowMarkBytes = 1 << 20
    /// Bytes of encoded frames that are handed to the socket before the batch is complete, so that one buffer does not
    /// grow and move without end.
    package var writeChunkBytes = 256 << 10
    /// Bytes asked of the socket in one read, at most: several hundred small frames.
    package var readBytesMax = 256 << 10
    /// Shortest and longest pause before a lost connection is tried again, in milliseconds; it doubles in between.
    package var reconnectPauseMs: ClosedRange<UInt64> = 50...2_000

    /// Settings with the default bounds.
    package init(clusterName: String, secret: [UInt8], identity: PeerIdentity) {
        self.clusterName = clusterName
        self.secret = secret
        self.identity = identity
    }
}
