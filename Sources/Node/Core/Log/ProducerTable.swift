package import Wire

/// The last batches of each producer in a log: what tells a producer's next batch from a duplicate and from a gap.
///
/// The table is a function of the log: appending adds to it, cutting takes away. Positions of batches that are gone from
/// the log, by retention or compaction, stay.
package struct ProducerTable: Hashable, Sendable {
    /// What a numbered batch is to the log.
    package enum Verdict: Hashable, Sendable {
        /// Its producer's next.
        case next
        /// It is there already, at this offset and up to that one.
        case duplicate(base: Offset, end: Offset)
        /// It is not the producer's next, nor one that is remembered.
        case outOfOrder(expected: UInt64)
    }

    /// The newest positions of a producer, oldest first; never empty.
    private var positions: [UInt64: [ProducerPosition]] = [:]

    /// How many batches of one producer are remembered: it sends one after the other, so that only the last is ever in
    /// doubt; the others are for what is cut off.
    private static let batchesKept = 4

    /// No producers.
    package init() {}

    /// What a list of positions tells, in the order of their offsets.
    package init(_ list: [ProducerPosition]) { for position in list { add(position) } }

    /// How many producers are remembered.
    package var count: Int { positions.count }

    /// Whether there are none.
    package var isEmpty: Bool { positions.isEmpty }

    /// Every position, in the order of their offsets.
    package var all: [ProducerPosition] { sorted(positions.values.joined()) }

    /// The newest position of each producer that has none at `offset` or behind it, in the order of their offsets.
    package func last(below offset: Offset) -> [ProducerPosition] {
        sorted(positions.values.compactMap { $0.last }.filter { $0.baseOffset < offset })
    }

    /// What a batch is to the log. Batches of producers that do not number them are always the next.
    package func verdict(on batch: RecordBatch) -> Verdict {
        guard batch.producerID != 0 else { return .next }
        guard let known = positions[batch.producerID], let last = known.last else {
            return batch.sequence == 0 ? .next : .outOfOrder(expected: 0)
        }
        if let same = known.last(where: { $0.sequence == batch.sequence && $0.count == batch.count }) {
            return .duplicate(base: same.baseOffset, end: same.baseOffset + Offset(same.count))
        }
        let expected = last.sequence + UInt64(last.count)
        return batch.sequence == expected ? .next : .outOfOrder(expected: expected)
    }

    /// A batch was appended.
    package mutating func append(_ batch: RecordBatch) {
        if let position = ProducerPosition(of: batch) { add(position) }
    }

    /// Takes in a position that no batch of this log tells of.
    package mutating func add(_ position: ProducerPosition) {
        // What is known already comes again when a primary ships it twice.
        if let last = positions[position.producerID]?.last, last.baseOffset >= position.baseOffset { return }
        positions[position.producerID, default: []].append(position)
        if positions[position.producerID]?.count ?? 0 > Self.batchesKept {
            positions[position.producerID]?.removeFirst()
        }
        if positions.count > WireLimits.producersMax { forgetOldest() }
    }

    /// The log was cut at an offset. Returns the producers whose remembered batches are all gone: they may have earlier
    /// ones.
    package mutating func truncate(to offset: Offset) -> [UInt64] {
        var emptied: [UInt64] = []
        for (producer, known) in positions where known.last.map({ $0.baseOffset >= offset }) ?? true {
            let kept = known.filter { $0.baseOffset < offset }
            positions[producer] = kept.isEmpty ? nil : kept
            if kept.isEmpty { emptied.append(producer) }
        }
        return emptied.sorted()
    }

    /// Forgets producers that have appended nothing since a time, in milliseconds since 1970.
    package mutating func forget(idleSince ms: UInt64) {
        positions = positions.filter { $0.value.last.map { $0.appendedMs >= ms } ?? false }
    }

    // A tenth at once, so that each producer beyond the bound does not cost a look at all of them.
    private mutating func forgetOldest() {
        let order = positions.sorted { ($0.value.last?.baseOffset ?? 0) < ($1.value.last?.baseOffset ?? 0) }
        for entry in order.prefix(WireLimits.producersMax / 10) { positions[entry.key] = nil }
    }

    private func sorted(_ list: some Sequence<ProducerPosition>) -> [ProducerPosition] {
        list.sorted { $0.baseOffset < $1.baseOffset }
    }
}
