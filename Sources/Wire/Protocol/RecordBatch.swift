/// A record of a topic.
public struct Record: Hashable, Sendable {
    /// Decides the partition and what compaction keeps; nil for none.
    public var key: [UInt8]?
    /// The content.
    public var value: [UInt8]
    /// Name and value pairs beside the content, at most 64.
    public var headers: [Header]
    /// When it came to be, in milliseconds since 1970, by the producer's clock.
    public var timestampMs: UInt64

    /// One header.
    public struct Header: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Its value.
        public var value: [UInt8]

        /// Pairs the two.
        public init(name: String, value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// Puts a record together.
    public init(key: [UInt8]?, value: [UInt8], headers: [Header] = [], timestampMs: UInt64) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestampMs = timestampMs
    }

    /// Bytes that it takes in a batch before compression.
    public var encodedCount: Int {
        8 + 4 + (key?.count ?? 0) + 4 + value.count + 2
            + headers.reduce(0) { $0 + 6 + $1.name.utf8.count + $1.value.count }
    }
}

/// Records that travel, are stored and are fetched together: compressed once by the producer, never opened on the way.
///
/// The primary's part (base offset and epoch) lies outside the producer's checksum, since the primary sets it.
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
    /// Which producer; 0 for one that does not number its batches.
    public let producerID: UInt64
    /// The producer's number of the first record in this partition.
    public let sequence: UInt64
    /// Records in the batch, at least 1.
    public let count: UInt32
    /// The latest timestamp among the records, in milliseconds since 1970.
    public let timestampMsMax: UInt64
    /// How `payload` is packed.
    public let codec: Codec
    /// Length of the payload once unpacked, in bytes.
    public let rawCount: UInt32
    /// The packed records.
    public let payload: [UInt8]
    /// Low half of XXH64 over the producer's part.
    public let checksum: UInt32

    /// The offset behind the last record.
    public var endOffset: Offset { baseOffset + Offset(count) }

    /// Bytes of the fixed part.
    public static let headerBytes = 8 + 4 + 4 + 8 + 8 + 4 + 8 + 1 + 4 + 4

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
            baseOffset: 0, epoch: 0, producerID: producerID, sequence: sequence, count: UInt32(records.count),
            timestampMsMax: latest, codec: packed == nil ? .none : .lz4, rawCount: UInt32(writer.count),
            payload: packed ?? writer.bytes, checksum: nil)
    }

    private init(
        baseOffset: Offset, epoch: LogEpoch, producerID: UInt64, sequence: UInt64, count: UInt32,
        timestampMsMax: UInt64,
        codec: Codec, rawCount: UInt32, payload: [UInt8], checksum: UInt32?
    ) {
        self.baseOffset = baseOffset
        self.epoch = epoch
        self.producerID = producerID
        self.sequence = sequence
        self.count = count
        self.timestampMsMax = timestampMsMax
        self.codec = codec
        self.rawCount = rawCount
        self.payload = payload
        if let checksum {
            self.checksum = checksum
        } else {
            var writer = ByteWriter(capacity: Self.headerBytes)
            writer.integer(producerID)
            writer.integer(sequence)
            writer.integer(count)
            writer.integer(timestampMsMax)
            writer.integer(codec.rawValue)
            writer.integer(rawCount)
            let seed = XXH64.hash(writer.bytes)
            self.checksum = UInt32(truncatingIfNeeded: XXH64.hash(payload, seed: seed))
        }
    }

    /// Whether the checksum is that of the content.
    public var isIntact: Bool {
        let again = RecordBatch(
            baseOffset: 0, epoch: 0, producerID: producerID, sequence: sequence, count: count,
            timestampMsMax: timestampMsMax,
            codec: codec, rawCount: rawCount, payload: payload, checksum: nil)
        return again.checksum == checksum
    }

    /// Unpacks the records, offsets counting from `baseOffset`. Throws for a damaged batch or one that lies about its
    /// count or length.
    public func records() throws(WireError) -> [Record] {
        let raw: [UInt8]
        switch codec {
        case .none:
            guard payload.count == Int(rawCount) else {
                throw .invalid(
                    field: "raw length", found: "\(rawCount)",
                    expected: "\(payload.count), the payload's length, since it is not packed")
            }
            raw = payload
        case .lz4:
            let result: Result<[UInt8], WireError> = payload.withUnsafeBytes { bytes in
                do throws(WireError) { return .success(try LZ4Block.decompress(bytes, rawCount: Int(rawCount))) } catch
                { return .failure(error) }
            }
            raw = try result.get()
        }
        let result: Result<[Record], WireError> = raw.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                guard Int(count) * 18 <= bytes.count else {
                    throw .invalid(
                        field: "record count", found: "\(count)",
                        expected: "at most \(bytes.count / 18) in \(bytes.count) bytes")
                }
                var records: [Record] = []
                records.reserveCapacity(Int(count))
                for _ in 0..<count { records.append(try reader.record()) }
                try reader.end(of: "batch")
                return .success(records)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Appends the batch as it is stored and sent.
    public func encode(into writer: inout ByteWriter) {
        writer.integer(baseOffset)
        writer.integer(epoch)
        writer.integer(checksum)
        writer.integer(producerID)
        writer.integer(sequence)
        writer.integer(count)
        writer.integer(timestampMsMax)
        writer.integer(codec.rawValue)
        writer.integer(rawCount)
        writer.blob(payload)
    }

    /// Reads a batch. The checksum is not verified here: see `isIntact`.
    public init(from reader: inout ByteReader) throws(WireError) {
        let baseOffset: Offset = try reader.integer("base offset")
        let epoch: LogEpoch = try reader.integer("log epoch")
        let checksum: UInt32 = try reader.integer("batch checksum")
        let producerID: UInt64 = try reader.integer("producer id")
        let sequence: UInt64 = try reader.integer("sequence")
        let count: UInt32 = try reader.integer("record count")
        let timestampMsMax: UInt64 = try reader.integer("timestamp")
        let codec = try reader.raw("codec", Codec.self)
        let rawCount: UInt32 = try reader.integer("raw length")
        guard rawCount <= WireLimits.batchBytesMax else {
            throw .overLimit(field: "batch", found: Int(rawCount), max: WireLimits.batchBytesMax)
        }
        guard count > 0 else { throw .invalid(field: "record count", found: "0", expected: "at least 1") }
        let payload = try reader.blob("payload", max: WireLimits.batchBytesMax)
        self.init(
            baseOffset: baseOffset, epoch: epoch, producerID: producerID, sequence: sequence, count: count,
            timestampMsMax: timestampMsMax, codec: codec, rawCount: rawCount, payload: payload, checksum: checksum)
    }
}

