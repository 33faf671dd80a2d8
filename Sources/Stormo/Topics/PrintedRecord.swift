import StormoClient
import Wire

/// A record as `stormo topic consume` prints it.
struct PrintedRecord: Encodable, Sendable, Hashable {
    /// The partition.
    var partition: UInt32
    /// The offset.
    var offset: UInt64
    /// When it came to be.
    var timestamp: String
    /// The key, with what is not UTF-8 replaced.
    var key: String?
    /// The value, with what is not UTF-8 replaced.
    var value: String
    /// Names and values; absent when there are none.
    var headers: [String: String]?

    /// Columns beside the value.
    struct Columns: Sendable, Hashable {
        /// Partition and offset.
        var offsets = false
        /// The key.
        var keys = false
    }

    /// Puts a record into print.
    init(_ found: PositionedRecord) {
        partition = found.position.partition
        offset = found.position.offset
        timestamp = Timestamp.rfc3339(milliseconds: min(found.record.timestampMs, 253_402_300_799_999))
        key = found.record.key.map { String(decoding: $0, as: UTF8.self) }
        value = String(decoding: found.record.value, as: UTF8.self)
        let named = found.record.headers.map { ($0.name, String(decoding: $0.value, as: UTF8.self)) }
        headers = named.isEmpty ? nil : Dictionary(named) { _, last in last }
    }

    /// The bytes of a record, with the end of its line: the value as it is behind the columns that are wanted, or JSON.
    static func bytes(_ found: PositionedRecord, _ output: OutputFormat, _ columns: Columns) -> [UInt8] {
        switch output {
        case .json: return JSONText.line(PrintedRecord(found))
        case .table:
            var bytes: [UInt8] = []
            if columns.offsets { bytes += Array("\(found.position.partition)@\(found.position.offset)\t".utf8) }
            if columns.keys { bytes += (found.record.key ?? []) + [0x09] }
            return bytes + found.record.value + [0x0A]
        }
    }
}
