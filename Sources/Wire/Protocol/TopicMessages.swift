/// What happens to records past their time.
public enum Cleanup: UInt8, Sendable, Hashable, CaseIterable {
    /// Old segments are deleted by age and size.
    case delete = 0
    /// Only the newest record of each key is kept, whatever its age and the size of the topic. A record with a key and an
    /// empty value deletes its key: it goes too when it is old. Records without a key stay. It takes some time until older
    /// records are gone; offsets never move.
    case compact = 1
}

/// How a topic is kept.
public struct TopicConfiguration: Hashable, Sendable {
    /// Partitions, 1 to 1,024; may grow later.
    public var partitions: UInt32
    /// Copies of each partition as configured; in force is the lower of this and the number of nodes.
    public var replicationFactor: UInt16
    /// How few in-sync replicas still take publishes; 0 for a majority of the replicas.
    public var minInSync: UInt16
    /// Age at which records may go, in milliseconds; 0 keeps them. Not for compacted topics.
    public var retentionMs: UInt64
    /// Bytes of a partition above which its oldest records may go; 0 for no bound. Not for compacted topics.
    public var retentionBytes: UInt64
    /// How they go.
    public var cleanup: Cleanup

    /// Puts a configuration together; the defaults are those of a topic made on first use.
    public init(
        partitions: UInt32 = 8, replicationFactor: UInt16 = 3, minInSync: UInt16 = 0,
        retentionMs: UInt64 = 7 * 86_400_000,
        retentionBytes: UInt64 = 0, cleanup: Cleanup = .delete
    ) {
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.minInSync = minInSync
        self.retentionMs = retentionMs
        self.retentionBytes = retentionBytes
        self.cleanup = cleanup
    }

    /// Appends the configuration to a message or a register.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(partitions)
        writer.integer(replicationFactor)
        writer.integer(minInSync)
        writer.integer(retentionMs)
        writer.integer(retentionBytes)
        writer.integer(cleanup.rawValue)
    }

    /// Reads a configuration.
    public init(from reader: inout ByteReader) throws(WireError) {
        partitions = try reader.integer("partitions")
        guard (1...UInt32(WireLimits.partitionsMax)).contains(partitions) else {
            throw .invalid(field: "partitions", found: "\(partitions)", expected: "1 to \(WireLimits.partitionsMax)")
        }
        replicationFactor = try reader.integer("replication factor")
        guard replicationFactor > 0 else {
            throw .invalid(field: "replication factor", found: "0", expected: "at least 1")
        }
        minInSync = try reader.integer("min in-sync")
        retentionMs = try reader.integer("retention")
        retentionBytes = try reader.integer("retention bytes")
        cleanup = try reader.raw("cleanup", Cleanup.self)
    }
}

/// A partition as its primary describes it.
public struct PartitionInfo: Hashable, Sendable {
    /// Its index.
    public var index: UInt32
    /// The primary's epoch; 0 when no node acts as primary yet.
    public var epoch: LogEpoch
    /// The primary.
    public var primary: NodeID
    /// All replicas, in order of preference.
    public var replicas: [NodeID]
    /// Those that hold everything acknowledged.
    public var inSync: [NodeID]
    /// First offset left.
    public var firstOffset: Offset
    /// Everything below it is acknowledged and may be read.
    public var highWatermark: Offset
    /// Bytes of the stored batches on one replica.
    public var bytes: UInt64

    /// Puts a description together.
    public init(
        index: UInt32, epoch: LogEpoch, primary: NodeID, replicas: [NodeID], inSync: [NodeID], firstOffset: Offset,
        highWatermark: Offset, bytes: UInt64
    ) {
        self.index = index
        self.epoch = epoch
        self.primary = primary
        self.replicas = replicas
        self.inSync = inSync
        self.firstOffset = firstOffset
        self.highWatermark = highWatermark
        self.bytes = bytes
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(index)
        writer.integer(epoch)
        writer.integer(primary.rawValue)
        writer.list(replicas) { $0.integer($1.rawValue) }
        writer.list(inSync) { $0.integer($1.rawValue) }
        writer.integer(firstOffset)
        writer.integer(highWatermark)
        writer.integer(bytes)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        index = try reader.integer("partition")
        epoch = try reader.integer("log epoch")
        primary = NodeID(try reader.integer("primary"))
        replicas = try reader.nodeIDs("replicas")
        inSync = try reader.nodeIDs("in-sync set")
        firstOffset = try reader.integer("first offset")
        highWatermark = try reader.integer("high watermark")
        bytes = try reader.integer("bytes")
    }
}

