import NIOCore
import Synchronization
import Testing
import Wire
import WireTransport

/// Connections over real sockets of the loopback address.
@Suite struct ConnectionTests {
    @Test func aThousandPipelinedFramesAreEchoedInOrder() async throws {
        let server = TestPeer { connection, frame in
            connection.send(frame.message, requestID: frame.header.requestID, answer: true)
        }
        let client = TestPeer()
        let listener = try await listen(server)
        let connection = try await connect(client, to: listener)
        let count = 1_000
        try await onLoop {
            for id in 1...UInt32(count) {
                connection.send(.gossip(Array("frame \(id)".utf8)), requestID: RequestID(id), answer: false)
            }
            connection.flush()
        }
        await eventually("all echoes") { client.received.count == count }
        let frames = client.received
        #expect(frames.map(\.header.requestID.rawValue) == Array(1...UInt32(count)))
        #expect(frames.allSatisfy { $0.header.flags.contains(.answer) && $0.header.epoch == Epoch(7) })
        #expect(frames.last?.message == .gossip(Array("frame \(count)".utf8)))
        // A thousand small frames take far fewer reads than frames.
        #expect(server.state.withLock { $0.readsCompleted } < count / 4)
        let counters = try await onLoop {
            (connection.framesOut, connection.framesIn, connection.bytesOut, connection.bytesIn)
        }
        #expect(counters.0 == UInt64(count) && counters.1 == UInt64(count) && counters.2 == counters.3)
        await listener.close()
        await eventually("the client hears of the end") { client.closed == [.remote] }
    }

    @Test func largeFramesCrossInPieces() async throws {
        let server = TestPeer { connection, frame in
            connection.send(frame.message, requestID: frame.header.requestID, answer: true)
        }
        let client = TestPeer()
        let listener = try await listen(server)
        let connection = try await connect(client, to: listener)
        let noise = noise(900_000)
        try await onLoop {
            for id in 1...8 as ClosedRange<UInt32> {
                connection.send(.gossip(noise), requestID: RequestID(id), answer: false)
            }
            connection.flush()
        }
        await eventually("all echoes") { client.received.count == 8 }
        #expect(client.received.allSatisfy { $0.message == .gossip(noise) })
        await listener.close()
    }

