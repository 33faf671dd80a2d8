/// How many replicas an operation waits for.
public enum Consistency: UInt8, Sendable, Hashable, CaseIterable {
    /// A majority: linearizable. The default.
    case quorum = 1
    /// One replica. Reads may be stale; writes are last-ballot-wins.
    case one = 2
    /// All replicas.
    case all = 3
    /// A durable hint counts as a copy.
    case any = 4
    /// A majority, by way of a prepare: linearizable with compare-and-set and free of unknown results by collision.
    case serial = 5
    /// The asked node's own copy, whatever it is; reads only, for tests and debugging.
    case local = 6
}

/// What must hold of a register before it is changed.
public enum Condition: Hashable, Sendable {
    /// Nothing: an overwrite.
    case none
    /// There is no value.
    case absent
    /// The value has this version.
    case version(Ballot)
}

/// A change of one register.
public enum RegisterChange: Hashable, Sendable {
    /// Sets the value. `ttlMs` is its time to live, counted by the coordinator's clock.
    case put(value: [UInt8], ttlMs: UInt64?, condition: Condition)
    /// Removes the value.
    case delete(condition: Condition)
    /// Takes the lease of this key for `owner` when nobody holds it.
    case acquire(owner: String, ttlMs: UInt64)
    /// Extends the lease that `token` was given for.
    case renew(token: Ballot, ttlMs: UInt64)
    /// Gives the lease back.
    case release(token: Ballot)

    /// Whether the change depends on what is there, so that it needs a prepare.
    public var isConditional: Bool {
        switch self {
        case .put(_, _, .none), .delete(.none): false
        default: true
        }
    }
}

/// What the value of a lease register is.
public struct Lease: Hashable, Sendable {
    /// Who holds it, in its own words.
    public var owner: String
    /// The ballot of the acquisition: the fencing token, kept through renewals.
    public var token: Ballot

    /// Puts a lease together.
    public init(owner: String, token: Ballot) {
        self.owner = owner
        self.token = token
    }

    /// The bytes kept in the register.
    public var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 32 + owner.utf8.count)
        writer.ballot(token)
        writer.text(owner)
        return writer.bytes
    }

    /// Reads the bytes of a lease register.
    public init(_ bytes: [UInt8]) throws(WireError) {
        let result: Result<Lease, WireError> = bytes.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                let token = try reader.ballot("token")
                let lease = Lease(owner: try reader.text("owner"), token: token)
                try reader.end(of: "lease")
                return .success(lease)
            } catch { return .failure(error) }
        }
        self = try result.get()
    }
}

/// Asks a coordinator for a key's value.
public struct ReadRequest: Hashable, Sendable {
    /// Which key.
    public var key: Key
    /// How surely: `quorum`, `one` or `local`.
    public var consistency: Consistency

    /// Puts a request together.
    public init(key: Key, consistency: Consistency) {
        self.key = key
        self.consistency = consistency
    }

    func encode(into writer: inout ByteWriter) {
        writer.key(key)
        writer.integer(consistency.rawValue)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        key = try reader.key()
        consistency = try reader.raw("consistency", Consistency.self)
    }
}

/// What a read found.
public struct ReadAnswer: Hashable, Sendable {
    /// The cell; nil when the key was never written. Its expiry has been judged: an expired cell comes as a tombstone.
    public var cell: Cell?

    /// Wraps a cell.
    public init(cell: Cell?) { self.cell = cell }

    func encode(into writer: inout ByteWriter) { writer.optional(cell) { $0.cell($1) } }

    init(from reader: inout ByteReader) throws(WireError) {
        cell = try reader.optional("cell") { reader throws(WireError) in try reader.cell() }
    }
}

/// Asks a coordinator to change a key.
public struct WriteRequest: Hashable, Sendable {
    /// Which key.
    public var key: Key
    /// How surely. Conditional changes are `quorum` or `serial`, which mean the same for them.
    public var consistency: Consistency
    /// To what.
    public var change: RegisterChange

