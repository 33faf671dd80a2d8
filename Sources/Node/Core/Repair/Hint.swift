import Wire

/// An accept that a replica has missed, kept by its coordinator until the replica has it (hinted handoff, as in Dynamo:
/// DeCandia et al. 2007, section 4.6).
///
/// It is kept as a register of the node's own, whose key begins with the target and the ballot, so that a listing has the
/// hints of a target in the order of their ballots.
struct Hint {
    /// Who has missed it.
    let target: NodeID
    /// The register.
    let key: Key
    /// What was to be accepted.
    let accepted: AcceptedCell
    /// The node's own key that it is kept under.
    let place: Key

    /// The ballot under which it was sent last: a later one than its own once the register has been read for it.
    var sent = Ballot.zero
    /// How often the target has refused it for a promise alone.
    var refusals = 0

    init(target: NodeID, key: Key, accepted: AcceptedCell) {
        self.target = target
        self.key = key
        self.accepted = accepted
        var writer = ByteWriter(capacity: Self.prefixBytes + 16 + key.bytes.count)
        writer.raw(Self.prefix(of: target))
        writer.integer(accepted.ballot.time.rawValue.bigEndian)
        writer.integer(accepted.ballot.node.rawValue.bigEndian)
        writer.raw(key.bytes)
        place = Key(writer.bytes)
    }

    /// A hint as it was kept; nil for a register that is none.
    init?(_ item: ReplicaPage.Item) {
        let bytes = item.key.bytes
        guard bytes.count > Self.prefixBytes + 16, bytes.starts(with: Self.prefix) else { return nil }
        let target = bytes[Self.prefix.count..<Self.prefixBytes].reduce(0) { $0 << 8 | UInt64($1) }
        self.target = NodeID(target)
        key = Key(Array(bytes[(Self.prefixBytes + 16)...]))
        accepted = item.accepted
        place = item.key
    }

    /// About what it takes on disk, in bytes.
    var bytes: Int { 64 + place.bytes.count + accepted.cell.contentBytes }

    /// What the places of all hints begin with.
    static let prefix: [UInt8] = [0, 0] + Array("h".utf8)

    /// What the places of a target's hints begin with.
    static func prefix(of target: NodeID) -> [UInt8] {
        var writer = ByteWriter(capacity: prefixBytes)
        writer.raw(prefix)
        writer.integer(target.rawValue.bigEndian)
        return writer.bytes
    }

    private static let prefixBytes = prefix.count + 8
}

/// The hints of one target: how many there are, and those that are being delivered. They themselves are on disk.
struct HintTarget {
    /// Who has missed them.
    let node: NodeID
    /// How many are kept, and their bytes.
    private(set) var pending = 0
    private(set) var bytes = 0
    /// The time of the oldest one's ballot, in milliseconds, as of the last look.
    var oldestMs: UInt64?
    /// When to look for old ones again.
    var nextLookMs: UInt64 = 0

    /// Hints read ahead, in order, and the place of the last one read.
    var ahead: ArraySlice<Hint> = []
    var after: [UInt8] = []
    /// Those being delivered, by their places.
    var inFlight: [Key: Hint] = [:]
    /// Whether one of them has failed, so that delivery begins anew with the oldest one once they are all back.
    var hasFailed = false
    /// When delivery goes on after a failure.
    var resumeMs: UInt64 = 0

    init(node: NodeID) { self.node = node }

    mutating func add(_ hint: Hint) {
        pending += 1
        bytes += hint.bytes
    }

    mutating func remove(_ hint: Hint) {
        pending = max(0, pending - 1)
        bytes = max(0, bytes - hint.bytes)
    }

    /// Begins anew with the oldest one.
    mutating func rewind() {
        ahead = []
        after = []
        hasFailed = false
    }
}

/// All hints of this node, by target.
struct HintTable {
    /// In the order of their ids.
    var targets: [HintTarget] = []
    /// How far the hints found at start have been counted; nil once all are.
    var countedTo: [UInt8]? = []
    /// The epoch that the node was in at its last tick.
    var epoch = Epoch.none
    /// Ballots up to this one are of former epochs, or may be.
    var formerEpochs = HybridTime.zero
    /// How many more may be sent now, in thousandths.
    var credit: UInt64 = 0
    /// When the credit was counted last.
    var creditMs: UInt64 = 0
    /// When they may be read again after they could not.
    var readableMs: UInt64 = 0
    /// The target that comes first at the next tick.
    var turn = 0

    /// How many are being delivered.
    var inFlight: Int { targets.reduce(0) { $0 + $1.inFlight.count } }

    /// Where a target stands in the table, if it does.
    func index(of node: NodeID) -> Int? { targets.firstIndex { $0.node == node } }

    /// Where a target stands in the table, in which it is entered if need be.
    mutating func enter(_ node: NodeID) -> Int {
        let index = targets.firstIndex { $0.node >= node } ?? targets.count
        if index == targets.count || targets[index].node != node { targets.insert(HintTarget(node: node), at: index) }
        return index
    }
}
