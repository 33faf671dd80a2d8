/// What the membership says of a member.
public enum MemberState: UInt8, Sendable, Hashable, CaseIterable {
    /// It answers.
    case alive = 1
    /// It has not answered for a while; it may refute.
    case suspect = 2
    /// It did not refute.
    case dead = 3
    /// It said that it was going.
    case left = 4
}

/// A member of the cluster as a client sees it.
public struct MemberInfo: Hashable, Sendable {
    /// Who it is.
    public var identity: PeerIdentity
    /// How it is.
    public var state: MemberState

    /// Pairs the two.
    public init(identity: PeerIdentity, state: MemberState) {
        self.identity = identity
        self.state = state
    }
}

/// The cluster as the answering node sees it. The request has no body.
public struct ClusterState: Hashable, Sendable {
    /// The cluster's name.
    public var name: String
    /// The answering node.
    public var answeredBy: NodeID
    /// The ring, encoded; nil before the cluster is founded.
    public var ring: Ring?
    /// All members, in the order of their ids.
    public var members: [MemberInfo]

    /// Puts a state together.
    public init(name: String, answeredBy: NodeID, ring: Ring?, members: [MemberInfo]) {
        self.name = name
        self.answeredBy = answeredBy
        self.ring = ring
        self.members = members
    }

    /// What the membership says of a node, in a word; `unknown` of one that it does not know.
    public func stateText(of node: NodeID) -> String {
        members.first { $0.identity.id == node }.map { "\($0.state)" } ?? "unknown"
    }

    /// By name, ring epoch and members; the ring's tables follow from these.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(ring?.epoch)
        hasher.combine(members)
    }

    func encode(into writer: inout ByteWriter) {
        writer.text(name)
        writer.integer(answeredBy.rawValue)
        writer.optional(ring) { $1.encode(into: &$0) }
        writer.list(members) { writer, member in
            member.identity.encode(into: &writer)
            writer.integer(member.state.rawValue)
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        name = try reader.text("cluster name")
        answeredBy = NodeID(try reader.integer("node id"))
        ring = try reader.optional("ring") { reader throws(WireError) in try Ring(from: &reader) }
        members = try reader.list("members", max: WireLimits.listItemsMax, minBytes: 24) { reader throws(WireError) in
            let identity = try PeerIdentity(from: &reader)
            return MemberInfo(identity: identity, state: try reader.raw("member state", MemberState.self))
        }
    }
}

/// Counters and gauges of a node, by name, in a fixed order. The request has no body.
public struct NodeStatistics: Hashable, Sendable {
    /// One figure.
    public struct Item: Hashable, Sendable {
        /// Its name in the style of Prometheus, without prefix.
        public var name: String
        /// Its value.
        public var value: UInt64

        /// Pairs the two.
        public init(name: String, value: UInt64) {
            self.name = name
            self.value = value
        }
    }

    /// All figures.
    public var items: [Item]

    /// Wraps the figures.
    public init(items: [Item]) { self.items = items }

    func encode(into writer: inout ByteWriter) {
        writer.list(items) { writer, item in
            writer.text(item.name)
            writer.integer(item.value)
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        items = try reader.list("statistics", max: WireLimits.listItemsMax, minBytes: 10) { reader throws(WireError) in
            let name = try reader.text("name")
            return Item(name: name, value: try reader.integer("value"))
        }
    }
}

/// Asks a founder to vote for the first ring. The ring follows from the founders alone, so every founder proposes the
/// same one.
public struct Found: Hashable, Sendable {
    /// The ring of epoch 1.
    public var ring: Ring

    /// Wraps a ring.
    public init(ring: Ring) { self.ring = ring }

    /// By epoch; the whole is compared by `==`.
    public func hash(into hasher: inout Hasher) { hasher.combine(ring.epoch) }

    func encode(into writer: inout ByteWriter) { ring.encode(into: &writer) }

    init(from reader: inout ByteReader) throws(WireError) { ring = try Ring(from: &reader) }
}

/// A founder's durable vote.
public struct Founded: Hashable, Sendable {
    /// Whether it voted for the proposed ring; false when it has voted for another or has a ring already.
    public var agreed: Bool
    /// The ring it has in force, when there is one.
    public var ring: Ring?

    /// Puts a vote together.
    public init(agreed: Bool, ring: Ring?) {
        self.agreed = agreed
        self.ring = ring
    }

    /// By vote; the whole is compared by `==`.
    public func hash(into hasher: inout Hasher) { hasher.combine(agreed) }

    func encode(into writer: inout ByteWriter) {
        writer.bool(agreed)
        writer.optional(ring) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        agreed = try reader.bool("agreed")
        ring = try reader.optional("ring") { reader throws(WireError) in try Ring(from: &reader) }
    }
}

/// Asks a node to make the cluster forget a member that is dead or has left.
public struct ForgetMember: Hashable, Sendable {
    /// Its name, id or address.
    public var node: String

    /// Wraps a name.
    public init(node: String) { self.node = node }

    func encode(into writer: inout ByteWriter) { writer.text(node) }

    init(from reader: inout ByteReader) throws(WireError) { node = try reader.text("node") }
}
