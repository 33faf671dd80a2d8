/// A JSON value as it was written: numbers keep their text, objects the order of their members.
///
/// Two values are equal when they mean the same: numbers by their exact decimal value, objects without regard to the
/// order of their members, strings by their characters (without Unicode normalisation).
enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Parses a whole text.
    init(parsing bytes: [UInt8]) throws(JSONError) {
        self = try JSONParser.parse(bytes, with: JSONTree())
    }

    /// The member of an object; nil for other values and missing members.
    subscript(_ name: String) -> JSONValue? {
        guard case .object(let object) = self else { return nil }
        return object[name]
    }

    /// What kind of value it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// A number in the text it was written in.
struct JSONNumber: Sendable {
    /// The text, in the grammar of RFC 8259.
    let text: String

    /// Wraps a text that the parser has checked.
    init(checked text: String) { self.text = text }

    /// The nearest double; infinite when it is beyond the range of doubles.
    var double: Double { Double(text) ?? .nan }
}

/// The members of an object, each name once, in the order in which they were written.
struct JSONObject: Sendable {
    /// One member.
    struct Member: Sendable {
        /// Its name.
        let name: String
        /// Its value.
        let value: JSONValue
        /// Where the value stands in the text that was parsed; empty for members made by hand.
        let range: Range<Int>
    }

    /// Names above this number are looked up by a table.
    private static let tableMin = 12

    /// The members.
    let members: [Member]
    private let table: [UTF8Name: Int]

    /// Takes members in order. RFC 8259 leaves open what a repeated name means; here the last one counts, as in most
    /// parsers, and it stands where it was written.
    init(_ written: [Member]) {
        guard written.count >= Self.tableMin else {
            var members: [Member] = []
            for member in written {
                members.removeAll { $0.name.utf8.elementsEqual(member.name.utf8) }
                members.append(member)
            }
            self.members = members
            table = [:]
            return
        }
        var last: [UTF8Name: Int] = [:]
        for (index, member) in written.enumerated() { last[UTF8Name(member.name)] = index }
        members =
            last.count == written.count
            ? written : written.enumerated().filter { last[UTF8Name($1.name)] == $0 }.map(\.element)
        var table: [UTF8Name: Int] = [:]
        for (index, member) in members.enumerated() { table[UTF8Name(member.name)] = index }
        self.table = table
    }

    /// The member of a name.
    func member(_ name: String) -> Member? {
        if !table.isEmpty { return table[UTF8Name(name)].map { members[$0] } }
        return members.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// The value of a name.
    subscript(_ name: String) -> JSONValue? { member(name)?.value }
}

/// A name compared by its bytes: Swift's strings take canonically equivalent texts for equal, JSON does not.
private struct UTF8Name: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: UTF8Name, b: UTF8Name) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}

extension JSONValue: Equatable {
    static func == (a: JSONValue, b: JSONValue) -> Bool {
        switch (a, b) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)):
            a.text.utf8.elementsEqual(b.text.utf8) || ExactDecimal(a.text) == ExactDecimal(b.text)
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)):
            a.members.count == b.members.count && a.members.allSatisfy { b[$0.name] == $0.value }
        default: false
        }
    }
}

/// Builds a ``JSONValue``.
struct JSONTree: JSONBuilder {
    func null() -> JSONValue { .null }
    func bool(_ value: Bool) -> JSONValue { .bool(value) }
    func number(_ text: ArraySlice<UInt8>) -> JSONValue {
        .number(JSONNumber(checked: String(decoding: text, as: UTF8.self)))
    }
    func string(_ content: ArraySlice<UInt8>, hasEscapes: Bool) -> JSONValue { .string(text(content, hasEscapes)) }
    func beginArray() -> [JSONValue] { [] }
    func append(_ element: JSONValue, to elements: inout [JSONValue]) { elements.append(element) }
    func array(_ elements: [JSONValue]) -> JSONValue { .array(elements) }
    func beginObject() -> [JSONObject.Member] { [] }
    func append(
        _ name: ArraySlice<UInt8>, hasEscapes: Bool, _ value: JSONValue, range: Range<Int>,
        to members: inout [JSONObject.Member]
    ) {
        members.append(.init(name: text(name, hasEscapes), value: value, range: range))
    }
    func object(_ members: [JSONObject.Member]) -> JSONValue { .object(JSONObject(members)) }

    private func text(_ content: ArraySlice<UInt8>, _ hasEscapes: Bool) -> String {
        hasEscapes ? JSONText.unescaped(content) : String(decoding: content, as: UTF8.self)
    }
}