    /// Puts a request together.
    public init(key: Key, consistency: Consistency, change: RegisterChange) {
        self.key = key
        self.consistency = consistency
        self.change = change
    }

    func encode(into writer: inout ByteWriter) {
        writer.key(key)
        writer.integer(consistency.rawValue)
        switch change {
        case .put(let value, let ttlMs, let condition):
            writer.integer(UInt8(1))
            writer.blob(value)
            writer.integer(ttlMs ?? 0)
            writer.condition(condition)
        case .delete(let condition):
            writer.integer(UInt8(2))
            writer.condition(condition)
        case .acquire(let owner, let ttlMs):
            writer.integer(UInt8(3))
            writer.text(owner)
            writer.integer(ttlMs)
        case .renew(let token, let ttlMs):
            writer.integer(UInt8(4))
            writer.ballot(token)
            writer.integer(ttlMs)
        case .release(let token):
            writer.integer(UInt8(5))
            writer.ballot(token)
        }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        key = try reader.key()
        consistency = try reader.raw("consistency", Consistency.self)
        let kind: UInt8 = try reader.integer("change")
        switch kind {
        case 1:
            let value = try reader.blob("value", max: WireLimits.valueBytesMax)
            let ttl: UInt64 = try reader.integer("ttl")
            change = .put(
                value: value, ttlMs: ttl == 0 ? nil : try Self.inRange("ttl", ttl, WireLimits.ttlMsRange),
                condition: try reader.condition())
        case 2: change = .delete(condition: try reader.condition())
        case 3:
            let owner = try reader.text("owner")
            change = .acquire(
                owner: owner, ttlMs: try Self.inRange("lease", try reader.integer("lease"), WireLimits.leaseMsRange))
        case 4:
            let token = try reader.ballot("token")
            change = .renew(
                token: token, ttlMs: try Self.inRange("lease", try reader.integer("lease"), WireLimits.leaseMsRange))
        case 5: change = .release(token: try reader.ballot("token"))
        default: throw .invalid(field: "change", found: "\(kind)", expected: "1 to 5")
        }
    }

    private static func inRange(_ field: String, _ ms: UInt64, _ range: ClosedRange<UInt64>) throws(WireError) -> UInt64
    {
        guard range.contains(ms) else {
            throw .invalid(field: field, found: "\(ms) ms", expected: "\(range.lowerBound) to \(range.upperBound) ms")
        }
        return ms
    }
}

/// What became of a write.
public struct WriteAnswer: Hashable, Sendable {
    /// Whether the change was made; false when its condition did not hold.
    public var applied: Bool
    /// Applied: the version written (nil when a later write has already replaced it). For a lease, the fencing token.
    public var version: Ballot?
    /// Applied: when the value expires, in milliseconds since 1970.
    public var expiryMs: UInt64?
    /// Refused: what is there instead; nil when nothing ever was.
    public var current: Cell?

    /// Puts an answer together.
    public init(applied: Bool, version: Ballot?, expiryMs: UInt64?, current: Cell?) {
        self.applied = applied
        self.version = version
        self.expiryMs = expiryMs
        self.current = current
    }

    func encode(into writer: inout ByteWriter) {
        writer.bool(applied)
        writer.optional(version) { $0.ballot($1) }
        writer.integer(expiryMs ?? 0)
        writer.optional(current) { $0.cell($1) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        applied = try reader.bool("applied")
        version = try reader.optional("version") { reader throws(WireError) in try reader.ballot("version") }
        let expiry: UInt64 = try reader.integer("expiry")
        expiryMs = expiry == 0 ? nil : expiry
        current = try reader.optional("current") { reader throws(WireError) in try reader.cell() }
    }
}

/// Asks for a page of the keys that begin with a prefix, in the order of their bytes. The same body asks a coordinator
/// (`scanRequest`) for what a quorum holds and a replica (`replicaScan`) for what it has itself.
public struct ScanRequest: Hashable, Sendable {
    /// What the keys begin with; empty for all of the user's keys.
    public var prefix: [UInt8]
    /// The last key of the page before; empty for the first page.
    public var after: [UInt8]
    /// At most this many keys, up to 1,000.
    public var limit: UInt32
    /// Leave the values out.
    public var keysOnly: Bool

