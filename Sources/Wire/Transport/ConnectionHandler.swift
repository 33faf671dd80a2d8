import NIOCore
import Wire

/// Drives one socket: the handshake first, then frames. All frames of a read are decoded in one pass over its bytes and
/// delivered, and what they caused to be sent leaves in one write.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case handshake(HandshakeMachine)
        case open(Connection)
        /// Ended by this side; what was written last is leaving.
        case closing(Connection?)
        case closed
    }

    private let configuration: TransportConfiguration
    private let delegate: any ConnectionDelegate
    private let owner: any ConnectionOwner
    private let purpose: ConnectionPurpose?
    private var state: State = .closed
    private var context: ChannelHandlerContext?
    private var remoteAddress = "unknown"
    private var handshakeTimer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?
    private var closeReason: CloseReason?
    private var socketError: (any Error)?
    /// Received bytes that are no whole frame yet, and how many make one.
    private var pending = ByteBuffer()
    private var pendingNeeds = FrameHeader.size
    private var handshakeBytes = 0

    /// Drives a socket of the connecting side when `purpose` is given, of the listening side otherwise.
    init(
        configuration: TransportConfiguration, delegate: any ConnectionDelegate, owner: any ConnectionOwner,
        purpose: ConnectionPurpose?
    ) {
        self.configuration = configuration
        self.delegate = delegate
        self.owner = owner
        self.purpose = purpose
    }

    var isOpen: Bool {
        if case .open = state { return true }
        return false
    }

    /// Whether the other side has sent a whole message of the handshake.
    var hasSpoken: Bool { handshakeBytes > 0 }

    // MARK: For the connection

    var socketBufferedBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    func write(_ bytes: [UInt8]) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: bytes.count)
        buffer.writeBytes(bytes)
        context.write(wrapOutboundOut(buffer), promise: nil)
    }

    func flush() { context?.flush() }

    /// Sends what waits and `lastWords`, then closes; cuts the connection when that takes too long. After last words the
    /// other side is left to close first: closing on bytes of its that are still on their way would reset the connection,
    /// and with it what it has not read yet.
    func finish(_ reason: CloseReason, lastWords: ErrorMessage? = nil) {
        guard let context else { return }
        var connection: Connection?
        switch state {
        case .closing, .closed: return
        case .handshake: break
        case .open(let open): connection = open
        }
        connection?.handOver()
        // Handing over may itself have found that too much waits, and have ended the connection.
        guard closeReason == nil else { return }
        closeReason = reason
        state = .closing(connection)
        handshakeTimer?.cancel()
        pending = ByteBuffer()
        if case .slowPeer = reason { return context.close(promise: nil) }
        let written = context.eventLoop.makePromise(of: Void.self)
        let mode: CloseMode = lastWords == nil ? .all : .output
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.context?.close(mode: mode, promise: nil)
        }
        closeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(configuration.closeTimeoutMs)) {
            [weak self] in self?.context?.close(promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(encoded(lastWords.map { .error($0) })), promise: written)
    }

    /// Closes at once, whatever waits to be sent, and gives the descriptor back before it returns.
    func cut(_ reason: CloseReason) {
        guard let context else { return }
        closeReason = closeReason ?? reason
        context.close(promise: nil)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var incoming = unwrapInboundIn(data)
        switch state {
        case .closing, .closed: return
        case .handshake: break
        case .open(let connection): connection.bytesIn &+= UInt64(incoming.readableBytes)
        }
        guard pending.readableBytes > 0 else {
            decode(&incoming)
            if incoming.readableBytes > 0 { keep(incoming) }
            return
        }
        pending.writeBuffer(&incoming)
        guard pending.readableBytes >= pendingNeeds else { return }
        // Taken out while the delegate runs, which may end the connection and with it what is pending.
        var bytes = pending
        pending = ByteBuffer()
        decode(&bytes)
        if bytes.readableBytes > 0 { keep(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard case .open(let connection) = state else { return }
        delegate.connectionReadCompleted(connection)
        connection.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let writable = context.channel.isWritable
        if !writable, case .open(let connection) = state { connection.readPauses += 1 }
        try? context.channel.syncOptions?.setOption(.autoRead, value: writable)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        socketError = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { ended() }

    func handlerRemoved(context: ChannelHandlerContext) { ended() }

    // MARK: Life

    private func begin(_ context: ChannelHandlerContext) {
        guard case .closed = state, closeReason == nil else { return }
        if let address = context.remoteAddress { remoteAddress = Self.text(of: address) }
        var random = SystemRandomNumberGenerator()
        let terms = HandshakeMachine.Terms(
            clusterName: configuration.clusterName, clusterID: delegate.clusterID, secret: configuration.secret,
            identity: configuration.identity,
            nonce: (0..<Handshake.nonceBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        var machine = purpose.map { HandshakeMachine.connecting(terms, purpose: $0) } ?? .listening(terms)
        let first = machine.start()
        state = .handshake(machine)
        let timeoutMs = configuration.handshakeTimeoutMs
        handshakeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(timeoutMs)) { [weak self] in
            let error = ErrorMessage(
                code: .protocolViolation, detail: "the handshake was not finished within \(timeoutMs) ms")
            self?.finish(.handshakeTimeout(milliseconds: timeoutMs), lastWords: error)
        }
        if let first { context.writeAndFlush(wrapOutboundOut(encoded(first)), promise: nil) }
    }

    private func ended() {
        guard context != nil else { return }
        handshakeTimer?.cancel()
        closeTimer?.cancel()
        context = nil
        let reason = closeReason ?? socketError.map { .failed("\($0)") } ?? .remote
        closeReason = reason
        let last = state
        state = .closed
        switch last {
        case .open(let connection), .closing(let connection?):
            connection.detach()
            owner.closed(connection, reason: reason)
            delegate.connectionClosed(connection, reason: reason)
        case .handshake, .closing(nil), .closed:
            owner.failed(reason)
            delegate.handshakeFailed(with: remoteAddress, isOutgoing: purpose != nil, reason: reason)
        }
    }

    // MARK: Frames

    /// Keeps what is no whole frame yet.
    private func keep(_ bytes: ByteBuffer) {
        switch state {
        case .closing, .closed: return
        case .handshake:
            let received = handshakeBytes + bytes.readableBytes
            guard received <= WireLimits.handshakeBytesMax else {
                return violate(
                    .overLimit(
                        field: "bytes before the end of the handshake", found: received,
                        max: WireLimits.handshakeBytesMax))
            }
        case .open: break
        }
        pending.clear(minimumCapacity: min(pendingNeeds, configuration.readBytesMax))
        pending.writeImmutableBuffer(bytes)
    }

    /// Delivers every whole frame at the front of `bytes` and takes it away.
    private func decode(_ bytes: inout ByteBuffer) {
        let consumed = bytes.withUnsafeReadableBytes { whole -> Int in
            var offset = 0
            while true {
                let rest = UnsafeRawBufferPointer(rebasing: whole[offset...])
                do throws(WireError) {
                    switch state {
                    case .closing, .closed:
                        return whole.count
                    case .handshake(let machine):
                        guard case .frame(let frame, let taken) = try next(rest, WireLimits.handshakeBytesMax) else {
                            return offset
                        }
                        offset += taken
                        handshakeBytes += taken
                        advance(machine, frame.message)
                    case .open(let connection):
                        guard case .frame(let frame, let taken) = try next(rest, WireLimits.frameBytesMax) else {
                            return offset
                        }
                        offset += taken
                        connection.framesIn &+= 1
                        delegate.connection(connection, received: frame)
                    }
                } catch {
                    violate(error)
                    return whole.count
                }
            }
        }
        bytes.moveReaderIndex(forwardBy: consumed)
    }

    private func next(_ bytes: UnsafeRawBufferPointer, _ max: Int) throws(WireError) -> FrameDecoder.Step {
        let step = try FrameDecoder.next(bytes, bodyBytesMax: max)
        if case .needsBytes(let count) = step { pendingNeeds = count }
        return step
    }

    private func advance(_ machine: HandshakeMachine, _ message: Message) {
        var machine = machine
        var action = machine.receive(message)
        if case .askAdmission(let hello) = action {
            let error = owner.admit(hello) ?? delegate.admit(hello)
            action = error.map { machine.refuse($0) } ?? machine.admit()
        }
        state = .handshake(machine)
        switch action {
        case .send(let message): context?.writeAndFlush(wrapOutboundOut(encoded(message)), promise: nil)
        case .open(let agreement, let message): open(agreement, message)
        case .refuse(let error): finish(.refused(error), lastWords: error)
        case .refusedByPeer(let error): finish(.refusedByPeer(error))
        case .askAdmission: preconditionFailure("admission is decided above")
        }
    }

    private func open(_ agreement: HandshakeMachine.Agreement, _ message: Message?) {
        guard let context else { return }
        handshakeTimer?.cancel()
        handshakeTimer = nil
        if let message { context.writeAndFlush(wrapOutboundOut(encoded(message)), promise: nil) }
        let connection = Connection(
            agreement: agreement, isOutgoing: purpose != nil, remoteAddress: remoteAddress,
            eventLoop: context.eventLoop,
            configuration: configuration, delegate: delegate, handler: self)
        state = .open(connection)
        owner.opened(connection)
        delegate.connectionOpened(connection)
    }

    private func violate(_ error: WireError) {
        finish(.malformed(error), lastWords: ErrorMessage(code: .protocolViolation, detail: "\(error)"))
    }

    /// A frame of the handshake, or nothing.
    private func encoded(_ message: Message?) -> ByteBuffer {
        guard let message else { return ByteBuffer() }
        var encoder = FrameEncoder(capacity: 512)
        let stamp = delegate.stamp()
        encoder.append(message, requestID: .oneWay, time: stamp.time, epoch: stamp.epoch)
        return ByteBuffer(bytes: encoder.output.bytes)
    }

    private static func text(of address: SocketAddress) -> String {
        guard let ip = address.ipAddress, let port = address.port else { return "\(address)" }
        return HostPort(host: ip, port: port).description
    }
}
