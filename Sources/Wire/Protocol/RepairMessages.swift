/// Asks a replica for its registers of a stretch of the ring, in the order of their tokens.
public struct RangeRequest: Hashable, Sendable {
    /// Which tokens.
    public var range: TokenRange
    /// The last key of the page before; nil for the first page.
    public var after: Key?
    /// At most this many registers, 1 to 1,000.
    public var limit: UInt32

    /// Puts a request together.
    public init(range: TokenRange, after: Key?, limit: UInt32) {
        self.range = range
        self.after = after
        self.limit = limit
    }

    func encode(into writer: inout ByteWriter) {
        range.encode(into: &writer)
        writer.optional(after) { $0.key($1) }
        writer.integer(limit)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        range = try TokenRange(from: &reader)
        after = try reader.optional("after") { reader throws(WireError) in try reader.key("after") }
        limit = try reader.integer("limit")
        guard (1...UInt32(WireLimits.scanItemsMax)).contains(limit) else {
            throw .invalid(field: "limit", found: "\(limit)", expected: "1 to \(WireLimits.scanItemsMax)")
        }
    }
}

/// A page of a replica's registers with their promises.
public struct RangePage: Hashable, Sendable {
    /// A register as the replica has it.
    public struct Item: Hashable, Sendable {
        /// Its name.
        public var key: Key
        /// The acceptor's state.
        public var state: RegisterState

        /// Pairs the two.
        public init(key: Key, state: RegisterState) {
            self.key = key
            self.state = state
        }
    }

    /// In the order of their tokens from the beginning of the range on, then of their keys.
    public var items: [Item]
    /// Whether there are more behind the last one.
    public var hasMore: Bool

    /// Puts a page together.
    public init(items: [Item], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }

    func encode(into writer: inout ByteWriter) {
        writer.list(items) { writer, item in
            writer.key(item.key)
            writer.ballot(item.state.promised)
            writer.optional(item.state.accepted) { $0.accepted($1) }
        }
        writer.bool(hasMore)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        items = try reader.list("items", max: WireLimits.scanItemsMax, minBytes: 20) { reader throws(WireError) in
            let key = try reader.key()
            let promised = try reader.ballot("promised")
            let accepted = try reader.optional("accepted") { reader throws(WireError) in try reader.accepted() }
            return Item(key: key, state: RegisterState(promised: promised, accepted: accepted))
        }
        hasMore = try reader.bool("has more")
    }
}

/// Asks a replica for the Merkle tree (Merkle 1987) of a stretch of the ring: the stretch is cut into as many leaves of
/// the same length, in order.
public struct TreeRequest: Hashable, Sendable {
    /// Which tokens.
    public var range: TokenRange
    /// How many leaves, 1 to 1,024.
    public var leaves: UInt16

    /// Puts a request together.
    public init(range: TokenRange, leaves: UInt16) {
        self.range = range
        self.leaves = leaves
    }

    func encode(into writer: inout ByteWriter) {
        range.encode(into: &writer)
        writer.integer(leaves)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        range = try TokenRange(from: &reader)
        leaves = try reader.integer("leaves")
        guard (1...WireLimits.treeLeavesMax).contains(Int(leaves)) else {
            throw .invalid(field: "leaves", found: "\(leaves)", expected: "1 to \(WireLimits.treeLeavesMax)")
        }
    }
}

/// The leaves of a tree. A leaf is the exclusive or of the hashes of its registers, each XXH64 of the key, the accepted
/// ballot's time and its node; registers without an accepted cell do not count.
public struct Tree: Hashable, Sendable {
    /// In order; 0 for a leaf without registers.
    public var leaves: [UInt64]

    /// Wraps the leaves.
    public init(leaves: [UInt64]) { self.leaves = leaves }

    /// What a register with an accepted cell adds to its leaf, by exclusive or.
    public static func hash(of key: Key, accepted ballot: Ballot) -> UInt64 {
        var writer = ByteWriter(capacity: key.bytes.count + 16)
        writer.raw(key.bytes)
        writer.ballot(ballot)
        return XXH64.hash(writer.bytes)
    }

    func encode(into writer: inout ByteWriter) { writer.list(leaves) { $0.integer($1) } }

