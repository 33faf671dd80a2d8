/// Asks a coordinator for what changes among the keys of a prefix. It is answered as soon as there is something to tell,
/// at the latest after `waitMs`; the next request goes on from the answer's position.
public struct WatchRequest: Hashable, Sendable {
    /// What the keys begin with; empty for all of the user's keys.
    public var prefix: [UInt8]
    /// The position of the answer before; nil to begin with a full listing.
    public var position: WatchPosition?
    /// How long to wait for something, in milliseconds, up to 60,000.
    public var waitMs: UInt32

    /// Puts a request together.
    public init(prefix: [UInt8], position: WatchPosition?, waitMs: UInt32) {
        self.prefix = prefix
        self.position = position
        self.waitMs = waitMs
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(UInt16(prefix.count))
        writer.raw(prefix)
        writer.optional(position) { $1.encode(into: &$0) }
        writer.integer(waitMs)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        prefix = try reader.bounded("prefix")
        position = try reader.optional("position") { reader throws(WireError) in try WatchPosition(from: &reader) }
        waitMs = try reader.integer("wait")
        guard waitMs <= WireLimits.watchWaitMsMax else {
            throw .invalid(field: "wait", found: "\(waitMs) ms", expected: "up to \(WireLimits.watchWaitMsMax) ms")
        }
    }
}

/// How far a watcher has seen: everything that a quorum held at `time`, and of a listing under way the keys up to
/// `after`.
public struct WatchPosition: Hashable, Sendable {
    /// The moment, on the cluster's clock.
    public var time: HybridTime
    /// The last key of a listing that is not finished, empty at its beginning; nil when it is finished.
    public var after: [UInt8]?
    /// The node that told it: other nodes find changes in another order, so they begin with a listing.
    public var node: NodeID

    /// Puts a position together.
    public init(time: HybridTime, after: [UInt8]?, node: NodeID) {
        self.time = time
        self.after = after
        self.node = node
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(time.rawValue)
        writer.optional(after) {
            $0.integer(UInt16($1.count))
            $0.raw($1)
        }
        writer.integer(node.rawValue)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        time = HybridTime(try reader.integer("position"))
        after = try reader.optional("after") { reader throws(WireError) in try reader.bounded("after") }
        node = NodeID(try reader.integer("node id"))
    }
}

/// What has changed.
public struct WatchAnswer: Hashable, Sendable {
    /// Whether the position was lost: forget everything of the prefix, a full listing begins with this answer.
    public var isReset: Bool
    /// States that a quorum holds, tombstones among them, each key at most once and never older than told before.
    public var items: [ScanItem]
    /// Where to go on.
    public var position: WatchPosition

    /// Puts an answer together.
    public init(isReset: Bool, items: [ScanItem], position: WatchPosition) {
        self.isReset = isReset
        self.items = items
        self.position = position
    }

    func encode(into writer: inout ByteWriter) {
        writer.bool(isReset)
        writer.list(items) {
            $0.key($1.key)
            $0.cell($1.cell)
        }
        position.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        isReset = try reader.bool("reset")
        items = try reader.list("items", max: WireLimits.scanItemsMax, minBytes: 29) { reader throws(WireError) in
            let key = try reader.key()
            return ScanItem(key: key, cell: try reader.cell())
        }
        position = try WatchPosition(from: &reader)
    }
}

/// A coordinator's interest in the keys of a prefix. It lapses unless it is told again.
public struct Subscribe: Hashable, Sendable {
    /// What the keys begin with.
    public var prefix: [UInt8]

    /// Wraps a prefix.
    public init(prefix: [UInt8]) { self.prefix = prefix }

    func encode(into writer: inout ByteWriter) {
        writer.integer(UInt16(prefix.count))
        writer.raw(prefix)
    }

    init(from reader: inout ByteReader) throws(WireError) { prefix = try reader.bounded("prefix") }
}

/// A replica's answer to an interest.
public struct Subscribed: Hashable, Sendable {
    /// Whether it had the interest already: if not, changes may have gone by untold.
    public var wasKnown: Bool

    /// Wraps the flag.
    public init(wasKnown: Bool) { self.wasKnown = wasKnown }

    func encode(into writer: inout ByteWriter) { writer.bool(wasKnown) }

    init(from reader: inout ByteReader) throws(WireError) { wasKnown = try reader.bool("was known") }
}

/// Keys that a replica has accepted something for, told to those with an interest.
public struct ChangedKeys: Hashable, Sendable {
    /// The keys, at most 1,000.
    public var keys: [Key]

    /// Wraps the keys.
    public init(keys: [Key]) { self.keys = keys }

    func encode(into writer: inout ByteWriter) { writer.list(keys) { $0.key($1) } }

    init(from reader: inout ByteReader) throws(WireError) {
        keys = try reader.list("keys", max: WireLimits.scanItemsMax, minBytes: 3) { reader throws(WireError) in
            try reader.key()
        }
    }
}
