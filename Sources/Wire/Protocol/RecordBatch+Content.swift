/// What a batch holds.
extension RecordBatch {
    /// A record and its offset.
    public struct Entry: Hashable, Sendable {
        /// Its offset.
        public var offset: Offset
        /// The record.
        public var record: Record

        /// Pairs the two.
        public init(offset: Offset, record: Record) {
            self.offset = offset
            self.record = record
        }
    }

    /// Unpacks the records, offsets counting from `baseOffset`. Throws for a damaged batch or one that lies about its
    /// count or length.
    public func entries() throws(WireError) -> [Entry] {
        var entries: [Entry] = []
        try read { reader, delta throws(WireError) in
            entries.append(Entry(offset: baseOffset + Offset(delta), record: try reader.record()))
        }
        return entries
    }

    /// Unpacks the records without their offsets. Throws as `entries` does.
    public func records() throws(WireError) -> [Record] { try entries().map(\.record) }

    /// Whether `entries` could unpack all records: finds out without making them. Throws what it would throw.
    public func validate() throws(WireError) {
        try read { reader, _ throws(WireError) in try reader.skipRecord() }
    }

    /// What compaction has to know of a record.
    package struct Outline: Hashable, Sendable {
        /// Its offset.
        package var offset: Offset
        /// Its key; nil for none.
        package var key: [UInt8]?
        /// Whether it says that its key is deleted: it has a key and no value.
        package var isMarker: Bool
    }

    /// Goes through the records without making them. Throws as `entries` does.
    package func outlines() throws(WireError) -> [Outline] {
        var outlines: [Outline] = []
        try read { reader, delta throws(WireError) in
            let (key, isEmpty) = try reader.recordKey()
            outlines.append(
                Outline(offset: baseOffset + Offset(delta), key: key, isMarker: key != nil && isEmpty))
        }
        return outlines
    }

    /// The batch with only some of its records; their offsets stay, and so do its ends, its time and its producer's number
    /// of the first record: where it is in the log, and what comes next of its producer, is as before. `purging` says that
    /// deletion markers are among what goes. Throws as `entries` does.
    public func compacted(
        keeping isKept: (Entry) -> Bool, purging: Bool = false
    ) throws(WireError) -> RecordBatch {
        var writer = ByteWriter(capacity: Int(rawCount))
        var latest: UInt64 = 0
        for entry in try entries() where isKept(entry) {
            writer.integer(UInt32(entry.offset - baseOffset))
            writer.record(entry.record)
            latest = max(latest, entry.record.timestampMs)
        }
        let packed = writer.bytes.withUnsafeBytes { LZ4Block.compress($0) }
        return RecordBatch(
            baseOffset: baseOffset, epoch: epoch, appendedMs: appendedMs, producerID: producerID, sequence: sequence,
            count: count, timestampMsMax: latest, codec: packed == nil ? .none : .lz4, isSparse: true,
            isPurged: isPurged || purging, rawCount: UInt32(writer.count), payload: packed ?? writer.bytes,
            checksum: nil)
    }

    /// Goes through the unpacked payload: `body` reads the record that it stands before.
    private func read(_ body: (inout ByteReader, UInt32) throws(WireError) -> Void) throws(WireError) {
        let raw = try unpacked()
        let result: Result<Void, WireError> = raw.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                if isSparse { try readSparse(&reader, body) } else { try readAll(&reader, body) }
                try reader.end(of: "batch")
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    private func readAll(
        _ reader: inout ByteReader, _ body: (inout ByteReader, UInt32) throws(WireError) -> Void
    ) throws(WireError) {
        // Refused before a lie about the count costs anything.
        guard Int(count) * Record.encodedCountMin <= reader.remaining else {
            throw .invalid(
                field: "record count", found: "\(count)",
                expected: "at most \(reader.remaining / Record.encodedCountMin) in \(reader.remaining) bytes")
        }
        for delta in 0..<count { try body(&reader, delta) }
    }

    private func readSparse(
        _ reader: inout ByteReader, _ body: (inout ByteReader, UInt32) throws(WireError) -> Void
    ) throws(WireError) {
        var next: UInt32 = 0
        while reader.remaining > 0 {
            let delta: UInt32 = try reader.integer("offset in the batch")
            guard delta >= next, delta < count else {
                throw .invalid(
                    field: "offset in the batch", found: "\(delta)", expected: "at least \(next) and below \(count)")
            }
            try body(&reader, delta)
            next = delta + 1
        }
    }

    private func unpacked() throws(WireError) -> [UInt8] {
        switch codec {
        case .none:
            guard payload.count == Int(rawCount) else {
                throw .invalid(
                    field: "raw length", found: "\(rawCount)",
                    expected: "\(payload.count), the payload's length, since it is not packed")
            }
            return payload
        case .lz4:
            let result: Result<[UInt8], WireError> = payload.withUnsafeBytes { bytes in
                do throws(WireError) { return .success(try LZ4Block.decompress(bytes, rawCount: Int(rawCount))) } catch
                { return .failure(error) }
            }
            return try result.get()
        }
    }
}
