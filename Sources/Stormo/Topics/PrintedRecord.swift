import Gateway
import StormoClient
import Wire

/// A record as `stormo topic consume -o jsonl` prints it, and as `stormo topic publish --jsonl` takes it: what was read can
/// be published again with the same key, value and headers, whatever bytes they are.
struct PrintedRecord: Codable, Sendable, Hashable {
    /// The partition; of no account when it is published.
    var partition: UInt32?
    /// The offset; likewise.
    var offset: UInt64?
    /// When it came to be; now, when it is published without.
    var timestamp: String?
    /// The key, when it has one and that is UTF-8.
    var key: String?
    /// A key that is not, in base 64.
    var keyBase64: String?
    /// The value, when it is UTF-8.
    var value: String?
    /// A value that is not, in base 64.
    var valueBase64: String?
    /// Names and values of headers that are UTF-8; absent when there are none.
    var headers: [String: Texts]?
    /// Those that are not, in base 64.
    var headersBase64: [String: Texts]?

    /// The values of a header: nearly always one, a list when the name is given again.
    enum Texts: Codable, Sendable, Hashable {
        case one(String)
        case several([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .one(text)
            } else {
                self = .several(try container.decode([String].self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .one(let text): try container.encode(text)
            case .several(let texts): try container.encode(texts)
            }
        }

        var all: [String] {
            switch self {
            case .one(let text): [text]
            case .several(let texts): texts
            }
        }

        mutating func add(_ text: String) { self = .several(all + [text]) }
    }

    /// Columns beside the value.
    struct Columns: Sendable, Hashable {
        /// Partition and offset.
        var offsets = false
        /// The key.
        var keys = false
    }

    /// What is wrong with a document.
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// Puts a record into print.
    init(_ found: PositionedRecord) {
        partition = found.position.partition
        offset = found.position.offset
        timestamp = Timestamp.rfc3339(milliseconds: min(found.record.timestampMs, 253_402_300_799_999))
        (key, keyBase64) = found.record.key.map(Self.printed) ?? (nil, nil)
        (value, valueBase64) = Self.printed(found.record.value)
        for header in found.record.headers {
            switch Self.printed(header.value) {
            case (let text?, _): Self.add(text, to: &headers, header.name)
            case (_, let base64): Self.add(base64 ?? "", to: &headersBase64, header.name)
            }
        }
    }

    /// Reads a line.
    init(line: [UInt8]) throws {
        do { self = try JSONText.decode(PrintedRecord.self, line) } catch {
            throw Malformed(
                description:
                    "is no document of 'consume -o jsonl', such as {\"key\":\"k\",\"value\":\"v\"}: \(Self.text(error))"
            )
        }
    }

    /// The record of the document; made at `nowMs` when it does not say when.
    func record(nowMs: UInt64) throws -> Record {
        var timestampMs = nowMs
        if let timestamp {
            guard let ms = Timestamp.milliseconds(rfc3339: timestamp) else {
                throw Malformed(description: "has a timestamp that is not RFC 3339: '\(timestamp.prefix(80))'")
            }
            timestampMs = ms
        }
        guard let value = try Self.bytes(value, valueBase64, "value") else {
            throw Malformed(description: "has neither \"value\" nor \"value_base64\"")
        }
        var list: [Record.Header] = []
        for (name, texts) in (headers ?? [:]).sorted(by: { $0.key < $1.key }) {
            list += texts.all.map { Record.Header(name: name, value: Array($0.utf8)) }
        }
        for (name, texts) in (headersBase64 ?? [:]).sorted(by: { $0.key < $1.key }) {
            for text in texts.all {
                list.append(Record.Header(name: name, value: try Self.bytes(nil, text, "headers") ?? []))
            }
        }
        guard list.count <= WireLimits.recordHeadersMax,
            list.allSatisfy({ (1...WireLimits.nameBytesMax).contains($0.name.utf8.count) })
        else {
            throw Malformed(
                description:
                    "has more than \(WireLimits.recordHeadersMax) headers, or a name that is not 1 to \(WireLimits.nameBytesMax) bytes"
            )
        }
        return Record(
            key: try Self.bytes(key, keyBase64, "key"), value: value, headers: list, timestampMs: timestampMs)
    }

    /// The bytes of a record, with the end of its line: the value as it is behind the columns that are wanted, or JSON.
    static func bytes(_ found: PositionedRecord, _ output: OutputFormat, _ columns: Columns) -> [UInt8] {
        switch output {
        case .json, .jsonl: return JSONText.line(PrintedRecord(found))
        case .table:
            var bytes: [UInt8] = []
            if columns.offsets { bytes += Array("\(found.position.partition)@\(found.position.offset)\t".utf8) }
            if columns.keys { bytes += (found.record.key ?? []) + [0x09] }
            return bytes + found.record.value + [0x0A]
        }
    }

    // MARK: Text and bytes

    private static func printed(_ bytes: [UInt8]) -> (text: String?, base64: String?) {
        if let text = String(validating: bytes, as: UTF8.self) { return (text, nil) }
        return (nil, Base64.encode(bytes))
    }

    private static func bytes(_ text: String?, _ base64: String?, _ name: String) throws -> [UInt8]? {
        switch (text, base64) {
        case (let text?, nil): return Array(text.utf8)
        case (nil, let base64?):
            guard let bytes = Base64.decode(base64) else {
                throw Malformed(description: "has a \(name) that is not base 64 (RFC 4648, section 4)")
            }
            return bytes
        case (nil, nil): return nil
        default: throw Malformed(description: "has its \(name) twice, as text and in base 64")
        }
    }

    private static func add(_ text: String, to headers: inout [String: Texts]?, _ name: String) {
        if headers?[name]?.add(text) == nil {
            headers = (headers ?? [:]).merging([name: .one(text)]) { first, _ in first }
        }
    }

    private static func text(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        case .keyNotFound(let key, _): "\(key.stringValue) is missing"
        case .dataCorrupted, nil, .some: "it is not JSON"
        }
    }
}
