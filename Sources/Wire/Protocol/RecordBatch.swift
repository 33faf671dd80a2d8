/// Records that travel, are stored and are fetched together: compressed once by the producer, never opened on the way.
///
/// The primary's part (base offset, epoch, time) lies outside the producer's checksum, since the primary sets it.
public struct RecordBatch: Hashable, Sendable {
    /// How the payload is packed.
    public enum Codec: UInt8, Sendable, Hashable {
        /// As it is.
        case none = 0
        /// One LZ4 block.
        case lz4 = 1
    }

    /// Offset of the first record; set by the primary.
    public var baseOffset: Offset
    /// The primary's epoch when it appended the batch; set by the primary.
    public var epoch: LogEpoch
    /// When the primary appended it, in milliseconds since 1970 by its clock; never less than that of the batch before it
    /// in the log. 0 from a producer.
    public var appendedMs: UInt64
    /// Which producer; 0 for one that does not number its batches.
    public let producerID: UInt64
    /// The producer's number of the first record in this partition.
    public let sequence: UInt64
    /// Offsets that the batch covers, at least 1: as many as it has records, or had before compaction.
    public let count: UInt32
    /// The latest timestamp among the records, in milliseconds since 1970.
    public let timestampMsMax: UInt64
    /// How `payload` is packed.
    public let codec: Codec
    /// Whether compaction has taken records out: each of those left says which offset it has.
    public let isSparse: Bool
    /// Whether compaction has taken deletion markers out: who holds older records of their keys would not learn of it from
    /// this batch.
    public let isPurged: Bool
    /// Length of the payload once unpacked, in bytes.
    public let rawCount: UInt32
    /// The packed records.
    public let payload: [UInt8]
    /// Low half of XXH64 over the producer's part.
    public private(set) var checksum: UInt32

    /// The offset behind the last one that the batch covers.
    public var endOffset: Offset { baseOffset + Offset(count) }

    /// Bytes of the fixed part.
    public static let headerBytes = 8 + 4 + 8 + 4 + 8 + 8 + 4 + 8 + 1 + 4 + 4

    /// Bytes of the whole batch on the wire and on disk.
    public var encodedCount: Int { Self.headerBytes + payload.count }

    /// Packs records. Throws when there are none, or when one or all of them are over the limits.
    public init(records: [Record], producerID: UInt64 = 0, sequence: UInt64 = 0) throws(WireError) {
        guard !records.isEmpty else { throw .invalid(field: "records", found: "none", expected: "at least 1") }
        var writer = ByteWriter(capacity: records.reduce(0) { $0 + $1.encodedCount })
        var latest: UInt64 = 0
        for record in records {
            let bytes = record.encodedCount
            guard bytes <= WireLimits.recordBytesMax else {
                throw .overLimit(field: "record", found: bytes, max: WireLimits.recordBytesMax)
            }
            guard record.headers.count <= WireLimits.recordHeadersMax else {
                throw .overLimit(
                    field: "headers of a record", found: record.headers.count, max: WireLimits.recordHeadersMax)
            }
            for header in record.headers where header.name.utf8.count > WireLimits.nameBytesMax {
                throw .overLimit(field: "header name", found: header.name.utf8.count, max: WireLimits.nameBytesMax)
            }
            latest = max(latest, record.timestampMs)
            writer.record(record)
        }
        guard writer.count <= WireLimits.batchBytesMax else {
            throw .overLimit(field: "batch", found: writer.count, max: WireLimits.batchBytesMax)
        }
        let packed = writer.bytes.withUnsafeBytes { LZ4Block.compress($0) }
        self.init(
            baseOffset: 0, epoch: 0, appendedMs: 0, producerID: producerID, sequence: sequence,
            count: UInt32(records.count), timestampMsMax: latest, codec: packed == nil ? .none : .lz4, isSparse: false,
            isPurged: false, rawCount: UInt32(writer.count), payload: packed ?? writer.bytes, checksum: nil)
    }

