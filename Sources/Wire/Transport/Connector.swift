package import NIOCore
import NIOPosix
package import Wire

/// Makes outgoing connections.
package enum Connector {
    /// Connects to `host:port` and shakes hands. The future fails with a `TransportError`.
    package static func connect(
        to address: String, purpose: ConnectionPurpose, configuration: TransportConfiguration,
        delegate: any ConnectionDelegate, eventLoop: any EventLoop
    ) -> EventLoopFuture<Connection> {
        let attempt = Attempt(address: address, promise: eventLoop.makePromise())
        connect(
            to: address, purpose: purpose, configuration: configuration, delegate: delegate, owner: attempt,
            eventLoop: eventLoop)
        return attempt.promise.futureResult
    }

    /// Connects on behalf of `owner`, which hears of the outcome exactly once at first: `opened` or `failed`.
    static func connect(
        to address: String, purpose: ConnectionPurpose, configuration: TransportConfiguration,
        delegate: any ConnectionDelegate, owner: any ConnectionOwner, eventLoop: any EventLoop
    ) {
        let target: HostPort
        do throws(TransportError) { target = try HostPort(address) } catch {
            let reason = CloseReason.failed("\(error)")
            return eventLoop.execute { owner.failed(reason) }
        }
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(configuration.connectTimeoutMs))
            .channelOption(.autoRead, value: false)
            .channelOption(.writeBufferWaterMark, value: SocketOptions.waterMark(configuration))
            .channelOption(.recvAllocator, value: SocketOptions.allocator(configuration))
        for (option, value) in SocketOptions.tcp { bootstrap = bootstrap.channelOption(option, value: value) }
        let connected: EventLoopFuture<any Channel>
        // An IP address needs no resolver, which would cost a thread switch.
        if let ip = try? SocketAddress(ipAddress: target.host, port: target.port) {
            connected = bootstrap.connect(to: ip)
        } else {
            connected = bootstrap.connect(host: target.host, port: target.port)
        }
        // The handler is put in once the socket is connected, since of the addresses of a name several are tried and one
        // is used. Until then nothing is read.
        connected.flatMapThrowing { channel in
            let handler = ConnectionHandler(
                configuration: configuration, delegate: delegate, owner: owner, purpose: purpose)
            try channel.pipeline.syncOperations.addHandler(handler)
            try channel.syncOptions?.setOption(.autoRead, value: true)
        }.whenFailure { error in owner.failed(.failed(reason(of: error))) }
    }

    private static func reason(of error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let dns = error.dnsAError ?? error.dnsAAAAError, error.connectionErrors.isEmpty {
                return "the name is unknown: \(dns)"
            }
            return error.connectionErrors.first.map { reason(of: $0.error) } ?? "no address answered"
        case ChannelError.connectTimeout(let time): return "no answer within \(time.nanoseconds / 1_000_000) ms"
        case ChannelError.ioOnClosedChannel: return "the other side closed the connection at once"
        default: return "\(error)"
        }
    }
}

/// One attempt whose outcome a future waits for.
private final class Attempt: ConnectionOwner {
    let address: String
    let promise: EventLoopPromise<Connection>

    init(address: String, promise: EventLoopPromise<Connection>) {
        self.address = address
        self.promise = promise
    }

    func opened(_ connection: Connection) { promise.succeed(connection) }
    func closed(_ connection: Connection, reason: CloseReason) {}
    func failed(_ reason: CloseReason) { promise.fail(TransportError.connecting(address, reason)) }
}

extension TransportError {
    /// The error of an outgoing connection that ended before it was open.
    static func connecting(_ address: String, _ reason: CloseReason) -> TransportError {
        if case .failed(let why) = reason { return .unreachable(address, reason: why) }
        return .handshakeFailed(address, reason)
    }
}
