import NodeCore
import Wire

/// The newest states of what changed since the last one was handed to the background: registers by key with orders for
/// listings, facts, and what happened to logs. An empty state says that the key is forgotten.
///
/// A value: the loop writes one, and a copy that no longer changes is read by the loop and the background at once.
struct Memtable: Sendable {
    /// A register.
    struct Entry: Sendable {
        let key: Key
        var state: RegisterState
    }

    /// Which of the node's memtables this is; they are numbered from 1.
    let generation: UInt64
    /// The registers, in the order in which they came.
    private(set) var entries: [Entry] = []
    private(set) var runs = SortedRuns()
    private(set) var tokens = TokenBuckets()
    /// Facts that changed.
    private(set) var facts: [NodeFact: [UInt8]] = [:]
    /// What changed of logs.
    var logs: [PartitionID: LogDelta] = [:]
    /// Bytes that all of it takes in memory, about.
    private(set) var bytes = 0
    private var index = KeyIndex()

    /// An empty one.
    init(generation: UInt64) { self.generation = generation }

    /// Whether nothing changed.
    var isEmpty: Bool { entries.isEmpty && facts.isEmpty && logs.isEmpty }

    /// A key's state; nil when it did not change in this memtable.
    @inline(__always)
    func state(_ key: Key) -> RegisterState? {
        index.find(key.token) { entries[$0].key.bytes == key.bytes }.map { entries[$0].state }
    }

    /// Sets a key's state.
    mutating func update(_ key: Key, _ state: RegisterState) {
        if let number = index.find(key.token, { entries[$0].key.bytes == key.bytes }) {
            bytes += state.contentBytes - entries[number].state.contentBytes
            entries[number].state = state
            return
        }
        let number = entries.count
        entries.append(Entry(key: key, state: state))
        index.insert(key.token, number)
        bytes += Self.entryBytes + key.bytes.count + state.contentBytes
        runs.append(number) { [entries] in KeyOrder.precedes(entries[$0].key.bytes, entries[$1].key.bytes) }
    }

    /// Sets a fact.
    mutating func update(_ fact: NodeFact, _ value: [UInt8]) {
        bytes += value.count - (facts[fact]?.count ?? 0)
        facts[fact] = value
    }

    /// Accounts for the batches of a log.
    mutating func addLogBytes(_ more: Int) { bytes += more }

    /// Sorts what is not yet, so that a cursor can walk the keys.
    mutating func sort() {
        runs.seal { [entries] in KeyOrder.precedes(entries[$0].key.bytes, entries[$1].key.bytes) }
    }

    /// Finds the places in the order of tokens of what has none yet, so that a cursor can walk them.
    mutating func fileTokens() { tokens.file(entries) }

    /// Walks the keys from `lower` (itself included) on that are below `upper`, in order. Everything must be sorted.
    func cursor(from lower: [UInt8] = [], below upper: [UInt8]? = nil) -> MemtableCursor {
        MemtableCursor(self, from: lower, below: upper)
    }

    // The entry, its cell in the index, in a run and in a bucket, and the headers of the arrays for key and value.
    private static let entryBytes = MemoryLayout<Entry>.stride + KeyIndex.bytesPerKey + 16 + 64
}

extension RegisterState {
    /// Bytes of the value.
    var contentBytes: Int {
        if case .value(let bytes) = accepted?.cell.content { return bytes.count }
        return 0
    }
}
