import NIOCore
import NIOPosix
import Synchronization
import Testing
import Wire
import WireTransport

/// Waits until `condition` holds; records an issue when it does not within ten seconds.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async rethrows {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try? await Task.sleep(for: .milliseconds(2))
    }
    Issue.record("waited in vain: \(what)", sourceLocation: sourceLocation)
}

/// An owner of connections that notes what happens and answers by a script. Its state is guarded, so tests read it from
/// anywhere; connections themselves are touched on their loop only.
final class TestPeer: ConnectionDelegate {
    struct State {
        var opened: [Connection] = []
        var closed: [CloseReason] = []
        var failed: [CloseReason] = []
        var received: [Frame] = []
        var readsCompleted = 0
        var refusal: ErrorMessage?
        var clusterID = ClusterID.none
        var onFrame: (@Sendable (Connection, Frame) -> Void)?
    }

    let state = Mutex(State())

    init(onFrame: (@Sendable (Connection, Frame) -> Void)? = nil) { state.withLock { $0.onFrame = onFrame } }

    var opened: [Connection] { state.withLock { $0.opened } }
    var closed: [CloseReason] { state.withLock { $0.closed } }
    var failed: [CloseReason] { state.withLock { $0.failed } }
    var received: [Frame] { state.withLock { $0.received } }

    func stamp() -> (time: HybridTime, epoch: Epoch) { (HybridTime(milliseconds: 1), Epoch(7)) }
    var clusterID: ClusterID { state.withLock { $0.clusterID } }
    func admit(_ hello: Hello) -> ErrorMessage? { state.withLock { $0.refusal } }
    func connectionOpened(_ connection: Connection) { state.withLock { $0.opened.append(connection) } }
    func connection(_ connection: Connection, received frame: Frame) {
        let answer = state.withLock { state in
            state.received.append(frame)
            return state.onFrame
        }
        answer?(connection, frame)
    }
    func connectionReadCompleted(_ connection: Connection) { state.withLock { $0.readsCompleted += 1 } }
    func connectionClosed(_ connection: Connection, reason: CloseReason) { state.withLock { $0.closed.append(reason) } }
    func handshakeFailed(with remoteAddress: String, isOutgoing: Bool, reason: CloseReason) {
        state.withLock { $0.failed.append(reason) }
    }
}

/// The loop that the tests of this target share.
let testLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

/// Settings of a peer in the cluster `test`.
func settings(_ name: String, id: UInt64 = 1, role: Role = .node) -> TransportConfiguration {
    TransportConfiguration(
        clusterName: "test", secret: Array("secret".utf8),
        identity: PeerIdentity(role: role, id: NodeID(id), name: name, incarnation: 1, address: "\(name):1"))
}

/// A listener on a free port of the loopback address.
func listen(_ peer: TestPeer, _ configuration: TransportConfiguration = settings("listener", id: 2), port: Int = 0)
    async throws -> Listener
{
    try await Listener.bind(
        host: "127.0.0.1", port: port, configuration: configuration, delegate: peer, eventLoop: testLoop)
}

/// Runs on the loop of the tests.
func onLoop<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await testLoop.submit(body).get()
}

/// A bare TCP connection that writes what it is told and keeps what comes back.
final class RawSocket: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let state = Mutex((bytes: [UInt8](), closed: false))
    private let channel = Mutex<(any Channel)?>(nil)

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var isClosed: Bool { state.withLock { $0.closed } }

    static func connect(port: Int) async throws -> RawSocket {
        let socket = RawSocket()
        let channel = try await ClientBootstrap(group: testLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(socket) }
            }
            .connect(host: "127.0.0.1", port: port).get()
        socket.channel.withLock { $0 = channel }
        return socket
    }

    func write(_ bytes: [UInt8]) async throws {
        guard let channel = channel.withLock({ $0 }) else { return }
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Stops or goes on reading.
    func setReading(_ reading: Bool) async throws {
        try await channel.withLock({ $0 })?.setOption(.autoRead, value: reading).get()
    }

    func close() async throws { try await channel.withLock({ $0 })?.close().get() }

    /// The frames among the bytes received.
    func frames() throws -> [Frame] {
        var frames: [Frame] = []
        var bytes = bytes
        while case .frame(let frame, let consumed) = try bytes.withUnsafeBytes({ try FrameDecoder.next($0) }) {
            frames.append(frame)
            bytes.removeFirst(consumed)
        }
        return frames
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        state.withLock { $0.bytes += bytes }
    }
    func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.closed = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// One frame on the wire.
func encoded(_ message: Message, id: UInt32 = 0) -> [UInt8] {
    var encoder = FrameEncoder()
    encoder.append(message, requestID: RequestID(id), time: HybridTime(milliseconds: 1), epoch: .none)
    return encoder.output.bytes
}

/// Bytes that do not compress.
func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 1
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}
