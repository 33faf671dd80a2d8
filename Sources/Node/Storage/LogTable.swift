import DequeModule
import NodeCore
import Wire

/// A log as the node's loop sees it: the newest batches in memory, where the older ones can be found, and its facts.
struct LogState {
    /// A batch that is not in its partition's files yet.
    struct Recent {
        var batch: RecordBatch
        /// The memtable that holds it.
        let generation: UInt64
    }

    /// The log's facts.
    var facts: LogFacts
    /// The offset behind its last batch.
    var endOffset: Offset
    /// Where its epochs begin.
    var epochs: [EpochStart] = []
    /// When its last batch was appended by the primary, in milliseconds since 1970.
    var appendedMs: UInt64 = 0
    /// The last batches of each producer.
    var producers = ProducerTable()
    /// Bytes of its batches in files, as of the last memtable that was written.
    var indexedBytes: UInt64 = 0
    /// What is in memory, in order.
    var recent: Deque<Recent> = []
    /// Batches that are not in the partition's files yet as compaction has left them, by where they begin.
    var compacted: [Offset: Recent] = [:]
    /// The memtable in which it came to be; 0 when SQLite had it at start. Until that one is written, what SQLite says
    /// is of an earlier log of the same partition.
    var generation: UInt64

    /// Offsets below this are to be looked for in files.
    var recentStart: Offset { recent.first?.batch.baseOffset ?? endOffset }

    /// As SQLite keeps it.
    var summary: LogSummary {
        LogSummary(
            facts: facts, endOffset: endOffset, epochs: epochs, indexedBytes: indexedBytes, appendedMs: appendedMs,
            producers: producers)
    }

    /// Marks of the batches in memory that begin below `limit`, in order.
    func recentMarks(below limit: Offset) -> some BidirectionalCollection<BatchMark> {
        var low = 0
        var high = recent.count
        while low < high {
            let middle = (low + high) / 2
            if recent[middle].batch.baseOffset < limit { low = middle + 1 } else { high = middle }
        }
        return recent[0..<low].lazy.map { BatchMark($0.batch) }
    }

    /// Bytes of the batches in memory that begin at `from` or behind it, and below `limit`.
    func recentBytes(from: Offset, limit: Offset) -> UInt64 {
        recent.reduce(0) {
            let base = $1.batch.baseOffset
            return base >= from && base < limit ? $0 + UInt64($1.batch.encodedCount) : $0
        }
    }

    /// A batch from the files, or what compaction has left of it.
    func present(_ batch: RecordBatch) -> RecordBatch {
        guard let newer = compacted[batch.baseOffset]?.batch, newer.isSamePlace(as: batch) else { return batch }
        return newer
    }

    /// By how much the batches in files will have changed in bytes when they are written as compaction has left them: those
    /// that begin at `from` or behind it, and below `limit`.
    func compactedDifference(
        _ index: LogIndexReader, _ partition: PartitionID, from: Offset, limit: Offset
    ) throws(SQLiteError) -> Int64 {
        var difference: Int64 = 0
        for (base, entry) in compacted where base >= from && base < min(limit, recentStart) {
            guard base >= facts.firstOffset || entry.batch.endOffset > facts.firstOffset else { continue }
            guard let length = try index.length(of: entry.batch, partition) else { continue }
            difference += Int64(entry.batch.encodedCount - length)
        }
        return difference
    }

    /// Batches in memory from the one that holds `from` on, that begin below `limit`, as far as `bytes` goes; the first
    /// is taken in any case when `first` says so.
    func recentBatches(from: Offset, limit: Offset, bytes: Int, first: Bool, into batches: inout [RecordBatch]) {
        var low = 0
        var high = recent.count
        while low < high {
            let middle = (low + high) / 2
            if recent[middle].batch.endOffset <= from { low = middle + 1 } else { high = middle }
        }
        var left = bytes
        for index in low..<recent.count {
            let batch = recent[index].batch
            guard batch.baseOffset < limit, batch.encodedCount <= left || (first && index == low) else { return }
            batches.append(batch)
            left -= batch.encodedCount
        }
    }
}

/// All logs of a node.
struct LogTable {
    /// The logs by partition.
    private(set) var logs: [PartitionID: LogState] = [:]
    /// Bytes of batches in memory.
    private(set) var recentBytes = 0

    /// No logs.
    init() {}

    /// Bytes of all batches, in memory and in files; those that were cut off count until the background has them out.
    var bytes: Int { logs.values.reduce(recentBytes) { $0 + Int($1.indexedBytes) } }

    /// Takes a log that SQLite has.
    mutating func restore(_ partition: PartitionID, _ summary: LogSummary) {
        logs[partition] = LogState(
            facts: summary.facts, endOffset: summary.endOffset, epochs: summary.epochs,
            appendedMs: summary.appendedMs, producers: summary.producers, indexedBytes: summary.indexedBytes,
            generation: 0)
    }

    /// What speaks against an entry; nil when it can be applied.
    func objection(to entry: JournalEntry) -> String? {
        guard case .append(let partition, let batches) = entry else { return nil }
        guard let log = logs[partition] else { return "batches for partition \(partition), which has no log" }
        var end = log.endOffset
        for batch in batches {
            guard batch.baseOffset >= end else {
                return "a batch at \(batch.baseOffset) for partition \(partition), whose log ends at \(end)"
            }
            end = batch.endOffset
        }
        return nil
    }

