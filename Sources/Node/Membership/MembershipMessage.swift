package import Wire

/// What one member says of another (or of itself).
package struct MembershipUpdate: Hashable, Sendable {
    /// How it is said to be.
    package var state: MemberState
    /// Who it is; the incarnation tells which of its claims this is about.
    package var identity: PeerIdentity
    /// Who found out: independent accusers of a suspect are told apart by it.
    package var source: NodeID

    /// Puts an update together.
    package init(state: MemberState, identity: PeerIdentity, source: NodeID) {
        self.state = state
        self.identity = identity
        self.source = source
    }

    /// Bytes that it takes in a message.
    var encodedCount: Int {
        Self.encodedCountMin + identity.name.utf8.count + identity.address.utf8.count + identity.zone.utf8.count
    }

    /// Bytes of an update whose texts are empty.
    static let encodedCountMin = 32

    /// Incarnations above this are refused, so that raising one never overflows. They begin as a count of starts with
    /// 20 bits of room below it, which stays far below.
    package static let incarnationMax: UInt64 = 1 << 62
}

/// A message of the membership: the content of `Message.gossip`. `proto-spec/membership.md` is the specification.
package struct MembershipMessage: Hashable, Sendable {
    /// What it is for.
    package enum Content: Hashable, Sendable {
        /// Asks `target`, who should be the receiver, for an ack.
        case ping(sequence: UInt32, target: NodeID)
        /// `subject` has answered: the sender itself, or the one that it was asked to ping.
        case ack(sequence: UInt32, subject: NodeID)
        /// Asks the receiver to ping `target` and to pass on the ack.
        case pingRequest(sequence: UInt32, target: NodeID, address: String)
        /// The receiver's ping request is being worked on, and its target has not answered in time.
        case nack(sequence: UInt32)
        /// Nothing but news.
        case gossip
        /// Asks for the receiver's full state.
        case pull(sequence: UInt32)
        /// The updates are the sender's full state. `sequence` is that of the pull, 0 for none.
        case state(sequence: UInt32, wantsAnswer: Bool)
        /// Operators want these forgotten.
        case forget([ForgottenMember])
    }

    /// The format's version.
    package static let version: UInt8 = 1

    /// Who sends it, with its present incarnation: hearing it is hearing that it lives.
    package var sender: PeerIdentity
    /// What it is for.
    package var content: Content
    /// News, or the full state.
    package var updates: [MembershipUpdate]

    /// Puts a message together.
    package init(sender: PeerIdentity, content: Content, updates: [MembershipUpdate]) {
        self.sender = sender
        self.content = content
        self.updates = updates
    }

    /// The bytes that travel.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64 + updates.reduce(32) { $0 + $1.encodedCount })
        writer.integer(Self.version)
        writer.integer(content.kind)
        sender.encode(into: &writer)
        switch content {
        case .ping(let sequence, let target), .ack(let sequence, let target):
            writer.integer(sequence)
            writer.integer(target.rawValue)
        case .pingRequest(let sequence, let target, let address):
            writer.integer(sequence)
            writer.integer(target.rawValue)
            writer.text(address)
        case .nack(let sequence), .pull(let sequence):
            writer.integer(sequence)
        case .gossip: break
        case .state(let sequence, let wantsAnswer):
            writer.integer(sequence)
            writer.bool(wantsAnswer)
        case .forget(let words):
            writer.list(words) { writer, word in
                writer.integer(word.id.rawValue)
                writer.integer(word.incarnation)
                writer.integer(word.ageMs)
            }
        }
        writer.list(updates) { writer, update in
            writer.integer(update.state.rawValue)
            update.identity.encode(into: &writer)
            writer.integer(update.source.rawValue)
        }
        return writer.bytes
    }

    /// Reads a message. Throws for another version, an unknown kind, text or counts over their limits, and bytes
    /// missing or left over.
    package init(_ bytes: [UInt8]) throws(WireError) {
        let result: Result<MembershipMessage, WireError> = bytes.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                let message = try MembershipMessage(from: &reader)
                try reader.end(of: "membership message")
                return .success(message)
            } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private init(from reader: inout ByteReader) throws(WireError) {
        let version: UInt8 = try reader.integer("membership version")
        guard version == Self.version else {
            throw .invalid(field: "membership version", found: "\(version)", expected: "\(Self.version)")
        }
        let kind: UInt8 = try reader.integer("membership kind")
        sender = try reader.memberIdentity()
        content = try Content(kind, from: &reader)
        updates = try reader.list("updates", max: WireLimits.listItemsMax, minBytes: MembershipUpdate.encodedCountMin) {
            reader throws(WireError) in
            let state = try reader.raw("member state", MemberState.self)
            let identity = try reader.memberIdentity()
            return MembershipUpdate(state: state, identity: identity, source: NodeID(try reader.integer("source")))
        }
    }
}

extension MembershipMessage.Content {
    fileprivate var kind: UInt8 {
        switch self {
        case .ping: 1
        case .ack: 2
        case .pingRequest: 3
        case .nack: 4
        case .gossip: 5
        case .pull: 6
        case .state: 7
        case .forget: 8
        }
    }

    fileprivate init(_ kind: UInt8, from reader: inout ByteReader) throws(WireError) {
        switch kind {
        case 1:
            let sequence: UInt32 = try reader.integer("sequence")
            self = .ping(sequence: sequence, target: NodeID(try reader.integer("target")))
        case 2:
            let sequence: UInt32 = try reader.integer("sequence")
            self = .ack(sequence: sequence, subject: NodeID(try reader.integer("subject")))
        case 3:
            let sequence: UInt32 = try reader.integer("sequence")
            let target = NodeID(try reader.integer("target"))
            self = .pingRequest(sequence: sequence, target: target, address: try reader.text("target address"))
        case 4: self = .nack(sequence: try reader.integer("sequence"))
        case 5: self = .gossip
        case 6: self = .pull(sequence: try reader.integer("sequence"))
        case 7:
            let sequence: UInt32 = try reader.integer("sequence")
            self = .state(sequence: sequence, wantsAnswer: try reader.bool("wants answer"))
        case 8:
            self = .forget(
                try reader.list("forgotten", max: WireLimits.listItemsMax, minBytes: ForgottenMember.encodedCount) {
                    reader throws(WireError) in
                    let id = NodeID(try reader.integer("forgotten id"))
                    let incarnation = try reader.incarnation()
                    return ForgottenMember(id: id, incarnation: incarnation, ageMs: try reader.integer("age"))
                })
        default: throw .invalid(field: "membership kind", found: "\(kind)", expected: "1 to 8")
        }
    }
}

extension ByteReader {
    fileprivate mutating func memberIdentity() throws(WireError) -> PeerIdentity {
        let identity = try PeerIdentity(from: &self)
        try Self.check(incarnation: identity.incarnation)
        return identity
    }

    fileprivate mutating func incarnation() throws(WireError) -> UInt64 {
        let incarnation: UInt64 = try integer("incarnation")
        try Self.check(incarnation: incarnation)
        return incarnation
    }

    private static func check(incarnation: UInt64) throws(WireError) {
        guard incarnation <= MembershipUpdate.incarnationMax else {
            throw .invalid(
                field: "incarnation", found: "\(incarnation)", expected: "at most \(MembershipUpdate.incarnationMax)")
        }
    }
}