extension ByteWriter {
    fileprivate mutating func record(_ record: Record) {
        integer(record.timestampMs)
        if let key = record.key { blob(key) } else { integer(UInt32.max) }
        blob(record.value)
        integer(UInt16(record.headers.count))
        for header in record.headers {
            text(header.name)
            blob(header.value)
        }
    }
}

extension ByteReader {
    fileprivate mutating func record() throws(WireError) -> Record {
        let timestampMs: UInt64 = try integer("timestamp")
        let keyCount: UInt32 = try integer("record key")
        guard keyCount == .max || keyCount <= WireLimits.recordBytesMax else {
            throw .overLimit(field: "record key", found: Int(keyCount), max: WireLimits.recordBytesMax)
        }
        let key = keyCount == .max ? nil : try raw("record key", count: Int(keyCount))
        let value = try blob("record value", max: WireLimits.recordBytesMax)
        let headerCount: UInt16 = try integer("header count")
        guard headerCount <= WireLimits.recordHeadersMax else {
            throw .overLimit(field: "headers of a record", found: Int(headerCount), max: WireLimits.recordHeadersMax)
        }
        var headers: [Record.Header] = []
        for _ in 0..<headerCount {
            let name = try text("header name")
            headers.append(Record.Header(name: name, value: try blob("header value", max: WireLimits.recordBytesMax)))
        }
        return Record(key: key, value: value, headers: headers, timestampMs: timestampMs)
    }
}
