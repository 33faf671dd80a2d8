import DequeModule
import Wire

/// Holds back what must not leave before the journal has it. Every reply waits here for the entry that its state came
/// from; the disk's progress lets them go in order.
struct DurabilityGate {
    /// What waits.
    enum Release {
        case output(NodeOutput)
        /// The answer of this node's own replica to its own coordinator.
        case own(RequestID, Message)
        /// A partition's log is durable up to an offset, under the log it had then.
        case log(PartitionID, generation: UInt64, end: Offset)
        /// The hints that stand for the copies of a put.
        case hinted(OperationID)
    }

    private var waiting: Deque<(sequence: JournalSequence, release: Release)> = []
    private var lastWrite: [Key: JournalSequence] = [:]
    private var writes: Deque<(sequence: JournalSequence, key: Key)> = []
    private(set) var durable = JournalSequence.start

    /// Remembers that a key's state comes from an entry that may not be durable yet.
    mutating func wrote(_ key: Key, _ sequence: JournalSequence) {
        lastWrite[key] = sequence
        writes.append((sequence, key))
    }

    /// The entry that a key's present state needs; nil when it is durable.
    func needed(for key: Key) -> JournalSequence? {
        guard let sequence = lastWrite[key], sequence > durable else { return nil }
        return sequence
    }

    /// Holds `release` until `sequence` is durable. The caller has checked that it is not yet.
    mutating func hold(_ release: Release, until sequence: JournalSequence) {
        var index = waiting.endIndex
        while index > waiting.startIndex, waiting[index - 1].sequence > sequence { index -= 1 }
        if index == waiting.endIndex {
            waiting.append((sequence, release))
        } else {
            waiting.insert((sequence, release), at: index)
        }
    }

    /// The disk has everything up to `sequence`.
    mutating func advance(to sequence: JournalSequence) {
        if sequence > durable { durable = sequence }
        while let first = writes.first, first.sequence <= durable {
            writes.removeFirst()
            if lastWrite[first.key] == first.sequence { lastWrite[first.key] = nil }
        }
    }

    /// The next thing that may go.
    mutating func next() -> Release? {
        guard let first = waiting.first, first.sequence <= durable else { return nil }
        waiting.removeFirst()
        return first.release
    }

    /// How many things wait.
    var count: Int { waiting.count }
}
