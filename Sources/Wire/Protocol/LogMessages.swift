/// The last batch that a producer has in a partition: what tells its next one from a duplicate.
public struct ProducerPosition: Hashable, Sendable {
    /// Which producer; never 0.
    public var producerID: UInt64
    /// The producer's number of the batch's first record.
    public var sequence: UInt64
    /// Its records.
    public var count: UInt32
    /// Its offset.
    public var baseOffset: Offset
    /// When it was appended, in milliseconds since 1970.
    public var appendedMs: UInt64

    /// Puts a position together.
    public init(producerID: UInt64, sequence: UInt64, count: UInt32, baseOffset: Offset, appendedMs: UInt64) {
        self.producerID = producerID
        self.sequence = sequence
        self.count = count
        self.baseOffset = baseOffset
        self.appendedMs = appendedMs
    }

    /// The position that a batch leaves; nil for one whose producer does not number its batches.
    public init?(of batch: RecordBatch) {
        guard batch.producerID != 0 else { return nil }
        self.init(
            producerID: batch.producerID, sequence: batch.sequence, count: batch.count, baseOffset: batch.baseOffset,
            appendedMs: batch.appendedMs)
    }

    /// Bytes that it takes.
    public static let encodedBytes = 8 + 8 + 4 + 8 + 8

    /// Appends the position to a message or a log's facts.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(producerID)
        writer.integer(sequence)
        writer.integer(count)
        writer.integer(baseOffset)
        writer.integer(appendedMs)
    }

    /// Reads a position.
    public init(from reader: inout ByteReader) throws(WireError) {
        producerID = try reader.integer("producer id")
        guard producerID != 0 else { throw .invalid(field: "producer id", found: "0", expected: "another number") }
        sequence = try reader.integer("sequence")
        count = try reader.integer("record count")
        baseOffset = try reader.integer("base offset")
        appendedMs = try reader.integer("time of appending")
    }
}

/// A primary ships batches to a secondary. Without batches it is a heartbeat that tells the high watermark.
public struct Append: Hashable, Sendable {
    /// Of which partition.
    public var partition: PartitionID
    /// The primary's epoch.
    public var epoch: LogEpoch
    /// Where the log of the primary stands before the first batch: the end offset of the batch before it.
    public var previousEnd: Offset
    /// The epoch of the batch before it; 0 at the start of the log.
    public var previousEpoch: LogEpoch
    /// What the primary has committed.
    public var highWatermark: Offset
    /// First offset that the primary has left.
    public var firstOffset: Offset
    /// What the primary knows of producers whose batches are below its first offset: for a secondary that begins there.
    public var producers: [ProducerPosition]
    /// In order of offset.
    public var batches: [RecordBatch]

    /// Puts a request together.
    public init(
        partition: PartitionID, epoch: LogEpoch, previousEnd: Offset, previousEpoch: LogEpoch, highWatermark: Offset,
        firstOffset: Offset, producers: [ProducerPosition] = [], batches: [RecordBatch]
    ) {
        self.partition = partition
        self.epoch = epoch
        self.previousEnd = previousEnd
        self.previousEpoch = previousEpoch
        self.highWatermark = highWatermark
        self.firstOffset = firstOffset
        self.producers = producers
        self.batches = batches
    }

    func encode(into writer: inout ByteWriter) {
        writer.partition(partition)
        writer.integer(epoch)
        writer.integer(previousEnd)
        writer.integer(previousEpoch)
        writer.integer(highWatermark)
        writer.integer(firstOffset)
        writer.list(producers) { $1.encode(into: &$0) }
        writer.list(batches) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(WireError) {
        partition = try reader.partition()
        epoch = try reader.integer("log epoch")
        previousEnd = try reader.integer("previous end")
        previousEpoch = try reader.integer("previous epoch")
        highWatermark = try reader.integer("high watermark")
        firstOffset = try reader.integer("first offset")
        producers = try reader.list("producers", max: WireLimits.producersMax, minBytes: ProducerPosition.encodedBytes)
        {
            reader throws(WireError) in
            try ProducerPosition(from: &reader)
        }
        batches = try reader.batches()
    }
}

/// A secondary's answer to an append.
public struct Appended: Hashable, Sendable {
    /// Of which partition.
    public var partition: PartitionID
    /// The epoch of the request, or the higher one that this replica knows: then the sender is no primary any more.
    public var epoch: LogEpoch
    /// The replica's present log.
    public var logID: LogID
    /// Whether the batch before the shipped ones stands in this log too.
    public var matched: Bool
    /// Matched: the durable end of what is known to agree with the primary's log. Not matched: where the primary should
    /// try next, which is not above the end of this log.
    public var end: Offset

    /// Puts an answer together.
    public init(partition: PartitionID, epoch: LogEpoch, logID: LogID, matched: Bool, end: Offset) {
        self.partition = partition
        self.epoch = epoch
        self.logID = logID
        self.matched = matched
        self.end = end
    }

    func encode(into writer: inout ByteWriter) {
        writer.partition(partition)
        writer.integer(epoch)
        writer.integer(logID)
        writer.bool(matched)
        writer.integer(end)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        partition = try reader.partition()
        epoch = try reader.integer("log epoch")
        logID = try reader.integer("log id")
        matched = try reader.bool("matched")
        end = try reader.integer("end")
    }
}

/// Tells a replica that the configuration of a partition has changed: the topic was deleted, or it should be primary.
/// A hint: it reads the configuration and does what that says.
public struct Reconfigured: Hashable, Sendable {
    /// Which partition.
    public var partition: PartitionID

    /// Wraps a partition.
    public init(partition: PartitionID) { self.partition = partition }

    func encode(into writer: inout ByteWriter) { writer.partition(partition) }

    init(from reader: inout ByteReader) throws(WireError) { partition = try reader.partition() }
}
