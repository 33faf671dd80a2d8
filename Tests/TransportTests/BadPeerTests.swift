import NIOCore
import Testing
import Wire
import WireTransport

/// Strangers and broken peers: each costs its own connection and nothing else.
@Suite struct BadPeerTests {
    func quick() -> TransportConfiguration {
        var configuration = settings("listener", id: 2)
        configuration.handshakeTimeoutMs = 150
        return configuration
    }

    /// What a listener makes of bytes: the reason it noted and the error that it sent.
    func reaction(to bytes: [UInt8], _ configuration: TransportConfiguration? = nil) async throws -> (
        CloseReason?, ErrorMessage?
    ) {
        let server = TestPeer()
        let listener = try await listen(server, configuration ?? settings("listener", id: 2))
        let socket = try await RawSocket.connect(port: listener.port)
        try? await socket.write(bytes)
        await eventually("the stranger is cut off") { server.failed.count == 1 && socket.isClosed }
        #expect(server.opened.isEmpty && server.received.isEmpty)
        let last = try socket.frames().last
        await listener.close()
        guard case .error(let error)? = last?.message else { return (server.failed.first, nil) }
        return (server.failed.first, error)
    }

    @Test func garbageIsRefused() async throws {
        let (reason, error) = try await reaction(to: Array("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".utf8))
        guard case .malformed? = reason else { return #expect(Bool(false), "\(String(describing: reason))") }
        #expect(error?.code == .protocolViolation)
    }

    @Test func aLyingLengthIsRefusedBeforeItsBody() async throws {
        var bytes = encoded(.statsRequest)
        bytes.replaceSubrange(0..<4, with: [0, 0, 0, 0x7f])
        let (reason, _) = try await reaction(to: bytes)
        guard case .malformed(.overLimit)? = reason else {
            return #expect(Bool(false), "\(String(describing: reason))")
        }
    }

    @Test func strangersMaySendLittle() async throws {
        // A well-formed hello that announces a body of 5,000 bytes: more than a stranger may send.
        var bytes = encoded(.gossip(Array(repeating: 1, count: 5_000)))
        let rawType = MessageType.error.rawValue
        bytes[8] = UInt8(rawType)
        let (reason, _) = try await reaction(to: Array(bytes.prefix(32)))
        guard case .malformed(.overLimit(_, _, let max))? = reason else {
            return #expect(Bool(false), "\(String(describing: reason))")
        }
        #expect(max == 4_096)
    }

    @Test func halfAHandshakeAndSilenceEnds() async throws {
        let hello = Hello(
            versionMin: 1, versionMax: 1, features: 0, purpose: .client, clusterName: "test", clusterID: .none,
            identity: settings("x").identity, nonce: Array(repeating: 1, count: 32))
        #expect(
            try await reaction(to: Array(encoded(.hello(hello)).prefix(50)), quick()).0
                == .handshakeTimeout(milliseconds: 150))
        // Silence after a whole hello, and from the start.
        #expect(try await reaction(to: encoded(.hello(hello)), quick()).0 == .handshakeTimeout(milliseconds: 150))
        #expect(try await reaction(to: [], quick()).0 == .handshakeTimeout(milliseconds: 150))
    }

    /// Strangers who say nothing hold some places at most, and make room for whoever comes.
    @Test func strangersMakeRoom() async throws {
        let server = TestPeer()
        var configuration = settings("listener", id: 2)
        configuration.handshakesMax = 3
        let listener = try await listen(server, configuration)
        let good = TestPeer()
        var strangers: [RawSocket] = []
        for count in 1...8 {
            strangers.append(try await RawSocket.connect(port: listener.port))
            await eventually("it is accepted") { try! await onLoop { listener.accepted } == count }
            #expect(try await onLoop { listener.connections } <= 3)
        }
        await eventually("the oldest are cut off") { strangers.prefix(5).allSatisfy(\.isClosed) }
        #expect(!strangers.suffix(3).contains { $0.isClosed })
        _ = try await Connector.connect(
            to: "127.0.0.1:\(listener.port)", purpose: .bulk, configuration: settings("good"), delegate: good,
            eventLoop: testLoop
        ).get()
        await eventually("one more is cut off") { strangers[5].isClosed && server.failed.count == 6 }
        #expect(Set(server.failed) == [.displaced(handshakesMax: 3)])
        #expect(try await onLoop { listener.displaced } == 6)
        #expect(try await onLoop { listener.connections } == 3)
        await listener.close()
    }

