import Glibc
package import NIOCore
import NIOPosix
import Wire

/// Accepts connections on one address. Confined to its event loop, except where a method is `async`.
package final class Listener: @unchecked Sendable {
    /// Where it and all its connections run.
    package let eventLoop: any EventLoop
    /// The port it listens on.
    package private(set) var port = 0
    /// Connections accepted so far.
    package private(set) var accepted: UInt64 = 0
    /// Of these, refused after their handshake since there was no place for them.
    package private(set) var turnedAway: UInt64 = 0
    /// Of these, ended in their handshake since a newer one needed the place.
    package private(set) var displaced: UInt64 = 0
    /// Of these, ended before their handshake was finished.
    package private(set) var handshakesFailed: UInt64 = 0

    private let configuration: TransportConfiguration
    private let delegate: any ConnectionDelegate
    private var socket: (any Channel)?
    // By the order of their arrival.
    private var handshaking: [UInt64: ConnectionHandler] = [:]
    private var open: [UInt64: ConnectionHandler] = [:]
    private var isClosed = false

    private init(configuration: TransportConfiguration, delegate: any ConnectionDelegate, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.delegate = delegate
        self.eventLoop = eventLoop
    }

    /// Listens on an address; port 0 takes any free one. Throws `addressInUse` or `cannotListen`.
    package static func bind(
        host: String, port: Int, configuration: TransportConfiguration, delegate: any ConnectionDelegate,
        eventLoop: any EventLoop
    ) async throws(TransportError) -> Listener {
        let listener = Listener(configuration: configuration, delegate: delegate, eventLoop: eventLoop)
        var bootstrap = ServerBootstrap(group: eventLoop, childGroup: eventLoop)
            .serverChannelOption(.backlog, value: SocketOptions.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: SocketOptions.waterMark(configuration))
            .childChannelOption(.recvAllocator, value: SocketOptions.allocator(configuration))
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try listener.accept(channel) }
            }
        for (option, value) in SocketOptions.tcp { bootstrap = bootstrap.childChannelOption(option, value: value) }
        do {
            let socket = try await bootstrap.bind(host: host, port: port).get()
            try await eventLoop.submit {
                listener.socket = socket
                listener.port = socket.localAddress?.port ?? port
            }.get()
            return listener
        } catch {
            let address = HostPort(host: host, port: port).description
            if let error = error as? IOError, error.errnoCode == EADDRINUSE { throw .addressInUse(address) }
            throw .cannotListen(address, reason: "\(error)")
        }
    }

    /// Connections that are open or in their handshake.
    package var connections: Int { handshaking.count + open.count }

    /// Connections that may be past their handshake at a time.
    package var connectionsMax: Int { configuration.connectionsMax }

    /// Stops accepting, closes all connections that it accepted and returns when they are gone.
    package func close() async {
        let gone = eventLoop.flatSubmit { () -> EventLoopFuture<Void> in
            self.isClosed = true
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.whenEmpty = promise
            for handlers in [self.handshaking, self.open] {
                for handler in handlers.values { handler.finish(.local("this node stops")) }
            }
            self.socket?.close(promise: nil)
            self.settle()
            return promise.futureResult
        }
        try? await gone.get()
    }

    private var whenEmpty: EventLoopPromise<Void>?

    private func settle() {
        guard connections == 0, let promise = whenEmpty else { return }
        whenEmpty = nil
        if let socket { socket.closeFuture.cascade(to: promise) } else { promise.succeed() }
    }

    private func accept(_ channel: any Channel) throws {
        accepted += 1
        if handshaking.count >= configuration.handshakesMax, let oldest = leastLikely {
            displaced += 1
            handshaking[oldest.key] = nil
            oldest.value.cut(.displaced(handshakesMax: configuration.handshakesMax))
        }
        let owner = Accepted(listener: self, number: accepted)
        let handler = ConnectionHandler(
            configuration: configuration, delegate: delegate, owner: owner, purpose: nil)
        try channel.pipeline.syncOperations.addHandler(handler)
        handshaking[accepted] = handler
        if isClosed { channel.close(promise: nil) }
    }

    /// The oldest handshake of those who have not said a word, and of all when everybody has.
    private var leastLikely: (key: UInt64, value: ConnectionHandler)? {
        handshaking.filter { !$0.value.hasSpoken }.min { $0.key < $1.key } ?? handshaking.min { $0.key < $1.key }
    }

    fileprivate func admit(_ hello: Hello) -> ErrorMessage? {
        let kept = hello.identity.role == .node ? 0 : configuration.connectionsKeptForNodes
        guard open.count >= configuration.connectionsMax - kept else { return nil }
        turnedAway += 1
        return ErrorMessage(
            code: .tooManyConnections,
            detail: "'\(configuration.identity.name)' has \(open.count) connections, the most it takes of a "
                + "\(hello.identity.role): use another node, or raise its bound")
    }

    fileprivate func opened(_ number: UInt64) { open[number] = handshaking.removeValue(forKey: number) }

    fileprivate func ended(_ number: UInt64, inHandshake: Bool) {
        handshaking[number] = nil
        open[number] = nil
        if inHandshake { handshakesFailed += 1 }
        settle()
    }
}

/// One accepted connection, counted by its listener.
private final class Accepted: ConnectionOwner {
    private let listener: Listener
    private let number: UInt64

    init(listener: Listener, number: UInt64) {
        self.listener = listener
        self.number = number
    }

    func admit(_ hello: Hello) -> ErrorMessage? { listener.admit(hello) }
    func opened(_ connection: Connection) { listener.opened(number) }
    func closed(_ connection: Connection, reason: CloseReason) { listener.ended(number, inHandshake: false) }
    func failed(_ reason: CloseReason) { listener.ended(number, inHandshake: true) }
}
