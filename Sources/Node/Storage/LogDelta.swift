import NodeCore
import Wire

/// What happened to one log during a memtable, boiled down: what went, then what came.
struct LogDelta: Sendable {
    /// The log's state at the end; nil when it was removed.
    var summary: LogSummary?
    /// Everything from before the memtable is gone.
    var reset = false
    /// Batches from before that reach beyond this are gone.
    var cutFrom: Offset = .max
    /// Batches that came and are still there, in order.
    var batches: [RecordBatch] = []

    /// Nothing happened.
    init() {}

    /// Cuts the log.
    mutating func truncate(from: Offset) {
        cutFrom = min(cutFrom, from)
        while let last = batches.last, last.endOffset > from { batches.removeLast() }
    }

    /// Removes the log with all it had.
    mutating func remove() {
        summary = nil
        reset = true
        batches = []
    }
}

/// A log without its batches, as SQLite keeps it.
struct LogSummary: Hashable, Sendable {
    /// Its facts.
    var facts: LogFacts
    /// The offset behind its last batch.
    var endOffset: Offset
    /// Where its epochs begin.
    var epochs: [EpochStart]
    /// Bytes of its batches in files.
    var indexedBytes: UInt64
    /// When its last batch was appended by the primary, in milliseconds since 1970.
    var appendedMs: UInt64
    /// The last batches of each producer.
    var producers: ProducerTable
}
