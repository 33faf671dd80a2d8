import Testing
import Wire
import WireTransport

/// The handshake as a value, against codes computed by another implementation of HMAC (Python's) from bodies written by
/// hand.
@Suite struct HandshakeMachineTests {
    typealias Terms = HandshakeMachine.Terms

    static let connectorMAC = "ce593c3c7c36fc541641a6ebe9514e42775facb4e8fd8d3a58124246b6a27b15"
    static let listenerMAC = "e2aba58b025929a12c92aa50313863cd90f9462537fcac5f89d2dc188a38307b"

    func terms(_ name: String, id: UInt64, incarnation: UInt64, nonce: UInt8) -> Terms {
        Terms(
            clusterName: "test", clusterID: .none, secret: Array("secret".utf8),
            identity: PeerIdentity(
                role: .node, id: NodeID(id), name: name, incarnation: incarnation, address: "\(name):1"),
            nonce: Array(repeating: nonce, count: 32))
    }
    var a: Terms { terms("a", id: 1, incarnation: 5, nonce: 0x11) }
    var b: Terms {
        var terms = terms("b", id: 2, incarnation: 6, nonce: 0x22)
        terms.clusterID = ClusterID(high: 3, low: 4)
        return terms
    }

    func first(_ machine: inout HandshakeMachine) throws -> Message {
        let message = machine.start()
        return try #require(message)
    }

    func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Lets two machines talk until one is open or refuses; gives the last action of each side.
    func talk(_ connector: Terms, _ listener: Terms) throws -> (
        connector: HandshakeMachine.Action?, listener: HandshakeMachine.Action?
    ) {
        var left = HandshakeMachine.connecting(connector, purpose: .bulk)
        var right = HandshakeMachine.listening(listener)
        var atLeft: HandshakeMachine.Action?
        var atRight: HandshakeMachine.Action?
        var toRight = left.start()
        var toLeft: Message?
        while toRight != nil || toLeft != nil {
            if let message = toRight {
                toRight = nil
                atRight = right.receive(message)
                if case .askAdmission = atRight { atRight = right.admit() }
                toLeft = reply(atRight)
            } else if let message = toLeft {
                toLeft = nil
                atLeft = left.receive(message)
                toRight = reply(atLeft)
            }
        }
        return (atLeft, atRight)
    }

    func reply(_ action: HandshakeMachine.Action?) -> Message? {
        switch action {
        case .send(let message): message
        case .open(_, let message): message
        case .refuse(let error): .error(error)
        default: nil
        }
    }

