import Wire

/// The nodes that decide about a key, with what makes a majority of them. While the ring changes, a key that moves has two
/// sets, and needs a majority of each.
struct ReplicaSet {
    /// All of them, each once; an operation's bits number them by their place here.
    let nodes: [NodeID]
    /// The bits of the set in force.
    let old: UInt64
    /// How many of those are a majority.
    let oldQuorum: Int
    /// The bits of the set that the key moves to; 0 when it stays.
    let new: UInt64
    /// How many of those are a majority.
    let newQuorum: Int

    /// One set, of which `quorum` nodes are enough.
    init(_ nodes: [NodeID], quorum: Int) {
        self.nodes = nodes
        old = Self.bits(nodes.count)
        oldQuorum = quorum
        new = 0
        newQuorum = 0
    }

    /// Two sets, of which both must agree.
    init(_ nodes: [NodeID], quorum: Int, moving next: [NodeID], quorum nextQuorum: Int) {
        let union = nodes + next.filter { !nodes.contains($0) }
        self.nodes = union
        old = Self.bits(nodes.count)
        oldQuorum = quorum
        new = union.indices.reduce(0) { next.contains(union[$1]) ? $0 | 1 << UInt64($1) : $0 }
        newQuorum = nextQuorum
    }

    /// The others of a node, of whom as many are enough as of all. They need not be that many.
    func without(_ node: NodeID) -> ReplicaSet {
        func others(_ bits: UInt64) -> [NodeID] {
            nodes.indices.filter { bits & 1 << UInt64($0) != 0 }.map { nodes[$0] }.filter { $0 != node }
        }
        guard new != 0 else { return ReplicaSet(others(old), quorum: oldQuorum) }
        return ReplicaSet(others(old), quorum: oldQuorum, moving: others(new), quorum: newQuorum)
    }

    /// No nodes.
    static let empty = ReplicaSet([], quorum: 1)

    /// The bits of all nodes; there may be as many as the word has.
    var all: UInt64 { Self.bits(nodes.count) }

    /// Whether these are enough.
    func isQuorum(_ bits: UInt64) -> Bool {
        if !Mutation.noOldQuorumWhileJoint.isOn || new == 0 {
            guard (bits & old).nonzeroBitCount >= oldQuorum else { return false }
        }
        return new == 0 || (bits & new).nonzeroBitCount >= newQuorum
    }

    /// Whether one more node is needed by a set that it is in.
    func gains(by index: Int, over bits: UInt64) -> Bool {
        let bit: UInt64 = 1 << UInt64(index)
        guard bits & bit == 0 else { return false }
        return old & bit != 0 && (bits & old).nonzeroBitCount < oldQuorum
            || new & bit != 0 && (bits & new).nonzeroBitCount < newQuorum
    }

    private static func bits(_ count: Int) -> UInt64 {
        count < UInt64.bitWidth ? 1 << UInt64(count) - 1 : .max
    }
}

extension ReplicaSet {
    /// The replicas of a token as a ring has them.
    init(_ ring: Ring, token: UInt64) {
        if let next = ring.next, let moved = ring.nextReplicas(of: token) {
            self.init(ring.replicas(of: token), quorum: ring.quorum, moving: moved, quorum: next.quorum)
        } else {
            self.init(ring.replicas(of: token), quorum: ring.quorum)
        }
    }
}

extension Node {
    /// Who decides about a key under the ring in force. The ring's own registers have the acceptors that it names.
    func replicaSet(of key: Key) -> ReplicaSet {
        guard let ring else { return .empty }
        if RingRegister.isOne(key) { return ReplicaSet(ring.acceptors, quorum: ring.acceptors.count / 2 + 1) }
        return ReplicaSet(ring, token: key.token)
    }
}
