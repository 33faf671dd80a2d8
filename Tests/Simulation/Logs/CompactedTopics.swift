import NodeCore
import Wire

/// Which keys the records of a producer have.
struct RecordKeys: Sendable {
    /// How many there are.
    let count: Int
    /// Share of the records that delete their key.
    let markers: Double

    /// The key of a record, and whether it deletes it: the same whenever the record is made.
    func key(of label: RecordLabel) -> (key: Int, isMarker: Bool) {
        var dice = Dice(seed: UInt64(label.batch), Scenario.compactionDice, UInt64(label.place))
        return (dice.pick(0...count - 1), dice.chance(markers))
    }
}

extension Record {
    private static let label = "label"

    /// A record with a label, which one that deletes its key has in a header.
    init(_ label: RecordLabel, keys: RecordKeys?, filler: Int, timestampMs: UInt64) {
        let value = label.bytes + Array(repeating: 0x78, count: filler)
        guard let keys else {
            self.init(key: nil, value: value, timestampMs: timestampMs)
            return
        }
        let (key, isMarker) = keys.key(of: label)
        self.init(
            key: Array("k\(key)".utf8), value: isMarker ? [] : value,
            headers: isMarker ? [Header(name: Self.label, value: label.bytes)] : [], timestampMs: timestampMs)
    }

    fileprivate var labelBytes: [UInt8] { headers.first { $0.name == Self.label }?.value ?? value }
}

extension RecordLabel {
    /// The label of a record; nil for one that nobody wrote.
    init?(_ record: Record) { self.init(record.labelBytes) }
}

extension Scenario {
    static let compactionDice: UInt64 = 10

    /// Some topics are compacted, in passes that follow on each other and do little at a time.
    mutating func drawCompaction(_ plan: inout LogPlan) {
        var dice = Dice(seed: seed, Self.compactionDice)
        guard dice.chance(0.3) else { return }
        limits.compactionLookMs = dice.pick(10...40)
        limits.compactionBytesMin = dice.pick(1...200)
        limits.compactionDirtyPercent = dice.chance(0.5) ? 0 : dice.pick(0...60)
        limits.compactionSliceBytes = dice.pick([(1, weight: 1), (500, weight: 1), (1 << 20, weight: 2)]) ?? 1
        limits.compactionKeyBytesMax = dice.pick([(1, weight: 1), (64 << 20, weight: 3)]) ?? 1
        limits.deletionMarkerAgeMs = dice.pick(20...1_500)
        limits.topicReviewMs = dice.pick(20...100)
        limits.secondaryReviewMs = dice.pick(20...300)
        for topic in plan.topics.indices { plan.topics[topic].configuration.cleanup = .compact }
        // Of many keys most are published once more or not at all: what was lost of them stays lost.
        let count = dice.chance(0.3) ? dice.pick(1...5) : dice.pick(20...300)
        let keys = RecordKeys(count: count, markers: dice.chance(0.7) ? dice.pick(0...0.4) : 0)
        // What is sent again until it is answered makes good whatever a record cut off has superseded.
        let areNumbered = dice.chance(0.5)
        for producer in plan.producers.indices {
            plan.producers[producer].keys = keys
            if !areNumbered { plan.producers[producer].isNumbered = false }
        }
    }
}

extension RecordBatch {
    /// Whether two batches are the same one, but for what compaction has taken in one of them.
    func isSame(as other: RecordBatch) -> Bool {
        guard isSparse || other.isSparse else { return self == other }
        return (baseOffset, count, epoch, appendedMs) == (other.baseOffset, other.count, other.epoch, other.appendedMs)
            && (producerID, sequence) == (other.producerID, other.sequence)
    }
}

/// What compaction may take, and what not.
extension Simulator {
    /// The key of a record and whether it deletes it; nil for one without.
    private func key(of label: RecordLabel) -> (key: Int, isMarker: Bool)? {
        logs.producers[logs.batches[label.batch].producer].plan.keys?.key(of: label)
    }

    /// Where the newest record of each key is.
    func newestOffsets(_ records: [(offset: Offset, label: RecordLabel)]) -> [Int: Offset] {
        var newest: [Int: Offset] = [:]
        for (offset, label) in records {
            if let (key, _) = key(of: label) { newest[key] = max(newest[key] ?? 0, offset) }
        }
        return newest
    }

    /// Whether a record may have been taken: there is a newer one of its key, or it says that the key is deleted. A deletion
    /// of which nobody was told may have been kept, and be gone itself before anybody has read it.
    func mayBeGone(_ label: RecordLabel, at offset: Offset, _ newest: [Int: Offset]) -> Bool {
        guard let (key, isMarker) = key(of: label) else { return false }
        return isMarker || offset < newest[key] ?? 0 || mayHaveBeenDeleted(key, in: label)
    }

    private func mayHaveBeenDeleted(_ key: Int, in label: RecordLabel) -> Bool {
        let partition = logs.batches[label.batch].partition
        return logs.batches.contains { batch in
            guard batch.outcome == .unknown, batch.partition == partition,
                let keys = logs.producers[batch.producer].plan.keys
            else { return false }
            return (0..<batch.count).contains { place in
                keys.key(of: RecordLabel(batch: batch.number, place: place)) == (key, true)
            }
        }
    }

    /// In what two copies differ, beside what compaction has taken in one of them; nil for nothing. The newest record of a
    /// key is the same in both, where it does not say that the key is deleted: one that was deleted does not come back.
    func difference(_ one: [RecordBatch], _ other: [RecordBatch]) -> String? {
        guard one.count == other.count else { return "batches \(ranges(one)) and \(ranges(other))" }
        for (a, b) in zip(one, other) where !a.isSame(as: b) {
            return "batch \(a.baseOffset)..<\(a.endOffset) of epoch \(a.epoch) and "
                + "\(b.baseOffset)..<\(b.endOffset) of epoch \(b.epoch)"
        }
        let (left, right) = (living(one), living(other))
        return left == right ? nil : "the newest records of keys are \(left) and \(right)"
    }

    private func ranges(_ batches: [RecordBatch]) -> String {
        batches.map { "\($0.baseOffset)..<\($0.endOffset)@\($0.epoch)" }.joined(separator: ",")
    }

    private func living(_ batches: [RecordBatch]) -> [Int: Offset] {
        var newest: [Int: (offset: Offset, isMarker: Bool)] = [:]
        for entry in batches.flatMap({ (try? $0.entries()) ?? [] }) {
            guard let label = RecordLabel(entry.record), let (key, isMarker) = key(of: label) else { continue }
            newest[key] = (entry.offset, isMarker)
        }
        return newest.filter { !$0.value.isMarker }.mapValues(\.offset)
    }
}
