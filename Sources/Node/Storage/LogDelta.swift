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
    /// Batches from before, by where they begin, as compaction has left them.
    var compacted: [Offset: RecordBatch] = [:]

    /// Nothing happened.
    init() {}

    /// Cuts the log.
    mutating func truncate(from: Offset) {
        cutFrom = min(cutFrom, from)
        while let last = batches.last, last.endOffset > from { batches.removeLast() }
        if !compacted.isEmpty { compacted = compacted.filter { $0.value.endOffset <= from } }
    }

    /// Puts batches in the places of those that they are what is left of.
    mutating func compact(_ batches: [RecordBatch]) { for batch in batches { compact(batch) } }

    /// Puts a batch in the place of the one that it is what is left of.
    private mutating func compact(_ batch: RecordBatch) {
        if let index = batches.index(of: batch) {
            batches[index] = batch
        } else if batch.baseOffset < batches.first?.baseOffset ?? .max {
            compacted[batch.baseOffset] = batch
        }
    }

    /// Removes the log with all it had.
    mutating func remove() {
        summary = nil
        reset = true
        batches = []
        compacted = [:]
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

extension RandomAccessCollection<RecordBatch> where Index == Int {
    /// The place of the batch that has the ends and epoch of another; the batches are in order. nil for none.
    func index(of other: RecordBatch) -> Int? {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if self[middle].baseOffset < other.baseOffset { low = middle + 1 } else { high = middle }
        }
        return low < endIndex && self[low].isSamePlace(as: other) ? low : nil
    }
}

extension RecordBatch {
    /// Whether two batches are the same one, however much of it compaction has left.
    func isSamePlace(as other: RecordBatch) -> Bool {
        baseOffset == other.baseOffset && endOffset == other.endOffset && epoch == other.epoch
    }
}
