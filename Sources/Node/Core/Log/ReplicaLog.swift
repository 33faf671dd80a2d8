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

    /// An empty log.
    package init(facts: LogFacts) {
        self.facts = facts
        end = facts.firstOffset
        epochs = []
        bytes = 0
    }

    /// A log found at start.
    package init(_ recovered: RecoveredLog) {
        facts = recovered.facts
        end = recovered.endOffset
        epochs = recovered.epochs
        bytes = recovered.bytes
    }

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
    package func match(previousEnd: Offset, previousEpoch: LogEpoch, batches: [RecordBatch]) -> Match {
        guard previousEnd <= end else { return .differs(tryAt: end) }
        if previousEnd > facts.firstOffset, epoch(endingAt: previousEnd) != previousEpoch {
            // All of the epoch that stands here is in doubt: go back to where it begins.
            let start = epochs.last { $0.start < previousEnd }?.start ?? facts.firstOffset
            return .differs(tryAt: start)
        }
        for (index, batch) in batches.enumerated() {
            if batch.baseOffset == end { return .agrees(truncateTo: nil, from: index) }
            guard epoch(at: batch.baseOffset) == batch.epoch else {
                return .agrees(truncateTo: batch.baseOffset, from: index)
            }
        }
        return .agrees(truncateTo: nil, from: batches.count)
    }

    /// Adds a batch at the end.
    package mutating func append(_ batch: RecordBatch) {
        precondition(batch.baseOffset == end, "batch begins at \(batch.baseOffset), the log ends at \(end)")
        if epochs.last?.epoch != batch.epoch { epochs.append(EpochStart(epoch: batch.epoch, start: batch.baseOffset)) }
        end = batch.endOffset
        bytes += UInt64(batch.encodedCount)
    }

    /// Cuts everything from an offset on.
    package mutating func truncate(to offset: Offset) {
        precondition(offset <= end, "cut at \(offset) beyond the end \(end)")
        end = offset
        while let last = epochs.last, last.start >= offset { epochs.removeLast() }
    }
}