    /// Applies an entry of a log, here and in the memtable. Entries of other kinds do nothing.
    mutating func apply(_ entry: JournalEntry, to memtable: inout Memtable) {
        switch entry {
        case .register, .forget, .fact: break
        case .append(let partition, let batches): append(batches, to: partition, &memtable)
        case .compact(let partition, let batches):
            guard logs[partition] != nil else { return }
            for batch in batches { logs[partition]?.compact(batch, in: memtable.generation, recentBytes: &recentBytes) }
            memtable.logs[partition, default: LogDelta()].compact(batches)
            memtable.addLogBytes(
                LogTable.deltaBytes + batches.reduce(0) { $0 + $1.encodedCount + LogTable.batchBytes })
        case .truncate(let partition, let from):
            guard logs[partition] != nil else { return }
            logs[partition]?.truncate(from: from, dropped: &recentBytes)
            memtable.logs[partition, default: LogDelta()].truncate(from: from)
            memtable.addLogBytes(LogTable.deltaBytes)
        case .log(let partition, let facts):
            set(facts, of: partition, generation: memtable.generation)
            if memtable.logs[partition] == nil { memtable.logs[partition] = LogDelta() }
            memtable.addLogBytes(LogTable.deltaBytes)
        case .producers(let partition, let positions):
            guard logs[partition] != nil else { return }
            for position in positions { logs[partition]?.producers.add(position) }
            if memtable.logs[partition] == nil { memtable.logs[partition] = LogDelta() }
            memtable.addLogBytes(LogTable.deltaBytes + positions.count * ProducerPosition.encodedBytes)
        case .remove(let partition):
            guard let log = logs.removeValue(forKey: partition) else { return }
            for recent in log.recent { recentBytes -= recent.batch.encodedCount }
            memtable.logs[partition, default: LogDelta()].remove()
            memtable.addLogBytes(LogTable.deltaBytes)
        case .renew(let partition, let facts):
            apply(.remove(partition), to: &memtable)
            apply(.log(partition, facts), to: &memtable)
        }
    }

    /// Completes a memtable that is about to be handed on: the state of each log that it touches.
    func summarize(_ memtable: inout Memtable) {
        for partition in memtable.logs.keys { memtable.logs[partition]?.summary = logs[partition]?.summary }
    }

    /// A memtable was written: its batches are in files now.
    mutating func flushed(_ memtable: Memtable, indexedBytes: [PartitionID: UInt64]) {
        for partition in memtable.logs.keys {
            guard var log = logs.removeValue(forKey: partition) else { continue }
            while let first = log.recent.first, first.generation <= memtable.generation {
                recentBytes -= first.batch.encodedCount
                log.recent.removeFirst()
            }
            if !log.compacted.isEmpty {
                log.compacted = log.compacted.filter { $0.value.generation > memtable.generation }
            }
            if let bytes = indexedBytes[partition], log.generation <= memtable.generation { log.indexedBytes = bytes }
            logs[partition] = log
        }
    }

    private mutating func append(_ batches: [RecordBatch], to partition: PartitionID, _ memtable: inout Memtable) {
        guard !batches.isEmpty else { return }
        var added = 0
        for batch in batches {
            logs[partition]?.append(batch, generation: memtable.generation)
            added += batch.encodedCount
        }
        recentBytes += added
        memtable.logs[partition, default: LogDelta()].batches.append(contentsOf: batches)
        memtable.addLogBytes(added + batches.count * LogTable.batchBytes)
    }

    private mutating func set(_ facts: LogFacts, of partition: PartitionID, generation: UInt64) {
        guard logs[partition] != nil else {
            logs[partition] = LogState(facts: facts, endOffset: facts.firstOffset, generation: generation)
            return
        }
        logs[partition]?.set(facts)
    }

    // What a batch takes in memory beside its bytes, and what a change of a log does.
    private static let batchBytes = 128
    private static let deltaBytes = 64
}

extension LogState {
    fileprivate mutating func append(_ batch: RecordBatch, generation: UInt64) {
        if epochs.last?.epoch != batch.epoch { epochs.append(EpochStart(epoch: batch.epoch, start: batch.baseOffset)) }
        endOffset = batch.endOffset
        appendedMs = max(appendedMs, batch.appendedMs)
        producers.append(batch)
        recent.append(Recent(batch: batch, generation: generation))
    }

    // One that is in memory alone goes to the files as it is then; of any other, what comes from the files, or will come
    // from there once a memtable that waits is written, is what it was before.
    fileprivate mutating func compact(_ batch: RecordBatch, in generation: UInt64, recentBytes: inout Int) {
        guard batch.endOffset <= endOffset else { return }
        if batch.baseOffset >= recentStart {
            let index = recent.lazy.map(\.batch).index(of: batch)
            guard let index else { return }
            recentBytes += batch.encodedCount - recent[index].batch.encodedCount
            recent[index].batch = batch
            if recent[index].generation == generation { return }
        }
        compacted[batch.baseOffset] = Recent(batch: batch, generation: generation)
    }

    fileprivate mutating func truncate(from: Offset, dropped: inout Int) {
        while let last = recent.last, last.batch.endOffset > from {
            dropped -= last.batch.encodedCount
            recent.removeLast()
        }
        if !compacted.isEmpty { compacted = compacted.filter { $0.value.batch.endOffset <= from } }
        while let last = epochs.last, last.start >= from { epochs.removeLast() }
        endOffset = min(endOffset, from)
        // Earlier batches of producers that are emptied come as an entry of their own.
        _ = producers.truncate(to: from)
    }

    fileprivate mutating func set(_ facts: LogFacts) {
        self.facts = facts
        endOffset = max(endOffset, facts.firstOffset)
        if endOffset == facts.firstOffset {
            epochs = []
        } else {
            while epochs.count >= 2, epochs[1].start <= facts.firstOffset { epochs.removeFirst() }
        }
    }
}
