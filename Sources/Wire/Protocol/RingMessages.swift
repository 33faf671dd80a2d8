/// A change of the ring that an operator asks for. Nodes are named by their name, id or address.
public enum RingChange: Hashable, Sendable {
    /// A member of the cluster that holds no data yet takes its share.
    case add(String)
    /// A node hands its share over and leaves the ring; it may be dead.
    case remove(String)
    /// A node of the ring, which may be dead, hands its share to one that holds no data yet.
    case replace(String, with: String)
    /// Copies of every key, at least 1. More than there are nodes are kept in mind until there are as many.
    case replicationFactor(Int)
    /// The change under way goes back to the layout in force.
    case abort

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .add(let node):
            writer.integer(UInt8(1))
            writer.text(node)
        case .remove(let node):
            writer.integer(UInt8(2))
            writer.text(node)
        case .replace(let node, let with):
            writer.integer(UInt8(3))
            writer.text(node)
            writer.text(with)
        case .replicationFactor(let factor):
            writer.integer(UInt8(4))
            writer.integer(UInt16(clamping: factor))
        case .abort: writer.integer(UInt8(5))
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        let kind: UInt8 = try reader.integer("ring change")
        switch kind {
        case 1: self = .add(try reader.text("node"))
        case 2: self = .remove(try reader.text("node"))
        case 3:
            let node = try reader.text("node")
            self = .replace(node, with: try reader.text("replacement"))
        case 4: self = .replicationFactor(Int(try reader.integer("replication factor", as: UInt16.self)))
        case 5: self = .abort
        default: throw .invalid(field: "ring change", found: "\(kind)", expected: "1 to 5")
        }
    }
}

/// Asks any node for a change of the ring.
public struct ChangeRing: Hashable, Sendable {
    /// What to change.
    public var change: RingChange
    /// Only tell what it would do.
    public var dryRun: Bool

    /// Puts a request together.
    public init(change: RingChange, dryRun: Bool) {
        self.change = change
        self.dryRun = dryRun
    }

    func encode(into writer: inout ByteWriter) {
        change.encode(into: &writer)
        writer.bool(dryRun)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        change = try RingChange(from: &reader)
        dryRun = try reader.bool("dry run")
    }
}

/// What a change of the ring does. The answer to `ChangeRing`: when it was no dry run, the change has begun.
public struct RingPlan: Hashable, Sendable {
    /// What a node gains and loses.
    public struct Share: Hashable, Sendable {
        /// The node.
        public var node: NodeID
        /// Its name.
        public var name: String
        /// The part of all keys that it holds a copy of, before and after, in millionths.
        public var before: UInt32
        /// After.
        public var after: UInt32
        /// The part of all keys that it has to copy, in millionths.
        public var copies: UInt32

        /// Puts a share together.
        public init(node: NodeID, name: String, before: UInt32, after: UInt32, copies: UInt32) {
            self.node = node
            self.name = name
            self.before = before
            self.after = after
            self.copies = copies
        }
    }

    /// A stretch of the ring that could not keep a quorum while the ring changes.
    public struct Danger: Hashable, Sendable {
        /// Its tokens.
        public var range: TokenRange
        /// Its replicas that are alive.
        public var alive: [NodeID]
        /// How many are needed.
        public var needed: UInt16

        /// Puts one together.
        public init(range: TokenRange, alive: [NodeID], needed: UInt16) {
            self.range = range
            self.alive = alive
            self.needed = needed
        }
    }

    /// The epoch in force; when the change has begun, the joint one.
    public var epoch: Epoch
    /// Copies in force afterwards.
    public var replicas: UInt16
    /// Every member, before or after.
    public var shares: [Share]
    /// Stretches without enough living replicas, at most `WireLimits.listItemsMax`; a change with any is refused.
    public var dangers: [Danger]

    /// Puts a plan together.
    public init(epoch: Epoch, replicas: UInt16, shares: [Share], dangers: [Danger]) {
        self.epoch = epoch
        self.replicas = replicas
        self.shares = shares
        self.dangers = dangers
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(epoch.rawValue)
        writer.integer(replicas)
        writer.list(shares) { writer, share in
            writer.integer(share.node.rawValue)
            writer.text(share.name)
            writer.integer(share.before)
            writer.integer(share.after)
            writer.integer(share.copies)
        }
        writer.list(dangers) { writer, danger in
            danger.range.encode(into: &writer)
            writer.list(danger.alive) { $0.integer($1.rawValue) }
            writer.integer(danger.needed)
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        epoch = Epoch(try reader.integer("epoch"))
        replicas = try reader.integer("replicas")
        shares = try reader.list("shares", max: 2 * WireLimits.ringMembersMax, minBytes: 22) {
            reader throws(WireError) in
            let node = NodeID(try reader.integer("node id"))
            let name = try reader.text("name")
            let before: UInt32 = try reader.integer("share before")
            let after: UInt32 = try reader.integer("share after")
            return Share(node: node, name: name, before: before, after: after, copies: try reader.integer("copies"))
        }
        dangers = try reader.list("dangers", max: WireLimits.listItemsMax, minBytes: 22) { reader throws(WireError) in
            let range = try TokenRange(from: &reader)
            let alive = try reader.list("alive", max: WireLimits.ringMembersMax, minBytes: 8) {
                reader throws(WireError) in NodeID(try reader.integer("node id"))
            }
            return Danger(range: range, alive: alive, needed: try reader.integer("needed"))
        }
    }
}

/// A ring, told to a node whose frames show that it does not know it yet. The request for it has no body.
public struct RingState: Hashable, Sendable {
    /// The ring in force; nil before the founding.
    public var ring: Ring?

    /// Wraps a ring.
    public init(ring: Ring?) { self.ring = ring }

    /// By epoch; the whole is compared by `==`.
    public func hash(into hasher: inout Hasher) { hasher.combine(ring?.epoch) }

    func encode(into writer: inout ByteWriter) { writer.optional(ring) { $1.encode(into: &$0) } }

    init(from reader: inout ByteReader) throws(WireError) {
        ring = try reader.optional("ring") { reader throws(WireError) in try Ring(from: &reader) }
    }
}

/// A new owner holds everything that a joint epoch gives it.
public struct Held: Hashable, Sendable {
    /// The joint epoch.
    public var epoch: Epoch

    /// Wraps an epoch.
    public init(epoch: Epoch) { self.epoch = epoch }

    func encode(into writer: inout ByteWriter) { writer.integer(epoch.rawValue) }

    init(from reader: inout ByteReader) throws(WireError) { epoch = Epoch(try reader.integer("epoch")) }
}
