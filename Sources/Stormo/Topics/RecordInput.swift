import ArgumentParser
import StormoClient
import Wire

/// Makes records of what `stormo topic publish` is given, one text after the other.
struct RecordInput: Sendable {
    /// How texts are read.
    enum Reading: Sendable {
        /// As values, all with the same headers; with one key, or each with its own before a separator.
        case values(key: [UInt8]?, separator: [UInt8]?, headers: [Record.Header])
        /// As documents, as they were printed.
        case documents

        /// The longest line, in bytes: base 64 takes four bytes for three, and JSON up to six for one.
        var lineBytesMax: Int {
            switch self {
            case .values: WireLimits.recordBytesMax
            case .documents: 6 * WireLimits.recordBytesMax + 4_096
            }
        }
    }

    private let reading: Reading
    private var count = 0

    /// Reads in one way.
    init(_ reading: Reading) { self.reading = reading }

    /// The record of the next text; throws a usage error that names it by its number.
    mutating func record(_ text: [UInt8], nowMs: UInt64) throws -> Record {
        count += 1
        let record: Record
        switch reading {
        case .values(let key, let separator, let headers):
            guard let separator else {
                record = Record(key: key, value: text, headers: headers, timestampMs: nowMs)
                break
            }
            guard let place = text.firstRange(of: separator) else {
                let shown = String(decoding: separator, as: UTF8.self)
                throw ValidationError("record \(count) has no '\(shown)' between its key and its value")
            }
            record = Record(
                key: Array(text[..<place.lowerBound]), value: Array(text[place.upperBound...]), headers: headers,
                timestampMs: nowMs)
        case .documents:
            do { record = try PrintedRecord(line: text).record(nowMs: nowMs) } catch {
                throw ValidationError("record \(count) \(error)")
            }
        }
        guard record.encodedCount <= WireLimits.recordBytesMax else {
            throw ValidationError(
                "record \(count) takes \(record.encodedCount) bytes, at most \(WireLimits.recordBytesMax) are possible")
        }
        return record
    }
}
