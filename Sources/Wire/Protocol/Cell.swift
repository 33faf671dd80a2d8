/// What a register holds: a value or the mark of its deletion, with the version it was proposed under.
public struct Cell: Hashable, Sendable {
    /// The value, or that there is none any more.
    public enum Content: Hashable, Sendable {
        /// The bytes of a value, at most 1 MiB.
        case value([UInt8])
        /// Deleted. Kept until every replica knows (a tombstone).
        case tombstone
    }

    /// The ballot under which this value was first proposed. It travels with the cell and survives a re-accept under
    /// a later ballot, so a read that repairs never changes what clients compare.
    public var version: Ballot
    /// The version that a compare-and-set compared with; nil for an overwrite. `Ballot.zero` when it compared with an
    /// absent register.
    public var base: Ballot?
    /// The value or the tombstone.
    public var content: Content
    /// When the value ceases to be, in milliseconds since 1970; nil for never.
    public var expiryMs: UInt64?

    /// Puts a cell together.
    public init(version: Ballot, base: Ballot?, content: Content, expiryMs: UInt64?) {
        self.version = version
        self.base = base
        self.content = content
        self.expiryMs = expiryMs
    }

    /// The bytes as of a moment: nil for a tombstone and for a value whose time has passed.
    public func value(atMs nowMs: UInt64) -> [UInt8]? {
        if let expiryMs, expiryMs <= nowMs { return nil }
        guard case .value(let bytes) = content else { return nil }
        return bytes
    }
}

/// A cell and the ballot under which a replica accepted it last.
public struct AcceptedCell: Hashable, Sendable {
    /// The ballot of the accept; not below the cell's version.
    public var ballot: Ballot
    /// The cell.
    public var cell: Cell

    /// Pairs the two.
    public init(ballot: Ballot, cell: Cell) {
        self.ballot = ballot
        self.cell = cell
    }
}

/// What a replica must remember of a key: the acceptor's state of single-decree Paxos, as CASPaxos (Rystsov 2018)
/// uses it.
public struct RegisterState: Hashable, Sendable {
    /// No accept below this ballot is taken any more.
    public var promised: Ballot
    /// The last cell accepted; nil when there never was one.
    public var accepted: AcceptedCell?

    /// Puts a state together.
    public init(promised: Ballot, accepted: AcceptedCell?) {
        self.promised = promised
        self.accepted = accepted
    }

    /// A key never heard of.
    public static let empty = RegisterState(promised: .zero, accepted: nil)
}
