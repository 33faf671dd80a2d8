import NodeCore
import Wire

/// Entries that wait for the journal, in the form in which they are written.
struct JournalBuffer: Sendable {
    private var writer: ByteWriter
    /// Bytes of the body of each entry.
    private(set) var lengths: [UInt32] = []

    /// Empty, with room for a usual commit.
    init() { writer = ByteWriter(capacity: 64 << 10) }

    /// How many entries.
    var records: Int { lengths.count }

    /// Bytes so far.
    var count: Int { writer.count }

    /// The bytes so far.
    var bytes: [UInt8] { writer.bytes }

    /// Forgets the content and keeps the storage when it is not larger than what a usual commit needs.
    mutating func removeAll() {
        if writer.count > Self.keptBytesMax { writer = ByteWriter(capacity: 64 << 10) } else { writer.removeAll() }
        lengths.removeAll(keepingCapacity: lengths.count <= Self.keptRecordsMax)
    }

    /// Appends an entry. What goes before its body is filled in when the segment is known.
    mutating func append(_ entry: JournalEntry) {
        RecordHeader.blank.withUnsafeBytes { writer.raw($0) }
        let start = writer.count
        writer.journalEntry(entry)
        lengths.append(UInt32(writer.count - start))
    }

    // A burst must not keep its memory for ever.
    private static let keptBytesMax = 4 << 20
    private static let keptRecordsMax = 64 << 10
}

/// The kinds of entries on disk; the numbers never change their meaning.
private enum EntryKind: UInt8 {
    case register = 1
    case fact = 2
    case append = 3
    case truncate = 4
    case log = 5
    case remove = 6
    case forget = 7
    case producers = 8
    case compact = 9
    case renew = 10
}

extension ByteWriter {
    /// Appends an entry as the journal keeps it.
    mutating func journalEntry(_ entry: JournalEntry) {
        switch entry {
        case .register(let key, let state):
            integer(EntryKind.register.rawValue)
            self.key(key)
            registerState(state)
        case .forget(let key):
            integer(EntryKind.forget.rawValue)
            self.key(key)
        case .fact(let fact, let value):
            integer(EntryKind.fact.rawValue)
            integer(fact.rawValue)
            blob(value)
        case .append(let partition, let batches):
            integer(EntryKind.append.rawValue)
            partitionID(partition)
            list(batches) { $1.encode(into: &$0) }
        case .compact(let partition, let batches):
            integer(EntryKind.compact.rawValue)
            partitionID(partition)
            list(batches) { $1.encode(into: &$0) }
        case .truncate(let partition, let from):
            integer(EntryKind.truncate.rawValue)
            partitionID(partition)
            integer(from)
        case .log(let partition, let facts):
            integer(EntryKind.log.rawValue)
            partitionID(partition)
            logFacts(facts)
        case .producers(let partition, let positions):
            integer(EntryKind.producers.rawValue)
            partitionID(partition)
            list(positions) { $1.encode(into: &$0) }
        case .remove(let partition):
            integer(EntryKind.remove.rawValue)
            partitionID(partition)
        case .renew(let partition, let facts):
            integer(EntryKind.renew.rawValue)
            partitionID(partition)
            logFacts(facts)
        }
    }

    /// Appends an acceptor's state.
    mutating func registerState(_ state: RegisterState) {
        ballot(state.promised)
        bool(state.accepted != nil)
        if let accepted = state.accepted { self.accepted(accepted) }
    }

    /// Appends the facts of a log.
    mutating func logFacts(_ facts: LogFacts) {
        integer(facts.logID)
        integer(facts.epoch)
        integer(facts.highWatermark)
        integer(facts.firstOffset)
    }

    private mutating func partitionID(_ partition: PartitionID) {
        integer(partition.topic.rawValue)
        integer(partition.index)
    }
}

extension ByteReader {
    /// Reads an entry of the journal. Throws when it is not one that this version knows.
    mutating func journalEntry() throws(WireError) -> JournalEntry {
        let number: UInt8 = try integer("kind of entry")
        guard let kind = EntryKind(rawValue: number) else {
            throw .invalid(field: "kind of entry", found: "\(number)", expected: "1 to 10")
        }
        let entry: JournalEntry
        switch kind {
        case .register:
            let key = try storedKey()
            entry = .register(key, try registerState())
        case .forget: entry = .forget(try storedKey())
        case .fact:
            let fact = try nodeFact()
            entry = .fact(fact, try blob("fact", max: Int(UInt32.max)))
        case .append:
            let partition = try partitionID()
            entry = .append(partition, try storedBatches())
        case .compact:
            let partition = try partitionID()
            entry = .compact(partition, try storedBatches())
        case .truncate:
            let partition = try partitionID()
            entry = .truncate(partition, from: try integer("offset"))
        case .log:
            let partition = try partitionID()
            entry = .log(partition, try logFacts())
        case .producers:
            let partition = try partitionID()
            entry = .producers(
                partition,
                try list("producers", max: WireLimits.producersMax, minBytes: ProducerPosition.encodedBytes) {
                    (reader: inout ByteReader) throws(WireError) in try ProducerPosition(from: &reader)
                })
        case .remove:
            entry = .remove(try partitionID())
        case .renew:
            let partition = try partitionID()
            entry = .renew(partition, try logFacts())
        }
        try end(of: "journal entry")
        return entry
    }

    /// Reads an acceptor's state.
    mutating func registerState() throws(WireError) -> RegisterState {
        let promised = try ballot("promised ballot")
        let accepted = try optional("accepted cell") { reader throws(WireError) in try reader.accepted() }
        return RegisterState(promised: promised, accepted: accepted)
    }

    /// Reads the facts of a log.
    mutating func logFacts() throws(WireError) -> LogFacts {
        let logID: LogID = try integer("log id")
        let epoch: LogEpoch = try integer("log epoch")
        let highWatermark: Offset = try integer("high watermark")
        return LogFacts(
            logID: logID, epoch: epoch, highWatermark: highWatermark, firstOffset: try integer("first offset"))
    }

    private mutating func storedBatches() throws(WireError) -> [RecordBatch] {
        try list("batches", max: WireLimits.listItemsMax, minBytes: RecordBatch.headerBytes) {
            (reader: inout ByteReader) throws(WireError) in try RecordBatch(from: &reader)
        }
    }

    // A key as the journal has it: one that the node keeps for itself may be longer than those that are sent.
    private mutating func storedKey() throws(WireError) -> Key {
        let count = Int(try integer("key", as: UInt16.self))
        guard count <= WireLimits.localKeyBytesMax else {
            throw .overLimit(field: "key", found: count, max: WireLimits.localKeyBytesMax)
        }
        let key = Key(try raw("key", count: count))
        return key.isLocal ? key : try key.validated()
    }

    private mutating func nodeFact() throws(WireError) -> NodeFact {
        let number: UInt8 = try integer("fact")
        guard let fact = NodeFact(rawValue: number) else {
            throw .invalid(field: "fact", found: "\(number)", expected: "a number that this version knows")
        }
        return fact
    }

    private mutating func partitionID() throws(WireError) -> PartitionID {
        let topic = TopicID(try integer("topic id"))
        return PartitionID(topic: topic, index: try integer("partition"))
    }
}