    init(from reader: inout ByteReader) throws(WireError) {
        leaves = try reader.list("leaves", max: WireLimits.treeLeavesMax, minBytes: 8) { reader throws(WireError) in
            try reader.integer("leaf")
        }
    }
}

/// Tombstones and expired cells that may be dropped for good. Asks a replica whether it agrees; sent once all have, it
/// is the word to do so.
public struct Collect: Hashable, Sendable {
    /// A cell to drop.
    public struct Item: Hashable, Sendable {
        /// Its register.
        public var key: Key
        /// The ballot under which every replica must have accepted it.
        public var ballot: Ballot

        /// Pairs the two.
        public init(key: Key, ballot: Ballot) {
            self.key = key
            self.ballot = ballot
        }
    }

    /// At most 1,000.
    public var items: [Item]
    /// Whether every replica has agreed.
    public var isAgreed: Bool

    /// Puts a request together.
    public init(items: [Item], isAgreed: Bool) {
        self.items = items
        self.isAgreed = isAgreed
    }

    func encode(into writer: inout ByteWriter) {
        writer.list(items) {
            $0.key($1.key)
            $0.ballot($1.ballot)
        }
        writer.bool(isAgreed)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        items = try reader.list("items", max: WireLimits.scanItemsMax, minBytes: 19) { reader throws(WireError) in
            let key = try reader.key()
            return Item(key: key, ballot: try reader.ballot())
        }
        isAgreed = try reader.bool("agreed")
    }
}

/// A replica's word on each item of a `Collect`.
public struct Collected: Hashable, Sendable {
    /// In the order of the request: it holds just this cell, and the cell and its promise are past the grace period.
    public var confirmed: [Bool]

    /// Wraps the words.
    public init(confirmed: [Bool]) { self.confirmed = confirmed }

    func encode(into writer: inout ByteWriter) { writer.list(confirmed) { $0.bool($1) } }

    init(from reader: inout ByteReader) throws(WireError) {
        confirmed = try reader.list("confirmed", max: WireLimits.scanItemsMax, minBytes: 1) {
            reader throws(WireError) in try reader.bool("confirmed")
        }
    }
}

/// Asks a node to compare all its ranges with the other replicas', or how far it is.
public struct RepairRequest: Hashable, Sendable {
    /// Whether to begin; a repair that is under way goes on.
    public var begin: Bool

    /// Wraps the flag.
    public init(begin: Bool) { self.begin = begin }

    func encode(into writer: inout ByteWriter) { writer.bool(begin) }

    init(from reader: inout ByteReader) throws(WireError) { begin = try reader.bool("begin") }
}

/// How far a node's comparison with the other replicas is.
public struct RepairStatus: Hashable, Sendable {
    /// Whether one is under way.
    public var isRunning: Bool
    /// Comparisons of a range with a replica that are done, and all of them.
    public var rangesDone: UInt32
    /// All of them.
    public var rangesTotal: UInt32
    /// Comparisons that failed since a replica was away or refused; the next repair does them.
    public var rangesFailed: UInt32
    /// Registers looked at.
    public var keysCompared: UInt64
    /// Registers that differed and were made equal.
    public var keysRepaired: UInt64
    /// Bytes of registers moved for it.
    public var bytes: UInt64
    /// How long it has run, or the last one took, in milliseconds.
    public var elapsedMs: UInt64

    /// A repair that has not begun.
    public init() {
        isRunning = false
        rangesDone = 0
        rangesTotal = 0
        rangesFailed = 0
        keysCompared = 0
        keysRepaired = 0
        bytes = 0
        elapsedMs = 0
    }

    func encode(into writer: inout ByteWriter) {
        writer.bool(isRunning)
        writer.integer(rangesDone)
        writer.integer(rangesTotal)
        writer.integer(rangesFailed)
        writer.integer(keysCompared)
        writer.integer(keysRepaired)
        writer.integer(bytes)
        writer.integer(elapsedMs)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        isRunning = try reader.bool("running")
        rangesDone = try reader.integer("ranges done")
        rangesTotal = try reader.integer("ranges")
        rangesFailed = try reader.integer("ranges failed")
        keysCompared = try reader.integer("keys compared")
        keysRepaired = try reader.integer("keys repaired")
        bytes = try reader.integer("bytes")
        elapsedMs = try reader.integer("elapsed")
    }
}