    /// Puts a request together.
    public init(prefix: [UInt8], after: [UInt8], limit: UInt32, keysOnly: Bool) {
        self.prefix = prefix
        self.after = after
        self.limit = limit
        self.keysOnly = keysOnly
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(UInt16(prefix.count))
        writer.raw(prefix)
        writer.integer(UInt16(after.count))
        writer.raw(after)
        writer.integer(limit)
        writer.bool(keysOnly)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        prefix = try reader.bounded("prefix")
        after = try reader.bounded("after")
        limit = try reader.integer("limit")
        guard (1...UInt32(WireLimits.scanItemsMax)).contains(limit) else {
            throw .invalid(field: "limit", found: "\(limit)", expected: "1 to \(WireLimits.scanItemsMax)")
        }
        keysOnly = try reader.bool("keys only")
    }
}

/// A key and its cell in a listing.
public struct ScanItem: Hashable, Sendable {
    /// The key.
    public var key: Key
    /// Its live cell.
    public var cell: Cell

    /// Pairs the two.
    public init(key: Key, cell: Cell) {
        self.key = key
        self.cell = cell
    }
}

/// A page of a listing.
public struct ScanAnswer: Hashable, Sendable {
    /// In key order; without tombstones and expired values.
    public var items: [ScanItem]
    /// Where the next page begins (exclusive); nil at the end. Not always the last item's key: tombstones are passed
    /// over.
    public var resumeAfter: [UInt8]?

    /// Puts a page together.
    public init(items: [ScanItem], resumeAfter: [UInt8]?) {
        self.items = items
        self.resumeAfter = resumeAfter
    }

    func encode(into writer: inout ByteWriter) {
        writer.list(items) {
            $0.key($1.key)
            $0.cell($1.cell)
        }
        writer.optional(resumeAfter) { $0.blob($1) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        items = try reader.list("items", max: WireLimits.scanItemsMax, minBytes: 29) { reader throws(WireError) in
            let key = try reader.key()
            return ScanItem(key: key, cell: try reader.cell())
        }
        resumeAfter = try reader.optional("resume") { reader throws(WireError) in
            try reader.blob("resume", max: WireLimits.keyBytesMax)
        }
    }
}

/// Asks a replica to take no accept below a ballot any more (phase 1 of Paxos).
public struct Prepare: Hashable, Sendable {
    /// Which key.
    public var key: Key
    /// The ballot.
    public var ballot: Ballot

    /// Puts a request together.
    public init(key: Key, ballot: Ballot) {
        self.key = key
        self.ballot = ballot
    }

    func encode(into writer: inout ByteWriter) {
        writer.key(key)
        writer.ballot(ballot)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        key = try reader.key()
        ballot = try reader.ballot()
    }
}

/// Asks a replica to take a cell under a ballot (phase 2 of Paxos).
public struct Accept: Hashable, Sendable {
    /// Which key.
    public var key: Key
    /// The ballot.
    public var ballot: Ballot
    /// The cell.
    public var cell: Cell
    /// A later ballot that the replica is asked to promise along with its acceptance, for the proposer's next change.
    public var next: Ballot?

    /// Puts a request together.
    public init(key: Key, ballot: Ballot, cell: Cell, next: Ballot?) {
        self.key = key
        self.ballot = ballot
        self.cell = cell
        self.next = next
    }

    func encode(into writer: inout ByteWriter) {
        writer.key(key)
        writer.ballot(ballot)
        writer.cell(cell)
        writer.optional(next) { $0.ballot($1) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        key = try reader.key()
        ballot = try reader.ballot()
        cell = try reader.cell()
        next = try reader.optional("next ballot") { reader throws(WireError) in try reader.ballot("next ballot") }
    }
}

/// A replica's yes to an accept.
public struct AcceptedReply: Hashable, Sendable {
    /// Whether the next ballot that was asked for is promised. Never so for a duplicate.
    public var nextPromised: Bool

