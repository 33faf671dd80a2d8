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

    /// Bytes of the shortest record: without key, value and headers.
    static let encodedCountMin = 8 + 4 + 4 + 2

    /// Bytes that it takes in a batch before compression.
    public var encodedCount: Int {
        8 + 4 + (key?.count ?? 0) + 4 + value.count + 2
            + headers.reduce(0) { $0 + 6 + $1.name.utf8.count + $1.value.count }
    }
}

extension ByteWriter {
    mutating func record(_ record: Record) {
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
    /// Reads a record of a batch.
    mutating func record() throws(WireError) -> Record {
        var headers: [Record.Header] = []
        let (timestampMs, key, value) = try recordInPlace {
            headers.append(Record.Header(name: $0, value: Array($1)))
        }
        return Record(key: key.map { Array($0) }, value: Array(value), headers: headers, timestampMs: timestampMs)
    }

    /// Passes over a record of a batch, with all checks.
    mutating func skipRecord() throws(WireError) { _ = try recordInPlace { _, _ in } }

    /// The key of a record of a batch, and whether its value is empty; with all checks.
    mutating func recordKey() throws(WireError) -> (key: [UInt8]?, isEmpty: Bool) {
        let (_, key, value) = try recordInPlace { _, _ in }
        return (key.map { Array($0) }, value.isEmpty)
    }

    private mutating func recordInPlace(
        _ header: (String, UnsafeRawBufferPointer) -> Void
    ) throws(WireError) -> (timestampMs: UInt64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer) {
        let timestampMs: UInt64 = try integer("timestamp")
        let keyCount: UInt32 = try integer("record key")
        let key = keyCount == .max ? nil : try part("record key", count: keyCount)
        let value = try part("record value", count: try integer("record value"))
        let headerCount: UInt16 = try integer("header count")
        guard headerCount <= WireLimits.recordHeadersMax else {
            throw .overLimit(field: "headers of a record", found: Int(headerCount), max: WireLimits.recordHeadersMax)
        }
        for _ in 0..<headerCount {
            let name = try text("header name")
            header(name, try part("header value", count: try integer("header value")))
        }
        return (timestampMs, key, value)
    }

    private mutating func part(_ field: StaticString, count: UInt32) throws(WireError) -> UnsafeRawBufferPointer {
        guard count <= WireLimits.recordBytesMax else {
            throw .overLimit(field: "\(field)", found: Int(count), max: WireLimits.recordBytesMax)
        }
        return try view(field, count: Int(count))
    }
}
