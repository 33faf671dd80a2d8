package import Wire

/// Why the store could not give what it holds.
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is on disk fails its checksum or its form; it must be mended from the other replicas and is not answered. With
    /// the key of the register when it is one, and its key is whole.
    case corrupt(String, key: Key? = nil)
    /// The disk failed.
    case io(String)
    /// There is no room left; reads go on.
    case full(String)

    /// One line for people.
    package var description: String {
        switch self {
        case .corrupt(let detail, _): "stored data is damaged: \(detail)"
        case .io(let detail): "the disk failed: \(detail)"
        case .full(let detail): "the disk is full: \(detail)"
        }
    }
}

/// What a node's core keeps its state in. Calls are synchronous and cheap: reads look in memory, then in an indexed file.
///
/// `apply` takes effect at once for every later read, and becomes durable later, in order: the shell calls
/// `Node.durable(upTo:)` then. The core lets nothing leave before the state it was computed from is durable.
package protocol NodeStore {
    /// The acceptor's state of a key; `.empty` for one never heard of.
    func register(_ key: Key) throws(StoreError) -> RegisterState

    /// Keys that begin with `prefix` and come after `after`, with their accepted cells, in key order, until `limit`
    /// keys or about `bytesMax` bytes. Keys without an accepted cell are passed over. A prefix that does not begin with
    /// byte 0 leaves system keys out, and one that does not begin with two the node's own (`Key.isLocal`).
    func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage

    /// Registers whose key's token lies in `range`, in the order of their tokens from the beginning of the range on, then
    /// of their keys: those behind `after`, until `limit` of them or about `bytesMax` bytes. Keys with a promise alone are
    /// among them; keys that are this node's own (`Key.isLocal`) are not.
    func registers(in range: TokenRange, after: Key?, limit: Int, bytesMax: Int) throws(StoreError) -> RegisterPage

    /// Batches of a partition from the one that holds `from` on, in order: at least one when there is any, then as many
    /// as stay within `bytesMax` and begin below `limit`.
    func batches(_ partition: PartitionID, from: Offset, limit: Offset, bytesMax: Int) throws(StoreError)
        -> [RecordBatch]

    /// The first batch of a partition that answers a search, among those that begin below `limit`; nil for none.
    func find(_ search: LogSearch, in partition: PartitionID, limit: Offset) throws(StoreError) -> BatchMark?

    /// Bytes of a partition's batches that begin at `from` or behind it, and below `limit`.
    func bytes(of partition: PartitionID, from: Offset, limit: Offset) throws(StoreError) -> UInt64

    /// A fact as last applied.
    func fact(_ fact: NodeFact) -> [UInt8]?

    /// All logs as found at start.
    func recoveredLogs() -> [RecoveredLog]

    /// Applies a change and says its number.
    mutating func apply(_ entry: JournalEntry) -> JournalSequence

    /// Bytes that wait for the journal; the core refuses new work above its bound.
    var backlogBytes: Int { get }

    /// Why no writes are taken, or nil when they are.
    var readOnlyReason: String? { get }
}

/// Which batch of a log is looked for.
package enum LogSearch: Hashable, Sendable {
    /// The one that holds an offset, or the first behind it.
    case holding(Offset)
    /// The first that was appended at this time or later, in milliseconds since 1970.
    case appended(UInt64)
    /// The first that has at least so many bytes of batches before it.
    case bytesBefore(UInt64)
    /// The last of a producer.
    case lastOf(UInt64)
}

/// A batch without its content.
package struct BatchMark: Hashable, Sendable {
    /// The offset at which it begins.
    package var base: Offset
    /// The offset behind it.
    package var end: Offset
    /// When it was appended, in milliseconds since 1970.
    package var appendedMs: UInt64
    /// Its producer, or 0.
    package var producerID: UInt64
    /// The producer's number of its first record.
    package var sequence: UInt64

    /// Puts a mark together.
    package init(base: Offset, end: Offset, appendedMs: UInt64, producerID: UInt64, sequence: UInt64) {
        self.base = base
        self.end = end
        self.appendedMs = appendedMs
        self.producerID = producerID
        self.sequence = sequence
    }

    /// The mark of a batch.
    package init(_ batch: RecordBatch) {
        self.init(
            base: batch.baseOffset, end: batch.endOffset, appendedMs: batch.appendedMs, producerID: batch.producerID,
            sequence: batch.sequence)
    }

    /// What it tells of its producer; nil without one.
    package var position: ProducerPosition? {
        guard producerID != 0 else { return nil }
        return ProducerPosition(
            producerID: producerID, sequence: sequence, count: UInt32(end - base), baseOffset: base,
            appendedMs: appendedMs)
    }
}

/// A stretch of registers in the order of their tokens.
package struct RegisterPage: Hashable, Sendable {
    /// A register.
    package struct Item: Hashable, Sendable {
        /// Its name.
        package var key: Key
        /// The acceptor's whole state.
        package var state: RegisterState

        /// Pairs the two.
        package init(key: Key, state: RegisterState) {
            self.key = key
            self.state = state
        }
    }

    /// The registers, in order.
    package var items: [Item]
    /// Whether there are more behind the last one.
    package var hasMore: Bool

    /// Puts a page together.
    package init(items: [Item], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }
}
