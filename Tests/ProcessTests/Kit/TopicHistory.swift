import StormoClient
import Wire

/// Who published a record where, and as its how manieth there: a record's value.
struct RecordName: Hashable, Sendable, CustomStringConvertible {
    /// The producer.
    var producer: Int
    /// The partition that the producer meant it for.
    var partition: UInt32
    /// Counts the producer's records of the partition, from 1.
    var number: Int

    var description: String { "\(producer)/\(partition)/\(number)" }

    /// The record's value.
    var bytes: [UInt8] { Array(description.utf8) }

    init(producer: Int, partition: UInt32, number: Int) {
        self.producer = producer
        self.partition = partition
        self.number = number
    }

    /// The name that a value is; nil for one that no producer of a test wrote.
    init?(_ value: [UInt8]) {
        let parts = String(decoding: value, as: UTF8.self).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let producer = Int(parts[0]), let partition = UInt32(parts[1]),
            let number = Int(parts[2])
        else { return nil }
        self.init(producer: producer, partition: partition, number: number)
    }
}

/// What producers published to a topic and were told, and what readers saw meanwhile; judged by what is there at the end.
///
/// A producer publishes to a partition one batch after the other, so what was acknowledged stands there in the order of
/// its numbers. What has an unknown outcome may stand there once, anywhere: it may still be under way when the producer
/// goes on.
struct TopicHistory: Sendable {
    /// What a producer was told of a record.
    enum Outcome: Hashable, Sendable {
        /// It is kept there.
        case acknowledged(RecordPosition)
        /// It was not kept and will not be.
        case refused
        /// It may be kept, now or later.
        case unknown
    }

    /// What must not be.
    enum Fault: Hashable, Sendable {
        /// An acknowledged record that is not there, or a record that a reader has seen and that is not there.
        case lost(RecordName)
        /// A record that is there twice.
        case duplicated(RecordName)
        /// An acknowledged record behind one of the same producer and partition that was published later.
        case reordered(RecordName)
        /// A record that stands elsewhere than its producer, or a reader, was told.
        case moved(RecordName)
        /// A record that is there although its producer was told that it is not kept.
        case refusedAndKept(RecordName)
        /// What nobody published, or in another partition than it was meant for.
        case stray(RecordPosition)
        /// An offset between others that has no record.
        case gap(RecordPosition)

        /// In which column of a report it counts.
        var kind: String {
            switch self {
            case .lost: "lost"
            case .duplicated: "duplicated"
            case .reordered: "reordered"
            case .moved, .refusedAndKept, .stray, .gap: "otherwise wrong"
            }
        }
    }

    private(set) var outcomes: [RecordName: Outcome] = [:]
    private var seen: [RecordPosition: RecordName] = [:]
    private var unreadable: Set<RecordPosition> = []

    /// How many records were acknowledged, refused, and have an unknown outcome.
    var counts: (acknowledged: Int, refused: Int, unknown: Int) {
        var counts = (acknowledged: 0, refused: 0, unknown: 0)
        for outcome in outcomes.values {
            switch outcome {
            case .acknowledged: counts.acknowledged += 1
            case .refused: counts.refused += 1
            case .unknown: counts.unknown += 1
            }
        }
        return counts
    }

    /// A producer was told what became of a record.
    mutating func told(_ name: RecordName, _ outcome: Outcome) { outcomes[name] = outcome }

    /// A reader was given records before the end.
    mutating func read(_ records: [PositionedRecord]) {
        for record in records {
            guard let name = RecordName(record.record.value) else {
                unreadable.insert(record.position)
                continue
            }
            seen[record.position] = name
        }
    }

    /// What is wrong with the records that are there at the end, in the order of their partitions and offsets.
    func faults(in records: [PositionedRecord]) -> [Fault] {
        var faults: [Fault] = unreadable.map { .stray($0) }
        var places: [RecordName: RecordPosition] = [:]
        var next: [UInt32: Offset] = [:]
        var last: [RecordName: Int] = [:]
        for record in records {
            let position = record.position
            let expected = next[position.partition] ?? 0
            if position.offset != expected {
                faults.append(.gap(RecordPosition(partition: position.partition, offset: expected)))
            }
            next[position.partition] = position.offset + 1
            guard let name = RecordName(record.record.value), name.partition == position.partition,
                let outcome = outcomes[name]
            else {
                faults.append(.stray(position))
                continue
            }
            guard places[name] == nil else {
                faults.append(.duplicated(name))
                continue
            }
            places[name] = position
            switch outcome {
            case .refused: faults.append(.refusedAndKept(name))
            case .unknown: break
            case .acknowledged(let told):
                if told != position { faults.append(.moved(name)) }
                let line = RecordName(producer: name.producer, partition: name.partition, number: 0)
                if name.number < last[line] ?? 0 { faults.append(.reordered(name)) }
                last[line] = max(last[line] ?? 0, name.number)
            }
        }
        for (name, outcome) in outcomes {
            if case .acknowledged = outcome, places[name] == nil { faults.append(.lost(name)) }
        }
        for (position, name) in seen where places[name] != position {
            faults.append(places[name] == nil ? .lost(name) : .moved(name))
        }
        return faults
    }
}