/// A topic as a node describes it. Offsets and bytes are known for the partitions whose primary answers; a client asks
/// each primary for its own.
public struct TopicInfo: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Its life.
    public var id: TopicID
    /// How it is kept.
    public var configuration: TopicConfiguration
    /// All partitions, by index.
    public var partitions: [PartitionInfo]

    /// Whether a topic may have this name: 1 to 255 letters, digits, `.`, `_` and `-` of ASCII.
    public static func isName(_ text: String) -> Bool {
        (1...WireLimits.nameBytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2E || byte == 0x5F || byte == 0x2D
            }
    }

    /// Puts a description together.
    public init(name: String, id: TopicID, configuration: TopicConfiguration, partitions: [PartitionInfo]) {
        self.name = name
        self.id = id
        self.configuration = configuration
        self.partitions = partitions
    }

    func encode(into writer: inout ByteWriter) {
        writer.text(name)
        writer.integer(id.rawValue)
        configuration.encode(into: &writer)
        writer.list(partitions) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        name = try reader.text("topic")
        id = TopicID(try reader.integer("topic id"))
        configuration = try TopicConfiguration(from: &reader)
        partitions = try reader.list("partitions", max: WireLimits.partitionsMax, minBytes: 48) {
            reader throws(WireError) in
            try PartitionInfo(from: &reader)
        }
    }
}

/// Asks for a topic to exist. Answered by `topics` with the one topic, the existing one when there is one.
public struct CreateTopic: Hashable, Sendable {
    /// Its name: 1 to 255 bytes of letters, digits, `.`, `_` and `-`.
    public var name: String
    /// How to keep it; only used when it does not exist.
    public var configuration: TopicConfiguration

    /// Puts a request together.
    public init(name: String, configuration: TopicConfiguration) {
        self.name = name
        self.configuration = configuration
    }

    func encode(into writer: inout ByteWriter) {
        writer.text(name)
        configuration.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        name = try reader.text("topic")
        configuration = try TopicConfiguration(from: &reader)
    }
}

/// Asks for the description of a topic, or of all of them by an empty name.
public struct DescribeTopics: Hashable, Sendable {
    /// Which; empty for all.
    public var name: String

    /// Wraps a name.
    public init(name: String) { self.name = name }

    func encode(into writer: inout ByteWriter) { writer.text(name) }

    init(from reader: inout ByteReader) throws(WireError) { name = try reader.text("topic") }
}

/// Topics, in the order of their names.
public struct Topics: Hashable, Sendable {
    /// The descriptions.
    public var topics: [TopicInfo]

    /// Wraps descriptions.
    public init(topics: [TopicInfo]) { self.topics = topics }

    func encode(into writer: inout ByteWriter) { writer.list(topics) { $1.encode(into: &$0) } }

    init(from reader: inout ByteReader) throws(WireError) {
        topics = try reader.list("topics", max: WireLimits.listItemsMax, minBytes: 39) { reader throws(WireError) in
            try TopicInfo(from: &reader)
        }
    }
}

/// Asks a partition's primary to append a batch.
public struct Produce: Hashable, Sendable {
    /// Where.
    public var partition: PartitionID
    /// What; its base offset and epoch are set by the primary.
    public var batch: RecordBatch

    /// Puts a request together.
    public init(partition: PartitionID, batch: RecordBatch) {
        self.partition = partition
        self.batch = batch
    }

    func encode(into writer: inout ByteWriter) {
        writer.partition(partition)
        batch.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        partition = try reader.partition()
        batch = try RecordBatch(from: &reader)
    }
}

/// The batch is on disk on every in-sync replica.
public struct Produced: Hashable, Sendable {
    /// Offset of the batch's first record.
    public var baseOffset: Offset

    /// Wraps an offset.
    public init(baseOffset: Offset) { self.baseOffset = baseOffset }

    func encode(into writer: inout ByteWriter) { writer.integer(baseOffset) }

    init(from reader: inout ByteReader) throws(WireError) { baseOffset = try reader.integer("base offset") }
}

/// Asks a partition's primary for records from an offset. When there are none yet, the answer waits for some, up to
/// `waitMs`.
public struct Fetch: Hashable, Sendable {
    /// From where.
    public var partition: PartitionID
    /// The first offset wanted; `Offset.max` for the present end, and the answer says which that is.
    public var offset: Offset
    /// About how many bytes of batches at most; one batch is always given.
    public var bytesMax: UInt32
    /// How long the answer may wait for records, in milliseconds, up to 30,000.
    public var waitMs: UInt32

    /// The longest wait, in milliseconds: below what proxies and operators take for a dead connection.
    public static let waitMsMax: UInt32 = 30_000

    /// Puts a request together.
    public init(partition: PartitionID, offset: Offset, bytesMax: UInt32, waitMs: UInt32) {
        self.partition = partition
        self.offset = offset
        self.bytesMax = bytesMax
        self.waitMs = waitMs
    }

    func encode(into writer: inout ByteWriter) {
        writer.partition(partition)
        writer.integer(offset)
        writer.integer(bytesMax)
        writer.integer(waitMs)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        partition = try reader.partition()
        offset = try reader.integer("offset")
        bytesMax = try reader.integer("bytes")
        waitMs = try reader.integer("wait")
        guard waitMs <= Self.waitMsMax else {
            throw .overLimit(field: "wait in ms", found: Int(waitMs), max: Int(Self.waitMsMax))
        }
    }
}

