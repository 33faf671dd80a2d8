import HTTPTypes
import StormoClient
import Wire

/// Records as JSON: what is published, and what is read.
enum RecordDocument {
    /// The last millisecond that RFC 3339 can express; a producer's clock may say more.
    private static let timestampMsMax: UInt64 = 253_402_300_799_999

    // MARK: Reading

    /// The records of a body `{"records":[{"key"?,"value","headers"?}]}`, all made at `nowMs`. A value that is not JSON
    /// comes as `value_base64`. 422 names all that is wrong; 413 for a record over the limit.
    static func records(of body: [UInt8], nowMs: UInt64) throws(Problem) -> [Record] {
        var fields = try BodyFields(body)
        fields.refuseOthers(than: ["records"])
        let elements = fields.elements("records")
        if let elements, elements.isEmpty { fields.add("records", "expected at least 1") }
        var records: [Record] = []
        for (index, element) in (elements ?? []).enumerated() {
            let path = "records[\(index)]"
            guard case .object(let object) = element else {
                fields.add(path, "expected an object, found \(element.kind)")
                continue
            }
            var own = BodyFields(object, path: "\(path).")
            records.append(record(&own, of: body, nowMs))
            fields.addErrors(of: own)
        }
        try fields.check()
        for (index, record) in records.enumerated() where record.encodedCount > WireLimits.recordBytesMax {
            let detail = "takes \(record.encodedCount) bytes, at most \(WireLimits.recordBytesMax) are possible"
            throw Problem(
                .contentTooLarge, "record_too_large", "A record is too large", "records[\(index)]: \(detail)",
                errors: [FieldError(field: "records[\(index)]", detail: detail)])
        }
        return records
    }

    private static func record(_ fields: inout BodyFields, of body: [UInt8], _ nowMs: UInt64) -> Record {
        fields.refuseOthers(than: ["key", "value", "value_base64", "headers"])
        let key = fields.has("key") ? fields.text("key", bytesMax: WireLimits.recordBytesMax) : nil
        var value: [UInt8] = []
        if fields.has("value_base64") {
            if fields.object["value"] != nil {
                fields.add("value_base64", "stands in place of \"value\", not beside it")
            } else if case .string(let text)? = fields.object["value_base64"], let bytes = Base64.decode(text) {
                value = bytes
            } else {
                fields.add("value_base64", "expected a string of base 64 (RFC 4648, section 4)")
            }
        } else {
            value = fields.raw("value", of: body)
        }
        return Record(
            key: key.map { Array($0.utf8) }, value: value, headers: headers(&fields), timestampMs: nowMs)
    }

    private static func headers(_ fields: inout BodyFields) -> [Record.Header] {
        guard fields.has("headers") else { return [] }
        guard case .object(let object)? = fields.object["headers"] else {
            fields.add("headers", "expected an object of strings")
            return []
        }
        guard object.members.count <= WireLimits.recordHeadersMax else {
            fields.add("headers", "expected at most \(WireLimits.recordHeadersMax), found \(object.members.count)")
            return []
        }
        var headers: [Record.Header] = []
        for member in object.members {
            let name = "headers.\(member.name.prefix(64))"
            guard (1...WireLimits.nameBytesMax).contains(member.name.utf8.count) else {
                fields.add(name, "expected a name of 1 to \(WireLimits.nameBytesMax) bytes")
                continue
            }
            guard case .string(let text) = member.value else {
                fields.add(name, "expected a string, found \(member.value.kind)")
                continue
            }
            headers.append(Record.Header(name: member.name, value: Array(text.utf8)))
        }
        return headers
    }

    // MARK: Writing

    /// Writes a record with its place. Bytes that are no text, or for a value no JSON, stand in base 64 beside a null or,
    /// for headers, in an object of their own.
    static func write(_ found: PositionedRecord, to writer: inout JSONWriter) {
        let record = found.record
        writer.object {
            $0.member("partition", found.position.partition)
            $0.member("offset", found.position.offset)
            $0.member("timestamp", Timestamp.rfc3339(milliseconds: min(record.timestampMs, timestampMsMax)))
            let key = record.key.flatMap(text)
            $0.member("key", key)
            if key == nil, let bytes = record.key { $0.member("key_base64", Base64.encode(bytes)) }
            $0.storedValue(record.value)
            // Of a name given twice the last one counts, as in JSON.
            let last = record.headers.enumerated().filter { index, header in
                !record.headers[(index + 1)...].contains { $0.name == header.name }
            }.map(\.element)
            $0.name("headers")
            $0.object {
                for header in last { if let text = text(header.value) { $0.member(header.name, text) } }
            }
            let others = last.filter { text($0.value) == nil }
            guard !others.isEmpty else { return }
            $0.name("headers_base64")
            $0.object { for header in others { $0.member(header.name, Base64.encode(header.value)) } }
        }
    }

    private static func text(_ bytes: [UInt8]) -> String? { String(validating: bytes, as: UTF8.self) }
}

extension JSONWriter {
    /// A member that lists places in partitions.
    mutating func positions(_ name: String, _ positions: [RecordPosition]) {
        self.name(name)
        array {
            for position in positions {
                $0.object {
                    $0.member("partition", position.partition)
                    $0.member("offset", position.offset)
                }
            }
        }
    }
}