    init(
        baseOffset: Offset, epoch: LogEpoch, appendedMs: UInt64, producerID: UInt64, sequence: UInt64, count: UInt32,
        timestampMsMax: UInt64, codec: Codec, isSparse: Bool, isPurged: Bool, rawCount: UInt32, payload: [UInt8],
        checksum: UInt32?
    ) {
        self.baseOffset = baseOffset
        self.epoch = epoch
        self.appendedMs = appendedMs
        self.producerID = producerID
        self.sequence = sequence
        self.count = count
        self.timestampMsMax = timestampMsMax
        self.codec = codec
        self.isSparse = isSparse
        self.isPurged = isPurged
        self.rawCount = rawCount
        self.payload = payload
        self.checksum = 0
        self.checksum = checksum ?? digest
    }

    /// Whether the checksum is that of the content.
    public var isIntact: Bool { checksum == digest }

    /// What the checksum should be.
    private var digest: UInt32 {
        var writer = ByteWriter(capacity: Self.headerBytes)
        writer.integer(producerID)
        writer.integer(sequence)
        writer.integer(count)
        writer.integer(timestampMsMax)
        writer.integer(form)
        writer.integer(rawCount)
        return UInt32(truncatingIfNeeded: XXH64.hash(payload, seed: XXH64.hash(writer.bytes)))
    }

    /// Codec and what compaction has done, as one byte.
    private var form: UInt8 {
        codec.rawValue | (isSparse ? Self.sparseBit : 0) | (isPurged ? Self.purgedBit : 0)
    }

    private static let sparseBit: UInt8 = 2
    private static let purgedBit: UInt8 = 4

    /// Appends the batch as it is stored and sent.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(baseOffset)
        writer.integer(epoch)
        writer.integer(appendedMs)
        writer.integer(checksum)
        writer.integer(producerID)
        writer.integer(sequence)
        writer.integer(count)
        writer.integer(timestampMsMax)
        writer.integer(form)
        writer.integer(rawCount)
        writer.blob(payload)
    }

    /// Reads a batch. The checksum is not verified here: see `isIntact`.
    public init(from reader: inout ByteReader) throws(WireError) {
        let baseOffset: Offset = try reader.integer("base offset")
        let epoch: LogEpoch = try reader.integer("log epoch")
        let appendedMs: UInt64 = try reader.integer("time of appending")
        let checksum: UInt32 = try reader.integer("batch checksum")
        let producerID: UInt64 = try reader.integer("producer id")
        let sequence: UInt64 = try reader.integer("sequence")
        let count: UInt32 = try reader.integer("record count")
        let timestampMsMax: UInt64 = try reader.integer("timestamp")
        let form: UInt8 = try reader.integer("codec")
        let isSparse = form & Self.sparseBit != 0
        let isPurged = form & Self.purgedBit != 0
        guard let codec = Codec(rawValue: form & ~(Self.sparseBit | Self.purgedBit)), isSparse || !isPurged else {
            throw .invalid(field: "codec", found: "\(form)", expected: "0 to 3, 6 or 7")
        }
        let bytesMax = isSparse ? WireLimits.sparseBatchBytesMax : WireLimits.batchBytesMax
        let rawCount: UInt32 = try reader.integer("raw length")
        guard rawCount <= bytesMax else {
            throw .overLimit(field: "batch", found: Int(rawCount), max: bytesMax)
        }
        guard count > 0 else { throw .invalid(field: "record count", found: "0", expected: "at least 1") }
        let payload = try reader.blob("payload", max: bytesMax)
        self.init(
            baseOffset: baseOffset, epoch: epoch, appendedMs: appendedMs, producerID: producerID, sequence: sequence,
            count: count, timestampMsMax: timestampMsMax, codec: codec, isSparse: isSparse, isPurged: isPurged,
            rawCount: rawCount, payload: payload, checksum: checksum)
    }
}
