import FoundationEssentials
import Wire

/// A stored document that is not what its key promises.
package struct DocumentError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The document's key.
    package var key: String
    /// What is wrong with it.
    package var problem: String

    /// One line for people.
    package var description: String {
        "the document \(key) cannot be read: \(problem); mend it or delete it by its key"
    }
}

/// Documents as JSON bytes.
package enum FleetJSON {
    /// The document as JSON in UTF-8, members in the order of their names, so that equal documents are equal bytes.
    package static func encode(_ document: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Documents hold finite numbers and text only; an encoder that fails on those is broken, not the input.
        guard let data = try? encoder.encode(document) else {
            preconditionFailure("a \(type(of: document)) holds a number that JSON has no text for")
        }
        return [UInt8](data)
    }

    /// Reads a document back; `key` is named in the error.
    package static func decode<Document: Decodable>(
        _ type: Document.Type, from bytes: [UInt8], key: @autoclosure () -> String
    ) throws(DocumentError) -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw DocumentError(key: key(), problem: describe(error))
        } catch {
            throw DocumentError(key: key(), problem: "\(error)")
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
            let keys = (context.codingPath + (last.map { [$0] } ?? [])).map(\.stringValue)
            return keys.isEmpty ? "the document" : keys.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(path(context, key)) is missing"
        case .valueNotFound(_, let context): return "\(path(context)) is null"
        case .typeMismatch(let type, let context): return "\(path(context)) is not a \(type)"
        case .dataCorrupted(let context): return "\(path(context)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}

/// A moment as RFC 3339 text in a document.
struct Moment: Codable {
    var milliseconds: Int64

    init(_ milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp.milliseconds(rfc3339: text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is no RFC 3339 time")
        }
        milliseconds = Int64(value)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Timestamp.rfc3339(milliseconds: UInt64(max(0, milliseconds))))
    }
}

extension Double {
    /// The number with so many decimals: documents say no more than is known.
    func rounded(decimals: Int) -> Double {
        var factor = 1.0
        for _ in 0..<decimals { factor *= 10 }
        return (self * factor).rounded() / factor
    }
}
