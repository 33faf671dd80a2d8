package import Wire

/// A replica's log of one partition, without the batches themselves: where it ends and which epochs its batches have.
///
/// Two logs that have the same epoch at an offset are equal up to there: within an epoch one primary alone has assigned
/// offsets, and it appended behind what it had.
package struct ReplicaLog: Hashable, Sendable {
    /// What is kept of it beside the batches.
    package var facts: LogFacts
    /// The offset behind the last batch.
    package private(set) var end: Offset
    /// Where its epochs begin, in order.
    package private(set) var epochs: [EpochStart]
    /// Bytes of its batches.
    package private(set) var bytes: UInt64
    /// When the last batch was appended by its primary, in milliseconds since 1970; 0 for an empty log.
    package private(set) var appendedMs: UInt64
    /// The last batches of each producer.
    package var producers: ProducerTable

    /// An empty log.
    package init(facts: LogFacts) {
        self.facts = facts
        end = facts.firstOffset
        epochs = []
        bytes = 0
        appendedMs = 0
        producers = ProducerTable()
    }

    /// A log found at start.
    package init(_ recovered: RecoveredLog) {
        facts = recovered.facts
        end = recovered.endOffset
        epochs = recovered.epochs
        bytes = recovered.bytes
        appendedMs = recovered.appendedMs
        producers = recovered.producers
    }

    /// Whether there is nothing in it, and never was.
    package var isBlank: Bool { end == 0 && facts.highWatermark == 0 }

    /// The epoch of the batch that holds `offset`; nil outside of the log.
    package func epoch(at offset: Offset) -> LogEpoch? {
        guard offset < end, offset >= facts.firstOffset else { return nil }
        return epochs.last { $0.start <= offset }?.epoch
    }

    /// The epoch of the batch that ends at `offset`; 0 at the very start.
    package func epoch(endingAt offset: Offset) -> LogEpoch? {
        offset == 0 ? 0 : epoch(at: offset - 1)
    }

    /// What to do with shipped batches.
    package enum Match: Hashable, Sendable {
        /// The logs agree up to the batches. Cut at `truncateTo` when it is given, then append those from `from` on.
        case agrees(truncateTo: Offset?, from: Int)
        /// They do not, or cannot be compared: the primary should try at this offset.
        case differs(tryAt: Offset)
    }

    /// Compares an append with this log. Truncation begins at the first offset where the epochs differ, never at a high
    /// watermark.
    package func match(_ append: Append) -> Match {
        let previousEnd = append.previousEnd
        guard previousEnd <= end else { return .differs(tryAt: end) }
        // Of what stands before its first offset the primary knows nothing, and there is nothing to compare.
        if previousEnd > max(facts.firstOffset, append.firstOffset),
            epoch(endingAt: previousEnd) != append.previousEpoch
        {
            // All of the epoch that stands here is in doubt: go back to where it begins.
            let start = epochs.last { $0.start < previousEnd }?.start ?? facts.firstOffset
            return .differs(tryAt: max(start, facts.firstOffset))
        }
        for (index, batch) in append.batches.enumerated() where batch.endOffset > facts.firstOffset {
            if batch.baseOffset == end { return .agrees(truncateTo: nil, from: index) }
            if Mutation.duplicateOffsetUnchecked.isOn, batch.endOffset <= end { continue }
            guard batch.endOffset <= end, epoch(at: batch.baseOffset) == batch.epoch else {
                return .agrees(truncateTo: batch.baseOffset, from: index)
            }
        }
        return .agrees(truncateTo: nil, from: append.batches.count)
    }

    /// Adds a batch at the end.
    package mutating func append(_ batch: RecordBatch) {
        precondition(batch.baseOffset == end, "batch begins at \(batch.baseOffset), the log ends at \(end)")
        if epochs.last?.epoch != batch.epoch { epochs.append(EpochStart(epoch: batch.epoch, start: batch.baseOffset)) }
        end = batch.endOffset
        bytes += UInt64(batch.encodedCount)
        appendedMs = max(appendedMs, batch.appendedMs)
        producers.append(batch)
    }

    /// Compaction has taken bytes out of its batches; less than 0 when what is left takes more room.
    package mutating func shrink(by saved: Int) {
        bytes = UInt64(clamping: Int64(clamping: bytes) - Int64(saved))
    }

    /// Cuts everything from an offset on: so many bytes of batches. Returns producers of which nothing is remembered any
    /// more, though there may be earlier batches of theirs.
    package mutating func truncate(to offset: Offset, bytes cut: UInt64) -> [UInt64] {
        precondition(offset <= end, "cut at \(offset) beyond the end \(end)")
        end = offset
        // Only an unclean election makes it go back: what was acknowledged there is no more.
        facts.highWatermark = min(facts.highWatermark, offset)
        bytes -= min(bytes, cut)
        while let last = epochs.last, last.start >= offset { epochs.removeLast() }
        return Mutation.producerTableNotCut.isOn ? [] : producers.truncate(to: offset)
    }

    /// Retention has passed everything below an offset: so many bytes of batches.
    package mutating func trim(to offset: Offset, bytes cut: UInt64) {
        guard offset > facts.firstOffset else { return }
        facts.firstOffset = offset
        end = max(end, offset)
        bytes -= min(bytes, cut)
        if end == offset {
            epochs = []
        } else {
            while epochs.count >= 2, epochs[1].start <= offset { epochs.removeFirst() }
        }
    }
}