    /// Wraps the flag.
    public init(nextPromised: Bool) { self.nextPromised = nextPromised }

    func encode(into writer: inout ByteWriter) { writer.bool(nextPromised) }

    init(from reader: inout ByteReader) throws(WireError) { nextPromised = try reader.bool("next promised") }
}

/// A replica's no to a prepare or an accept.
public struct RefusedReply: Hashable, Sendable {
    /// What it has promised.
    public var promised: Ballot
    /// Under which ballot it has accepted last; `Ballot.zero` for never.
    public var acceptedBallot: Ballot

    /// Puts a refusal together.
    public init(promised: Ballot, acceptedBallot: Ballot) {
        self.promised = promised
        self.acceptedBallot = acceptedBallot
    }

    func encode(into writer: inout ByteWriter) {
        writer.ballot(promised)
        writer.ballot(acceptedBallot)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        promised = try reader.ballot("promised")
        acceptedBallot = try reader.ballot("accepted ballot")
    }
}

/// A replica's state of one key: its promise (answer to a prepare) or its own copy (answer to a read).
public struct ReplicaState: Hashable, Sendable {
    /// What it has accepted last.
    public var accepted: AcceptedCell?
    /// Its promise; only told to reads that ask a quorum for the highest ballot.
    public var promised: Ballot

    /// Puts a state together.
    public init(accepted: AcceptedCell?, promised: Ballot) {
        self.accepted = accepted
        self.promised = promised
    }

    func encode(into writer: inout ByteWriter) {
        writer.optional(accepted) { $0.accepted($1) }
        writer.ballot(promised)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        accepted = try reader.optional("accepted") { reader throws(WireError) in try reader.accepted() }
        promised = try reader.ballot("promised")
    }
}

/// A replica's own page of a listing, tombstones and expired cells included.
public struct ReplicaPage: Hashable, Sendable {
    /// A key and what this replica has accepted for it.
    public struct Item: Hashable, Sendable {
        /// The key.
        public var key: Key
        /// Its state here.
        public var accepted: AcceptedCell

        /// Pairs the two.
        public init(key: Key, accepted: AcceptedCell) {
            self.key = key
            self.accepted = accepted
        }
    }

    /// In key order.
    public var items: [Item]
    /// Whether there are keys of the prefix behind the last item.
    public var hasMore: Bool

    /// Puts a page together.
    public init(items: [Item], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }

    func encode(into writer: inout ByteWriter) {
        writer.list(items) {
            $0.key($1.key)
            $0.accepted($1.accepted)
        }
        writer.bool(hasMore)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        items = try reader.list("items", max: WireLimits.scanItemsMax, minBytes: 45) { reader throws(WireError) in
            let key = try reader.key()
            return Item(key: key, accepted: try reader.accepted())
        }
        hasMore = try reader.bool("has more")
    }
}

extension ByteWriter {
    fileprivate mutating func condition(_ value: Condition) {
        switch value {
        case .none: integer(UInt8(0))
        case .absent: integer(UInt8(1))
        case .version(let version):
            integer(UInt8(2))
            ballot(version)
        }
    }
}

extension ByteReader {
    fileprivate mutating func condition() throws(WireError) -> Condition {
        let kind: UInt8 = try integer("condition")
        switch kind {
        case 0: return .none
        case 1: return .absent
        case 2: return .version(try ballot("expected version"))
        default: throw .invalid(field: "condition", found: "\(kind)", expected: "0 to 2")
        }
    }

    /// Bytes behind a 16-bit length that may be empty, at most as long as a key.
    mutating func bounded(_ field: StaticString) throws(WireError) -> [UInt8] {
        let count = Int(try integer(field, as: UInt16.self))
        guard count <= WireLimits.keyBytesMax else {
            throw .overLimit(field: "\(field)", found: count, max: WireLimits.keyBytesMax)
        }
        return try raw(field, count: count)
    }
}
