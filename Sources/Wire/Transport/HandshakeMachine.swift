package import Wire

/// The handshake of a connection as a value, for both sides: messages come in, actions go out.
///
///     connecting side              listening side
///     hello            ───────►    version, cluster
///                      ◄───────    challenge
///     cluster; proof   ───────►    proof, then admission
///     proof            ◄───────    welcome
///
/// Either side may answer with `error`, which ends the connection. Both prove the cluster secret over both nonces, so
/// neither an eavesdropper nor a replay gets in, and a node does not talk to an impostor.
package struct HandshakeMachine: Sendable {
    /// What this side says of itself.
    package struct Terms: Sendable {
        /// The cluster's name.
        package var clusterName: String
        /// The cluster's id as known here; `none` before founding.
        package var clusterID: ClusterID
        /// The cluster secret.
        package var secret: [UInt8]
        /// Who this side is.
        package var identity: PeerIdentity
        /// Thirty-two fresh random bytes.
        package var nonce: [UInt8]

        /// Puts the terms of one connection together.
        package init(clusterName: String, clusterID: ClusterID, secret: [UInt8], identity: PeerIdentity, nonce: [UInt8])
        {
            self.clusterName = clusterName
            self.clusterID = clusterID
            self.secret = secret
            self.identity = identity
            self.nonce = nonce
        }
    }

    /// What was agreed.
    package struct Agreement: Hashable, Sendable {
        /// The other side.
        package var peer: PeerIdentity
        /// The cluster's id as the other side knows it; `none` before founding.
        package var clusterID: ClusterID
        /// What the connection carries.
        package var purpose: ConnectionPurpose
    }

    /// What to do next.
    package enum Action: Hashable, Sendable {
        /// Send this and wait.
        case send(Message)
        /// The peer has proven the secret: ask whether it may come in, then call `admit` or `refuse`.
        case askAdmission(Hello)
        /// The connection is open; send this first when there is something.
        case open(Agreement, Message?)
        /// Send this as an error and close.
        case refuse(ErrorMessage)
        /// The peer refused; close.
        case refusedByPeer(ErrorMessage)
    }

    private enum State {
        case connecting(ConnectionPurpose)
        case awaitingChallenge(Hello)
        case awaitingWelcome(Agreement, expected: [UInt8])
        case awaitingHello
        case awaitingProof(Hello, Challenge)
        case awaitingAdmission(Hello, Challenge)
        case done
    }

    private let terms: Terms
    private var state: State

    private init(terms: Terms, state: State) {
        precondition(terms.nonce.count == Handshake.nonceBytes, "a nonce has \(Handshake.nonceBytes) bytes")
        self.terms = terms
        self.state = state
    }

    /// The side that connects, for a purpose; `start` gives its first message.
    package static func connecting(_ terms: Terms, purpose: ConnectionPurpose) -> HandshakeMachine {
        HandshakeMachine(terms: terms, state: .connecting(purpose))
    }

    /// The side that listens.
    package static func listening(_ terms: Terms) -> HandshakeMachine {
        HandshakeMachine(terms: terms, state: .awaitingHello)
    }

    /// The first message of the connecting side; nil for the listening side.
    package mutating func start() -> Message? {
        guard case .connecting(let purpose) = state else { return nil }
        let hello = Hello(
            versionMin: Handshake.version, versionMax: Handshake.version, features: 0, purpose: purpose,
            clusterName: terms.clusterName, clusterID: terms.clusterID, identity: terms.identity, nonce: terms.nonce)
        state = .awaitingChallenge(hello)
        return .hello(hello)
    }

    /// Takes a message of the peer.
    package mutating func receive(_ message: Message) -> Action {
        if case .error(let error) = message {
            state = .done
            return .refusedByPeer(error)
        }
        switch (state, message) {
        case (.awaitingHello, .hello(let hello)): return take(hello)
        case (.awaitingProof(let hello, let challenge), .proof(let proof)): return take(proof, hello, challenge)
        case (.awaitingChallenge(let hello), .challenge(let challenge)): return take(challenge, hello)
        case (.awaitingWelcome(let agreement, let expected), .welcome(let proof)):
            return take(proof, agreement, expected)
        default: return refuse(.protocolViolation, "'\(message.type)' came where the handshake has \(expectation)")
        }
    }

    /// Lets the peer in after `askAdmission`.
    package mutating func admit() -> Action {
        guard case .awaitingAdmission(let hello, let challenge) = state else {
            preconditionFailure("admission without a proven peer would let anybody in")
        }
        state = .done
        let mac = SecretMAC.code(
            secret: terms.secret, label: Handshake.listenerLabel, hello: hello, challenge: challenge)
        let agreement = Agreement(peer: hello.identity, clusterID: hello.clusterID, purpose: hello.purpose)
        return .open(agreement, .welcome(SecretProof(mac: mac)))
    }

    /// Keeps the peer out.
    package mutating func refuse(_ error: ErrorMessage) -> Action {
        state = .done
        return .refuse(error)
    }

    // MARK: The listening side

    private mutating func take(_ hello: Hello) -> Action {
        guard hello.versionMin <= Handshake.version, Handshake.version <= hello.versionMax else {
            return refuse(
                .wrongVersion,
                "\(me) speaks protocol version \(Handshake.version), you speak \(hello.versionMin) to \(hello.versionMax): "
                    + "run the same release on both sides, or one that lies between them")
        }
        guard hello.clusterName == terms.clusterName else {
            return refuse(
                .wrongCluster,
                "\(me) belongs to cluster '\(terms.clusterName)', you were started for '\(hello.clusterName)': "
                    + "correct the cluster name or the seed addresses")
        }
        if let error = mismatch(hello.clusterID) { return refuse(error) }
        let challenge = Challenge(
            version: Handshake.version, features: 0, clusterID: terms.clusterID, identity: terms.identity,
            nonce: terms.nonce)
        state = .awaitingProof(hello, challenge)
        return .send(.challenge(challenge))
    }

    private mutating func take(_ proof: SecretProof, _ hello: Hello, _ challenge: Challenge) -> Action {
        let expected = SecretMAC.code(
            secret: terms.secret, label: Handshake.connectorLabel, hello: hello, challenge: challenge)
        guard SecretMAC.equal(expected, proof.mac) else { return refuseSecret() }
        state = .awaitingAdmission(hello, challenge)
        return .askAdmission(hello)
    }

    // MARK: The connecting side

    private mutating func take(_ challenge: Challenge, _ hello: Hello) -> Action {
        guard challenge.version == Handshake.version, challenge.features == 0 else {
            return refuse(
                .wrongVersion,
                "\(me) offered protocol version \(Handshake.version) without features, you chose version \(challenge.version) "
                    + "with features \(challenge.features): run the same release on both sides")
        }
        if let error = mismatch(challenge.clusterID) { return refuse(error) }
        let mac = SecretMAC.code(
            secret: terms.secret, label: Handshake.connectorLabel, hello: hello, challenge: challenge)
        let expected = SecretMAC.code(
            secret: terms.secret, label: Handshake.listenerLabel, hello: hello, challenge: challenge)
        let agreement = Agreement(peer: challenge.identity, clusterID: challenge.clusterID, purpose: hello.purpose)
        state = .awaitingWelcome(agreement, expected: expected)
        return .send(.proof(SecretProof(mac: mac)))
    }

    private mutating func take(_ proof: SecretProof, _ agreement: Agreement, _ expected: [UInt8]) -> Action {
        guard SecretMAC.equal(expected, proof.mac) else { return refuseSecret() }
        state = .done
        return .open(agreement, nil)
    }

    // MARK: Both

    private var me: String { "'\(terms.identity.name)'" }

    private var expectation: String {
        switch state {
        case .connecting: "nothing yet, since this side speaks first"
        case .awaitingHello: "'hello'"
        case .awaitingChallenge: "'challenge'"
        case .awaitingProof: "'proof'"
        case .awaitingWelcome: "'welcome'"
        case .awaitingAdmission, .done: "nothing more"
        }
    }

    /// Two ids that were both given at a founding must be the same; a side without one learns it from the other.
    private func mismatch(_ other: ClusterID) -> ErrorMessage? {
        guard other != .none, terms.clusterID != .none, other != terms.clusterID else { return nil }
        return ErrorMessage(
            code: .wrongCluster,
            detail:
                "\(me) belongs to cluster '\(terms.clusterName)' of id \(terms.clusterID), you to one of id \(other): "
                + "two clusters were founded under one name; a node moves to the other only with an empty data directory"
        )
    }

    private mutating func refuseSecret() -> Action {
        refuse(
            .wrongSecret,
            "your proof does not fit the cluster secret that \(me) was given: configure the same secret for every process "
                + "of cluster '\(terms.clusterName)'")
    }

    private mutating func refuse(_ code: ErrorCode, _ detail: String) -> Action {
        refuse(ErrorMessage(code: code, detail: detail))
    }
}