    @Test func bothSidesOpenWithTheExpectedProofs() throws {
        var left = HandshakeMachine.connecting(a, purpose: .bulk)
        var right = HandshakeMachine.listening(b)
        let hello = try first(&left)
        guard case .send(let challenge) = right.receive(hello) else { return #expect(Bool(false), "no challenge") }
        guard case .send(.proof(let proof)) = left.receive(challenge) else { return #expect(Bool(false), "no proof") }
        #expect(hex(proof.mac) == Self.connectorMAC)
        guard case .askAdmission(let asked) = right.receive(.proof(proof)) else {
            return #expect(Bool(false), "no admission")
        }
        #expect(asked.identity == a.identity)
        guard case .open(let agreement, .welcome(let welcome)?) = right.admit() else {
            return #expect(Bool(false), "not open")
        }
        #expect(agreement.peer == a.identity && agreement.purpose == .bulk && agreement.clusterID == .none)
        #expect(hex(welcome.mac) == Self.listenerMAC)
        guard case .open(let seen, nil) = left.receive(.welcome(welcome)) else {
            return #expect(Bool(false), "not open")
        }
        #expect(seen.peer == b.identity && seen.purpose == .bulk && seen.clusterID == b.clusterID)
    }

    @Test func aWrongSecretIsRefusedByTheListener() throws {
        var wrong = a
        wrong.secret = Array("Secret".utf8)
        let (connector, listener) = try talk(wrong, b)
        guard case .refuse(let error) = listener, case .refusedByPeer(let heard) = connector else {
            return #expect(Bool(false), "\(String(describing: listener))")
        }
        #expect(error.code == .wrongSecret && heard == error)
        #expect(error.detail.contains("'b'") && !error.detail.contains("ecret\""))
    }

    @Test func anImpostorIsRefusedByTheConnector() throws {
        var left = HandshakeMachine.connecting(a, purpose: .client)
        var right = HandshakeMachine.listening(b)
        guard case .send(let challenge) = right.receive(try first(&left)), case .send = left.receive(challenge) else {
            return #expect(Bool(false))
        }
        guard case .refuse(let error) = left.receive(.welcome(SecretProof(mac: Array(repeating: 0, count: 32)))) else {
            return #expect(Bool(false), "an impostor was taken in")
        }
        #expect(error.code == .wrongSecret)
    }

    @Test func aReflectedProofIsRefused() throws {
        var left = HandshakeMachine.connecting(a, purpose: .client)
        var right = HandshakeMachine.listening(b)
        guard case .send(let challenge) = right.receive(try first(&left)),
            case .send(.proof(let proof)) = left.receive(challenge)
        else { return #expect(Bool(false)) }
        guard case .refuse(let error) = left.receive(.welcome(proof)) else {
            return #expect(Bool(false), "its own proof fooled it")
        }
        #expect(error.code == .wrongSecret)
    }

    @Test func aReplayedProofIsRefused() throws {
        var left = HandshakeMachine.connecting(a, purpose: .client)
        var right = HandshakeMachine.listening(b)
        let hello = try first(&left)
        guard case .send(let challenge) = right.receive(hello), case .send(let proof) = left.receive(challenge) else {
            return #expect(Bool(false))
        }
        var terms = b
        terms.nonce = Array(repeating: 0x23, count: 32)
        var later = HandshakeMachine.listening(terms)
        _ = later.receive(hello)
        guard case .refuse(let error) = later.receive(proof) else {
            return #expect(Bool(false), "a replay was taken in")
        }
        #expect(error.code == .wrongSecret)
    }

    @Test func anotherClusterIsRefusedWithBothNames() throws {
        var other = a
        other.clusterName = "prod"
        let (connector, listener) = try talk(other, b)
        guard case .refuse(let error) = listener, case .refusedByPeer = connector else { return #expect(Bool(false)) }
        #expect(error.code == .wrongCluster && error.detail.contains("'test'") && error.detail.contains("'prod'"))
    }

    @Test func anotherClusterIDIsRefusedByEitherSide() throws {
        var other = a
        other.clusterID = ClusterID(high: 9, low: 9)
        let (connector, listener) = try talk(other, b)
        guard case .refuse(let error) = listener, case .refusedByPeer = connector else { return #expect(Bool(false)) }
        #expect(
            error.code == .wrongCluster && error.detail.contains("\(b.clusterID)")
                && error.detail.contains("\(other.clusterID)"))

        var left = HandshakeMachine.connecting(other, purpose: .client)
        _ = left.start()
        let challenge = Challenge(version: 1, features: 0, clusterID: b.clusterID, identity: b.identity, nonce: b.nonce)
        guard case .refuse(let own) = left.receive(.challenge(challenge)) else { return #expect(Bool(false)) }
        #expect(own.code == .wrongCluster)
    }

    @Test func aVersionOutsideTheRangeIsRefused() throws {
        var right = HandshakeMachine.listening(b)
        let hello = Hello(
            versionMin: 2, versionMax: 4, features: 0, purpose: .client, clusterName: "test", clusterID: .none,
            identity: a.identity, nonce: a.nonce)
        guard case .refuse(let error) = right.receive(.hello(hello)) else { return #expect(Bool(false)) }
        #expect(error.code == .wrongVersion && error.detail.contains("2 to 4") && error.detail.contains("version 1"))

        var left = HandshakeMachine.connecting(a, purpose: .client)
        _ = left.start()
        let challenge = Challenge(version: 2, features: 0, clusterID: .none, identity: b.identity, nonce: b.nonce)
        guard case .refuse(let own) = left.receive(.challenge(challenge)) else { return #expect(Bool(false)) }
        #expect(own.code == .wrongVersion)
    }

    @Test func messagesOutOfTurnAreRefused() throws {
        var right = HandshakeMachine.listening(b)
        guard case .refuse(let error) = right.receive(.proof(SecretProof(mac: Array(repeating: 1, count: 32)))) else {
            return #expect(Bool(false))
        }
        #expect(
            error.code == .protocolViolation && error.detail.contains("'proof'") && error.detail.contains("'hello'"))
        // Nothing is taken after a refusal.
        guard case .refuse = right.receive(.statsRequest) else { return #expect(Bool(false)) }
    }

    @Test func admissionMayBeRefused() throws {
        var left = HandshakeMachine.connecting(a, purpose: .control)
        var right = HandshakeMachine.listening(b)
        guard case .send(let challenge) = right.receive(try first(&left)),
            case .send(let proof) = left.receive(challenge),
            case .askAdmission = right.receive(proof)
        else { return #expect(Bool(false)) }
        let error = ErrorMessage(code: .duplicateNode, detail: "twice")
        #expect(right.refuse(error) == .refuse(error))
        #expect(left.receive(.error(error)) == .refusedByPeer(error))
    }
}