    @Test func bothSidesKnowEachOther() async throws {
        let server = TestPeer()
        server.state.withLock { $0.clusterID = ClusterID(high: 1, low: 2) }
        let client = TestPeer()
        let listener = try await listen(server)
        let connection = try await connect(client, to: listener)
        #expect(
            connection.peer == settings("listener", id: 2).identity
                && connection.peerClusterID == ClusterID(high: 1, low: 2))
        #expect(
            connection.isOutgoing && connection.purpose == .bulk
                && connection.remoteAddress == "127.0.0.1:\(listener.port)")
        await eventually("the server's side opens") { server.opened.count == 1 }
        let accepted = try #require(server.opened.first)
        #expect(accepted.peer == settings("connector").identity && !accepted.isOutgoing && accepted.purpose == .bulk)
        try await onLoop { connection.close(.local("done")) }
        await eventually("both ends close") { client.closed == [.local("done")] && server.closed == [.remote] }
        try await onLoop { connection.send(.statsRequest, requestID: .oneWay, answer: false) }
        await listener.close()
    }

    @Test func refusalsReachTheOperatorOfTheOtherSide() async throws {
        let server = TestPeer()
        let listener = try await listen(server)
        var wrong = settings("connector")
        wrong.secret = Array("another".utf8)
        await expectRefusal(.wrongSecret, wrong, listener)
        wrong = settings("connector")
        wrong.clusterName = "other"
        await expectRefusal(.wrongCluster, wrong, listener)
        server.state.withLock { $0.refusal = ErrorMessage(code: .duplicateNode, detail: "two of you") }
        await expectRefusal(.duplicateNode, settings("connector"), listener)
        await eventually("the server notes all three") { server.failed.count == 3 }
        #expect(server.opened.isEmpty)
        #expect(try await onLoop { listener.handshakesFailed } == 3)
        await listener.close()
    }

    @Test func connectionsAreBounded() async throws {
        let server = TestPeer()
        var configuration = settings("listener", id: 2)
        configuration.connectionsMax = 2
        configuration.connectionsKeptForNodes = 0
        let listener = try await listen(server, configuration)
        let client = TestPeer()
        let first = try await connect(client, to: listener)
        _ = try await connect(client, to: listener)
        await expectRefusal(.tooManyConnections, settings("connector"), listener)
        try await onLoop { first.close(.local("done")) }
        await eventually("room for another") { try! await onLoop { listener.connections } == 1 }
        _ = try await connect(client, to: listener)
        #expect(try await onLoop { listener.turnedAway } == 1)
        await listener.close()
    }

    @Test func clientsLeaveSomeConnectionsToNodes() async throws {
        var configuration = settings("listener", id: 2)
        configuration.connectionsMax = 3
        configuration.connectionsKeptForNodes = 2
        let listener = try await listen(TestPeer(), configuration)
        let peer = TestPeer()
        let client = settings("client", id: 3, role: .tool)
        _ = try await connect(peer, to: listener, client)
        await expectRefusal(.tooManyConnections, client, listener)
        _ = try await connect(peer, to: listener)
        _ = try await connect(peer, to: listener)
        await expectRefusal(.tooManyConnections, settings("connector"), listener)
        #expect(try await onLoop { listener.turnedAway } == 2)
        await listener.close()
    }

    @Test func aPortInUseIsSaidPlainly() async throws {
        let listener = try await listen(TestPeer())
        let address = "127.0.0.1:\(listener.port)"
        await #expect(throws: TransportError.addressInUse(address)) {
            try await listen(TestPeer(), port: listener.port)
        }
        #expect(
            "\(TransportError.addressInUse(address))"
                == "\(address) is already in use: stop the other process or choose another --listen")
        await listener.close()
        let again = try await listen(TestPeer(), port: listener.port)
        await again.close()
    }

    @Test func nobodyThereIsUnreachable() async throws {
        let listener = try await listen(TestPeer())
        let port = listener.port
        await listener.close()
        do {
            _ = try await Connector.connect(
                to: "127.0.0.1:\(port)", purpose: .client, configuration: settings("connector"), delegate: TestPeer(),
                eventLoop: testLoop
            ).get()
            Issue.record("connected to nobody")
        } catch TransportError.unreachable(let address, let reason) {
            #expect(address == "127.0.0.1:\(port)" && reason.contains("efused"))
        }
    }

    /// The node of `PeerLink` comes, goes and comes back.
    @Test func aLinkComesBack() async throws {
        let server = TestPeer()
        let client = TestPeer()
        let first = try await listen(server)
        var configuration = settings("connector")
        configuration.reconnectPauseMs = 1...20
        let link = PeerLink(
            address: "127.0.0.1:\(first.port)", purpose: .control, configuration: configuration, delegate: client,
            eventLoop: testLoop)
        try await onLoop { link.start() }
        await eventually("the link is up") { client.opened.count == 1 }
        #expect(try await onLoop { link.connection != nil && link.lastError == nil })
        await first.close()
        await eventually("the loss is noticed") { client.closed == [.remote] }
        await eventually("it tries again and says why it fails") {
            try! await onLoop {
                link.connection == nil && link.lastError?.contains("cannot connect") == true && link.attempts > 2
            }
        }
        let second = try await listen(server, port: first.port)
        await eventually("the link is up again") { client.opened.count == 2 }
        try await onLoop { link.stop() }
        await eventually("the link is down for good") { client.closed.count == 2 }
        let attempts = try await onLoop { link.attempts }
        await second.close()
        #expect(try await onLoop { link.connection == nil && link.attempts == attempts })
    }

    @Test func namesAreResolved() async throws {
        let client = TestPeer()
        let listener = try await listen(TestPeer())
        let link = PeerLink(
            address: "localhost:\(listener.port)", purpose: .client, configuration: settings("connector"),
            delegate: client, eventLoop: testLoop)
        try await onLoop { link.start() }
        await eventually("the link is up") { client.opened.count == 1 }
        try await onLoop { link.stop() }
        await listener.close()
        let nowhere = Connector.connect(
            to: "no-such-host.invalid:1", purpose: .client, configuration: settings("connector"), delegate: client,
            eventLoop: testLoop)
        do {
            _ = try await nowhere.get()
            Issue.record("connected to nowhere")
        } catch TransportError.unreachable(let address, _) {
            #expect(address == "no-such-host.invalid:1")
        }
    }

    func connect(
        _ peer: TestPeer, to listener: Listener, _ configuration: TransportConfiguration = settings("connector")
    ) async throws -> Connection {
        try await Connector.connect(
            to: "127.0.0.1:\(listener.port)", purpose: .bulk, configuration: configuration, delegate: peer,
            eventLoop: testLoop
        ).get()
    }

    func expectRefusal(_ code: ErrorCode, _ configuration: TransportConfiguration, _ listener: Listener) async {
        let peer = TestPeer()
        do {
            _ = try await connect(peer, to: listener, configuration)
            Issue.record("connected despite \(code)")
        } catch TransportError.handshakeFailed(_, .refusedByPeer(let error)) {
            #expect(error.code == code && !error.detail.isEmpty)
        } catch {
            Issue.record("\(code): \(error)")
        }
        #expect(peer.opened.isEmpty)
    }
}