/// Batches from a primary. The first may begin below the offset that was asked for: the reader passes over its first
/// records.
public struct Fetched: Hashable, Sendable {
    /// The primary's epoch; a reader drops answers of a lower one than it has seen.
    public var epoch: LogEpoch
    /// Everything below it may be read.
    public var highWatermark: Offset
    /// First offset left.
    public var firstOffset: Offset
    /// In order of offset.
    public var batches: [RecordBatch]

    /// Puts an answer together.
    public init(epoch: LogEpoch, highWatermark: Offset, firstOffset: Offset, batches: [RecordBatch]) {
        self.epoch = epoch
        self.highWatermark = highWatermark
        self.firstOffset = firstOffset
        self.batches = batches
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(epoch)
        writer.integer(highWatermark)
        writer.integer(firstOffset)
        writer.list(batches) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        epoch = try reader.integer("log epoch")
        highWatermark = try reader.integer("high watermark")
        firstOffset = try reader.integer("first offset")
        batches = try reader.batches()
    }
}

/// A place in a partition that is not named by its offset.
public enum OffsetQuery: Hashable, Sendable {
    /// The first record left.
    case earliest
    /// Behind the last record that may be read.
    case latest
    /// The first record that was appended at this time or later, in milliseconds since 1970 by the primaries' clocks; that
    /// of its batch when it was appended with others.
    case time(UInt64)
    /// So many offsets before the latest.
    case last(UInt64)
    /// An offset, or the nearest one that there is: to hear when its batch was appended.
    case offset(Offset)
}

/// Asks a partition's primary where something is. Answered by `offsetAnswer`.
public struct OffsetRequest: Hashable, Sendable {
    /// In which partition.
    public var partition: PartitionID
    /// What.
    public var query: OffsetQuery

    /// Puts a request together.
    public init(partition: PartitionID, query: OffsetQuery) {
        self.partition = partition
        self.query = query
    }

    func encode(into writer: inout ByteWriter) {
        writer.partition(partition)
        let (kind, argument): (UInt8, UInt64) =
            switch query {
            case .earliest: (1, 0)
            case .latest: (2, 0)
            case .time(let ms): (3, ms)
            case .last(let count): (4, count)
            case .offset(let offset): (5, offset)
            }
        writer.integer(kind)
        writer.integer(argument)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        partition = try reader.partition()
        let kind: UInt8 = try reader.integer("kind of place")
        let argument: UInt64 = try reader.integer("place")
        switch kind {
        case 1: query = .earliest
        case 2: query = .latest
        case 3: query = .time(argument)
        case 4: query = .last(argument)
        case 5: query = .offset(argument)
        default: throw .invalid(field: "kind of place", found: "\(kind)", expected: "1 to 5")
        }
    }
}

/// Where something is in a partition.
public struct OffsetAnswer: Hashable, Sendable {
    /// The primary's epoch; a reader drops answers of a lower one than it has seen.
    public var epoch: LogEpoch
    /// The offset that was asked for: between the first one left and the high watermark.
    public var offset: Offset
    /// Everything below it may be read.
    public var highWatermark: Offset
    /// First offset left.
    public var firstOffset: Offset
    /// When the batch that holds `offset` was appended, in milliseconds since 1970; 0 behind the last one.
    public var appendedMs: UInt64

    /// Puts an answer together.
    public init(
        epoch: LogEpoch, offset: Offset, highWatermark: Offset, firstOffset: Offset, appendedMs: UInt64
    ) {
        self.epoch = epoch
        self.offset = offset
        self.highWatermark = highWatermark
        self.firstOffset = firstOffset
        self.appendedMs = appendedMs
    }

    func encode(into writer: inout ByteWriter) {
        writer.integer(epoch)
        writer.integer(offset)
        writer.integer(highWatermark)
        writer.integer(firstOffset)
        writer.integer(appendedMs)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        epoch = try reader.integer("log epoch")
        offset = try reader.integer("offset")
        highWatermark = try reader.integer("high watermark")
        firstOffset = try reader.integer("first offset")
        appendedMs = try reader.integer("time of appending")
    }
}

extension ByteReader {
    fileprivate mutating func nodeIDs(_ field: StaticString) throws(WireError) -> [NodeID] {
        try list(field, max: WireLimits.ringMembersMax, minBytes: 8) { reader throws(WireError) in
            NodeID(try reader.integer("node id"))
        }
    }

    /// Reads the batches of a message.
    mutating func batches() throws(WireError) -> [RecordBatch] {
        try list("batches", max: WireLimits.listItemsMax, minBytes: RecordBatch.headerBytes) {
            reader throws(WireError) in
            try RecordBatch(from: &reader)
        }
    }
}
