package import NIOCore
package import Wire

/// An open connection to a peer. Confined to its event loop: everything but its constants may only be touched there.
package final class Connection: @unchecked Sendable {
    /// The other side, as it said in its handshake.
    package let peer: PeerIdentity
    /// The cluster's id as the other side knew it when the connection opened; `.none` before founding.
    package let peerClusterID: ClusterID
    /// What the connection carries.
    package let purpose: ConnectionPurpose
    /// Whether this side connected.
    package let isOutgoing: Bool
    /// The other end of the socket, `host:port`.
    package let remoteAddress: String
    /// Where everything about this connection happens.
    package let eventLoop: any EventLoop

    /// Frames received.
    package internal(set) var framesIn: UInt64 = 0
    /// Frames sent.
    package private(set) var framesOut: UInt64 = 0
    /// Bytes received, handshake aside.
    package internal(set) var bytesIn: UInt64 = 0
    /// Bytes handed to the socket, handshake aside.
    package private(set) var bytesOut: UInt64 = 0
    /// Times that reading stopped because the peer did not read its answers.
    package internal(set) var readPauses: UInt64 = 0

    private let delegate: any ConnectionDelegate
    private let chunkBytes: Int
    private let bufferBytesMax: Int
    private var encoder = FrameEncoder()
    private var handler: ConnectionHandler?

    init(
        agreement: HandshakeMachine.Agreement, isOutgoing: Bool, remoteAddress: String, eventLoop: any EventLoop,
        configuration: TransportConfiguration, delegate: any ConnectionDelegate, handler: ConnectionHandler
    ) {
        peer = agreement.peer
        peerClusterID = agreement.clusterID
        purpose = agreement.purpose
        self.isOutgoing = isOutgoing
        self.remoteAddress = remoteAddress
        self.eventLoop = eventLoop
        self.delegate = delegate
        chunkBytes = configuration.writeChunkBytes
        bufferBytesMax = configuration.writeBufferBytesMax
        self.handler = handler
    }

    /// Whether frames still go out.
    package var isOpen: Bool { handler?.isOpen ?? false }

    /// Encodes a frame into the connection's buffer; `flush` sends it. Dropped when the connection is closed.
    package func send(_ message: Message, requestID: RequestID, answer: Bool) {
        eventLoop.assertInEventLoop()
        guard isOpen else { return }
        let stamp = delegate.stamp()
        encoder.append(message, requestID: requestID, answer: answer, time: stamp.time, epoch: stamp.epoch)
        framesOut &+= 1
        if encoder.output.count >= chunkBytes { handOver() }
    }

    /// Sends what was encoded. At the end of a read in which something was sent this happens by itself.
    package func flush() {
        eventLoop.assertInEventLoop()
        handOver()
        handler?.flush()
    }

    /// Sends what was encoded, then closes. Frames that come meanwhile are dropped; the delegate hears of the end from
    /// a later turn of the event loop.
    package func close(_ reason: CloseReason) {
        eventLoop.assertInEventLoop()
        handler?.finish(reason)
    }

    /// Bytes that wait for the peer to read.
    package var bufferedBytes: Int { encoder.output.count + (handler?.socketBufferedBytes ?? 0) }

    /// Moves the encoded frames into the socket's queue, in one buffer.
    func handOver() {
        guard !encoder.isEmpty, let handler else { return }
        bytesOut &+= UInt64(encoder.output.count)
        handler.write(encoder.output.bytes)
        // Storage that one large batch needed is not kept for good.
        if encoder.output.bytes.capacity > 2 * chunkBytes { encoder = FrameEncoder() } else { encoder.clear() }
        let waiting = handler.socketBufferedBytes
        if waiting > bufferBytesMax { handler.finish(.slowPeer(waitingBytes: waiting, max: bufferBytesMax)) }
    }

    /// The socket is gone.
    func detach() { handler = nil }
}
