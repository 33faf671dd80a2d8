import NIOCore
import NIOPosix
import Synchronization

/// Nobody took the connection: nothing was sent.
struct NotConnected: Error, CustomStringConvertible {
    let description: String
}

/// A bare TCP connection: it writes what it is told and keeps what comes back.
final class RawSocket: Sendable {
    private let received = Mutex((bytes: [UInt8](), closed: false))
    private let channel = Mutex<(any Channel)?>(nil)
    private let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    private init() {}

    deinit { channel.withLock { $0 }?.close(promise: nil) }

    /// Connects; throws `NotConnected` when nobody listens.
    static func connect(host: String = "127.0.0.1", port: Int) async throws -> RawSocket {
        let socket = RawSocket()
        let received = Receiver(socket)
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(received) }
                }
                .connect(host: host, port: port).get()
            socket.channel.withLock { $0 = channel }
            return socket
        } catch { throw NotConnected(description: "\(host):\(port): \(error)") }
    }

    /// What came so far.
    var bytes: [UInt8] { received.withLock { $0.bytes } }
    /// Whether the other side has closed.
    var isClosed: Bool { received.withLock { $0.closed } }

    /// Writes bytes; a connection that the other side has closed meanwhile is no error.
    func write(_ bytes: [UInt8]) async {
        guard let channel = channel.withLock({ $0 }) else { return }
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Takes nothing more from the other side: what it sends fills its buffers and this machine's.
    func stopReading() async throws {
        try await channel.withLock { $0 }?.setOption(.autoRead, value: false).get()
    }

    /// Goes on where `stopReading` stopped; a connection that the other side has closed meanwhile is no error.
    func goOnReading() async { try? await channel.withLock { $0 }?.setOption(.autoRead, value: true).get() }

    /// Says that nothing more will be written; reading goes on.
    func finish() { channel.withLock { $0 }?.close(mode: .output, promise: nil) }

    /// Closes both sides.
    func close() { channel.withLock { $0 }?.close(promise: nil) }

    /// Returns when `condition` holds, looked at whenever something has come, or when the other side has closed; throws
    /// after `seconds`. One waits at a time.
    func wait(for what: String, within seconds: Double, _ condition: @escaping @Sendable () -> Bool) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                if condition() { return }
                for await _ in changes where condition() || isClosed { return }
            }
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                throw WaitedInVain(description: "waited \(seconds) s in vain: \(what)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    fileprivate func take(_ bytes: ByteBuffer) {
        received.withLock { $0.bytes += Array(bytes.readableBytesView) }
        change.yield()
    }

    fileprivate func end() {
        received.withLock { $0.closed = true }
        change.yield()
    }
}

/// Hands what arrives to the socket, without keeping the socket alive.
private final class Receiver: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct Weak: Sendable { weak let socket: RawSocket? }
    private let owner: Weak

    init(_ socket: RawSocket) { owner = Weak(socket: socket) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { owner.socket?.take(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { owner.socket?.end() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
