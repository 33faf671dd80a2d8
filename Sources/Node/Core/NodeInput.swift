package import Wire

/// The time as the shell reads it; the core has no clock of its own.
package struct NodeTime: Sendable, Hashable {
    /// Milliseconds since 1970 by this host's clock, which may jump.
    package var wallMs: UInt64
    /// Milliseconds by a clock that only goes forward; for deadlines.
    package var monotonicMs: UInt64

    /// Pairs the two.
    package init(wallMs: UInt64, monotonicMs: UInt64) {
        self.wallMs = wallMs
        self.monotonicMs = monotonicMs
    }
}

/// An incoming connection, as the shell numbers it.
package struct ChannelID: Hashable, Sendable {
    /// Never used twice in one run.
    package let rawValue: UInt64

    /// Wraps a number.
    package init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What happens to a node.
package enum NodeInput: Sendable {
    /// A frame that is a request, or one-way, arrived. `peer` is the sender's node id, `none` for clients.
    case request(ChannelID, peer: NodeID, FrameHeader, Message)
    /// A frame that answers a request of this node arrived.
    case answer(from: NodeID, FrameHeader, Message)
    /// A node can be sent to.
    case peerUp(NodeID)
    /// A node cannot be sent to any more; what was in flight may be lost.
    case peerDown(NodeID)
    /// The membership changed its mind about a node.
    case member(MemberInfo)
    /// The membership has dropped a node that was dead or had left.
    case forgotten(NodeID)
    /// An incoming connection is gone; its answers need not be made.
    case channelClosed(ChannelID)
    /// Everything up to an entry of the journal is durable.
    case durable(JournalSequence)
    /// The node is about to stop: it gives its reigns to others.
    case leaving
    /// Time has passed. Due every 10 ms.
    case tick
}

/// What a node does.
package enum NodeOutput: Sendable {
    /// Send a request, or a one-way frame, to another node.
    case send(NodeID, RequestID, Message)
    /// Answer a request on the connection it came from.
    case reply(ChannelID, RequestID, Message)
    /// A ring is in force.
    case ring(Ring)
    /// Something an operator should read.
    case note(NoteLevel, String)
}

/// How much an operator should care.
package enum NoteLevel: Sendable, Hashable {
    /// Normal, worth a line.
    case info
    /// Works, but something is wrong.
    case warning
    /// Something does not work.
    case error
}
