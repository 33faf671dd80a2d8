package import EnergyRules
import FoundationEssentials

/// Why a body that should be readings, thresholds or an alert cannot be taken.
package enum EnergyInputError: Error, Equatable, CustomStringConvertible {
    /// It is not JSON; the text says where it stops being so.
    case malformed(String)
    /// It is JSON, but these fields cannot be accepted.
    case invalid([FieldProblem])

    /// One line for people.
    package var description: String {
        switch self {
        case .malformed(let detail): "not JSON: \(detail)"
        case .invalid(let problems): problems.map(\.description).joined(separator: "; ")
        }
    }
}

/// A member name of a JSON object.
struct FieldKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }

    init?(stringValue: String) { self.init(stringValue) }

    init?(intValue: Int) { nil }
}

/// Reads an object's members and keeps a list of all that are missing or of the wrong type, where `Decodable` alone
/// stops at the first.
struct FieldReader {
    private let container: KeyedDecodingContainer<FieldKey>
    private let path: String
    private(set) var problems: [FieldProblem] = []

    /// A reader of an object; nil when the value is none. `path` goes before the members' names.
    init?(_ decoder: any Decoder, path: String = "") {
        guard let container = try? decoder.container(keyedBy: FieldKey.self) else { return nil }
        self.container = container
        self.path = path
    }

    private init(container: KeyedDecodingContainer<FieldKey>, path: String) {
        self.container = container
        self.path = path
    }

    /// Names of the members, sorted.
    var names: [String] { container.allKeys.map(\.stringValue).sorted() }

    /// Whether there is such a member and it is not null.
    func has(_ name: String) -> Bool {
        let key = FieldKey(name)
        return container.contains(key) && (try? container.decodeNil(forKey: key)) == false
    }

    /// A number; strings are not taken for numbers.
    mutating func number(_ name: String) -> Double? { value(name, "a number") }

    /// A whole number.
    mutating func integer(_ name: String) -> Int? { value(name, "a whole number") }

    /// A text.
    mutating func text(_ name: String) -> String? { value(name, "a string") }

    /// A moment in RFC 3339, as ms since 1970.
    mutating func timestamp(_ name: String) -> Int64? {
        guard let text: String = value(name, "an RFC 3339 time") else { return nil }
        guard let milliseconds = EnergyTime.milliseconds(text) else {
            let found = String(text.prefix(64))
            add(name, "expected an RFC 3339 time with its offset from UTC, found \"\(found)\"")
            return nil
        }
        return milliseconds
    }

    /// A reader of an object within this one; its problems are to be taken over with ``take(_:)``.
    mutating func object(_ name: String) -> FieldReader? {
        let key = FieldKey(name)
        guard container.contains(key) else {
            add(name, "is missing")
            return nil
        }
        guard let nested = try? container.nestedContainer(keyedBy: FieldKey.self, forKey: key) else {
            add(name, "expected an object, found \(found(key))")
            return nil
        }
        return FieldReader(container: nested, path: path + name + ".")
    }

    /// Adds the problems of a nested reader.
    mutating func take(_ nested: FieldReader) { problems.append(contentsOf: nested.problems) }

    /// Adds a problem of a member.
    mutating func add(_ name: String, _ reason: String) {
        problems.append(FieldProblem(field: path + name, reason: reason))
    }

    private mutating func value<Value: Decodable>(_ name: String, _ expected: String) -> Value? {
        let key = FieldKey(name)
        guard container.contains(key) else {
            add(name, "is missing")
            return nil
        }
        if let value = try? container.decode(Value.self, forKey: key) { return value }
        add(name, "expected \(expected), found \(found(key))")
        return nil
    }

    private func found(_ key: FieldKey) -> String {
        if (try? container.decodeNil(forKey: key)) == true { return "null" }
        if let text = try? container.decode(String.self, forKey: key) { return "the string \"\(text.prefix(64))\"" }
        if let flag = try? container.decode(Bool.self, forKey: key) { return "\(flag)" }
        if let number = try? container.decode(Double.self, forKey: key) { return "\(number)" }
        if (try? container.nestedUnkeyedContainer(forKey: key)) != nil { return "an array" }
        if (try? container.nestedContainer(keyedBy: FieldKey.self, forKey: key)) != nil { return "an object" }
        return "a number out of range"
    }
}

/// JSON in and out, in one place.
enum EnergyJSON {
    /// Bytes of a document; members in alphabetical order, so that equal documents are equal bytes.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// A document from bytes. Throws ``EnergyInputError/malformed(_:)`` for what is no JSON.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws(EnergyInputError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as EnergyInputError {
            throw error
        } catch let error as DecodingError {
            switch error {
            case .dataCorrupted(let context): throw .malformed(context.debugDescription)
            default: throw .invalid([FieldProblem(field: "body", reason: "expected another shape of document")])
            }
        } catch {
            throw .malformed("\(error)")
        }
    }
}
