public import Wire

/// What a ring is changing to, in words of operators.
public struct RingTransition: Equatable, Sendable {
    /// What is being done.
    public enum Kind: String, Hashable, Sendable {
        /// A node joins.
        case addNode = "add-node"
        /// A node leaves.
        case removeNode = "remove-node"
        /// A node takes the place of another.
        case replaceNode = "replace-node"
        /// The number of copies changes.
        case reconfigure = "reconfigure"
    }

    /// What is being done.
    public let kind: Kind
    /// The layout in force.
    public let from: RingLayout
    /// The next one.
    public let to: RingLayout

    /// The change of a joint ring; nil when the ring is at rest.
    public init?(_ ring: Ring) {
        guard let next = ring.next else { return nil }
        from = ring.layout
        to = next
        let joins = next.members.contains { ring.layout.member($0.id) == nil }
        let leaves = ring.layout.members.contains { next.member($0.id) == nil }
        kind =
            switch (joins, leaves) {
            case (true, true): .replaceNode
            case (true, false): .addNode
            case (false, true): .removeNode
            case (false, false): .reconfigure
            }
    }

    /// Members that come in.
    public var joining: [RingMember] { to.members.filter { from.member($0.id) == nil } }

    /// Members that go.
    public var leaving: [RingMember] { from.members.filter { to.member($0.id) == nil } }
}

/// How far the copying of a change of the ring is, as the nodes that copy tell it.
public struct RingProgress: Hashable, Sendable {
    /// A node that copies.
    public struct Copier: Hashable, Sendable {
        /// The node.
        public var node: NodeID
        /// Its name.
        public var name: String
        /// Stretches of the ring that it holds already.
        public var rangesDone: UInt64
        /// All that it copies.
        public var rangesTotal: UInt64
        /// Registers copied since it started.
        public var keys: UInt64
        /// Bytes of them.
        public var bytes: UInt64
        /// How long it will still take, in milliseconds; 0 when it does not know yet.
        public var leftMs: UInt64
    }

    /// The nodes that copy something, in the order of the ring.
    public private(set) var copiers: [Copier] = []
    /// Members that did not tell.
    public private(set) var silent: [String] = []

    /// Reads the figures of all members of a ring.
    public init(_ figures: [NodeFigures]) {
        for node in figures {
            guard case .success(let figures) = node.figures else {
                silent.append(node.member.name)
                continue
            }
            let copier = Copier(
                node: node.member.id, name: node.member.name, rangesDone: figures["transfer_ranges_done"] ?? 0,
                rangesTotal: figures["transfer_ranges_total"] ?? 0, keys: figures["transfer_keys_total"] ?? 0,
                bytes: figures["transfer_bytes_total"] ?? 0, leftMs: figures["transfer_left_ms"] ?? 0)
            if copier.rangesTotal > 0 { copiers.append(copier) }
        }
    }

    /// Stretches held already, of all copiers.
    public var rangesDone: UInt64 { copiers.reduce(0) { $0 + $1.rangesDone } }

    /// Stretches to copy, of all copiers.
    public var rangesTotal: UInt64 { copiers.reduce(0) { $0 + $1.rangesTotal } }

    /// Registers copied by all copiers since each started.
    public var keys: UInt64 { copiers.reduce(0) { $0 + $1.keys } }

    /// Bytes of them.
    public var bytes: UInt64 { copiers.reduce(0) { $0 + $1.bytes } }

    /// How long it will still take, in milliseconds: as long as the slowest copier; nil when that is not known yet.
    public var leftMs: UInt64? {
        let unfinished = copiers.filter { $0.rangesDone < $0.rangesTotal }
        guard silent.isEmpty, unfinished.allSatisfy({ $0.leftMs > 0 }) else { return nil }
        return unfinished.map(\.leftMs).max() ?? 0
    }
}

/// A member of the ring and its figures, or why it did not tell them.
public struct NodeFigures: Sendable {
    /// The member.
    public let member: RingMember
    /// Its figures.
    public let figures: Result<NodeStatistics, ClientError>

    /// Pairs the two.
    public init(member: RingMember, figures: Result<NodeStatistics, ClientError>) {
        self.member = member
        self.figures = figures
    }
}

extension NodeStatistics {
    /// The figure of a name; nil when there is none.
    public subscript(name: String) -> UInt64? { items.first { $0.name == name }?.value }
}

extension StormoClient {
    /// The figures of all members of the ring, those that join among them, asked at the same time; a member that is dead is
    /// not asked.
    public func statisticsOfNodes() async -> [NodeFigures] {
        guard let cluster, let ring = cluster.ring else { return [] }
        return await withTaskGroup(of: (Int, NodeFigures).self) { group in
            for (index, member) in ring.allMembers.enumerated() {
                let state = cluster.members.first { $0.identity.id == member.id }?.state
                group.addTask {
                    guard state != .dead, state != .left else {
                        let error = ClientError.unreachable("'\(member.name)' is \(state == .dead ? "dead" : "gone")")
                        return (index, NodeFigures(member: member, figures: .failure(error)))
                    }
                    do throws(ClientError) {
                        let figures = try await self.statistics(of: member.id)
                        return (index, NodeFigures(member: member, figures: .success(figures)))
                    } catch { return (index, NodeFigures(member: member, figures: .failure(error))) }
                }
            }
            var found: [(Int, NodeFigures)] = []
            for await figures in group { found.append(figures) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