    @Test func aRequestBeforeTheHandshakeIsRefused() async throws {
        let (reason, error) = try await reaction(to: encoded(.statsRequest))
        #expect(reason == error.map { .refused($0) } && error?.code == .protocolViolation)
    }

    /// After the handshake: a damaged frame ends that connection, with a reason, and no other.
    @Test func aDamagedFrameEndsItsConnectionOnly() async throws {
        let server = TestPeer { connection, frame in
            connection.send(frame.message, requestID: frame.header.requestID, answer: true)
        }
        let listener = try await listen(server)
        let good = TestPeer()
        let kept = try await Connector.connect(
            to: "127.0.0.1:\(listener.port)", purpose: .bulk, configuration: settings("good"), delegate: good,
            eventLoop: testLoop
        ).get()
        let bad = try await RawSocket.connect(port: listener.port)
        try await shakeHands(bad)
        await eventually("the second connection opens") { server.opened.count == 2 }
        var damaged = encoded(.gossip(Array("damaged".utf8)), id: 1)
        damaged[34] ^= 1
        try await bad.write(damaged)
        await eventually("it is closed") { bad.isClosed && server.closed.count == 1 }
        guard case .malformed(.checksum)? = server.closed.first else { return #expect(Bool(false), "\(server.closed)") }
        guard case .error(let error)? = try bad.frames().last?.message else {
            return #expect(Bool(false), "no word of why")
        }
        #expect(error.code == .protocolViolation && error.detail.contains("checksum"))
        try await onLoop {
            kept.send(.gossip([1]), requestID: RequestID(5), answer: false)
            kept.flush()
        }
        await eventually("the other connection still works") { good.received.count == 1 }
        await listener.close()
    }

    /// A peer that asks and does not read its answers is no longer read from, and one that is pushed too much is closed.
    @Test func aPeerThatDoesNotReadIsBounded() async throws {
        let blob = noise(200_000)
        let server = TestPeer { connection, frame in
            connection.send(.gossip(blob), requestID: frame.header.requestID, answer: true)
        }
        var configuration = settings("listener", id: 2)
        configuration.writeHighMarkBytes = 256 << 10
        configuration.writeLowMarkBytes = 64 << 10
        configuration.writeBufferBytesMax = 8 << 20
        let listener = try await listen(server, configuration)
        let socket = try await RawSocket.connect(port: listener.port)
        try await shakeHands(socket)
        await eventually("it opens") { server.opened.count == 1 }
        let connection = try #require(server.opened.first)
        try await socket.setReading(false)
        let request = encoded(.statsRequest, id: 1)
        // More requests than fit into one read, so that there is something left that is not read.
        Task { for _ in 0..<500 { try? await socket.write(Array(repeating: request, count: 100).flatMap { $0 }) } }
        await eventually("reading stops") { try! await onLoop { connection.readPauses > 0 || !connection.isOpen } }
        try await onLoop {
            for id in 0..<200 as Range<UInt32> {
                connection.send(.gossip(blob), requestID: RequestID(id), answer: false)
            }
            connection.flush()
        }
        await eventually("pushing on ends it") { server.closed.count == 1 }
        guard case .slowPeer(_, let max)? = server.closed.first else { return #expect(Bool(false), "\(server.closed)") }
        #expect(max == 8 << 20)
        try? await socket.close()
        await listener.close()
    }

    /// Plays the connecting side by hand.
    func shakeHands(_ socket: RawSocket) async throws {
        let terms = HandshakeMachine.Terms(
            clusterName: "test", clusterID: .none, secret: Array("secret".utf8),
            identity: settings("raw", id: 3).identity,
            nonce: Array(repeating: 5, count: 32))
        var machine = HandshakeMachine.connecting(terms, purpose: .client)
        let first = machine.start()
        let hello = try #require(first)
        try await socket.write(encoded(hello))
        await eventually("a challenge") { (try? socket.frames().count) == 1 }
        let challenge = try #require(try socket.frames().first)
        guard case .send(let proof) = machine.receive(challenge.message) else {
            Issue.record("no proof")
            return
        }
        try await socket.write(encoded(proof))
        await eventually("a welcome") { (try? socket.frames().count) == 2 }
    }
}
