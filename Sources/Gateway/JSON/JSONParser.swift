/// What a parser makes of the parts of a text: a tree, or nothing when it only checks.
protocol JSONBuilder {
    /// What one value becomes.
    associatedtype Value
    /// What collects the members of an object.
    associatedtype Members
    /// What collects the elements of an array.
    associatedtype Elements

    mutating func null() -> Value
    mutating func bool(_ value: Bool) -> Value
    /// `text` is a number in the grammar of RFC 8259.
    mutating func number(_ text: ArraySlice<UInt8>) -> Value
    /// `content` is what stands between the quotes; without escapes it is the string itself.
    mutating func string(_ content: ArraySlice<UInt8>, hasEscapes: Bool) -> Value

    mutating func beginArray() -> Elements
    mutating func append(_ element: Value, to elements: inout Elements)
    mutating func array(_ elements: Elements) -> Value

    mutating func beginObject() -> Members
    /// `range` is where the value stands in the text.
    mutating func append(
        _ name: ArraySlice<UInt8>, hasEscapes: Bool, _ value: Value, range: Range<Int>, to members: inout Members)
    mutating func object(_ members: Members) -> Value
}

/// Limits of the parser.
enum JSONLimits {
    /// Arrays and objects within each other: deeper than any document of ours, and shallow enough for a small stack.
    static let depthMax = 128
    /// Digits of a number's exponent without leading zeros: an exponent then fits 64 bits and comparisons stay exact.
    static let exponentDigitsMax = 18
}

/// A strict parser of RFC 8259 over bytes. It refuses what is not UTF-8, escapes of half a surrogate pair, a byte order
/// mark, anything behind the value, and nesting deeper than ``JSONLimits/depthMax``.
struct JSONParser<Builder: JSONBuilder> {
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0
    private var builder: Builder

    /// Parses a whole text.
    static func parse(_ bytes: [UInt8], with builder: Builder) throws(JSONError) -> Builder.Value {
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSONError(offset: error.byteOffsets.lowerBound, reason: "text that is not UTF-8")
        }
        var parser = JSONParser(bytes: bytes, builder: builder)
        parser.skipSpace()
        let value = try parser.value()
        parser.skipSpace()
        guard parser.at == bytes.count else { throw parser.failure("something behind the end of the value") }
        return value
    }

    private init(bytes: [UInt8], builder: Builder) {
        self.bytes = bytes
        self.builder = builder
    }

    private func failure(_ reason: String) -> JSONError { JSONError(offset: at, reason: reason) }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func value() throws(JSONError) -> Builder.Value {
        switch next {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""):
            let (content, hasEscapes) = try string()
            return builder.string(content, hasEscapes: hasEscapes)
        case UInt8(ascii: "t"):
            try word("true")
            return builder.bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return builder.bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return builder.null()
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return builder.number(try number())
        case nil: throw failure("the end where a value was expected")
        default: throw failure("a character that begins no value")
        }
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let count = word.utf8CodeUnitCount
        let matches =
            at + count <= bytes.count
            && word.withUTF8Buffer { expected in
                for index in 0..<count where bytes[at + index] != expected[index] { return false }
                return true
            }
        guard matches else { throw failure("a word other than true, false and null") }
        at += count
    }

    private mutating func descend() throws(JSONError) {
        depth += 1
        guard depth <= JSONLimits.depthMax else { throw failure("nesting deeper than \(JSONLimits.depthMax)") }
    }

    private mutating func array() throws(JSONError) -> Builder.Value {
        try descend()
        at += 1
        var elements = builder.beginArray()
        skipSpace()
        if next == UInt8(ascii: "]") {
            at += 1
        } else {
            while true {
                skipSpace()
                builder.append(try value(), to: &elements)
                skipSpace()
                if next == UInt8(ascii: ",") {
                    at += 1
                } else if next == UInt8(ascii: "]") {
                    at += 1
                    break
                } else {
                    throw failure("no comma or ] in an array")
                }
            }
        }
        depth -= 1
        return builder.array(elements)
    }

    private mutating func object() throws(JSONError) -> Builder.Value {
        try descend()
        at += 1
        var members = builder.beginObject()
        skipSpace()
        if next == UInt8(ascii: "}") {
            at += 1
        } else {
            while true {
                skipSpace()
                guard next == UInt8(ascii: "\"") else { throw failure("no name in quotes in an object") }
                let (name, hasEscapes) = try string()
                skipSpace()
                guard next == UInt8(ascii: ":") else { throw failure("no colon behind a name") }
                at += 1
                skipSpace()
                let start = at
                let value = try value()
                builder.append(name, hasEscapes: hasEscapes, value, range: start..<at, to: &members)
                skipSpace()
                if next == UInt8(ascii: ",") {
                    at += 1
                } else if next == UInt8(ascii: "}") {
                    at += 1
                    break
                } else {
                    throw failure("no comma or } in an object")
                }
            }
        }
        depth -= 1
        return builder.object(members)
    }

    /// Passes over a string; returns what stands between the quotes.
    private mutating func string() throws(JSONError) -> (content: ArraySlice<UInt8>, hasEscapes: Bool) {
        at += 1
        let start = at
        var hasEscapes = false
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                let content = bytes[start..<at]
                at += 1
                return (content, hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0..<0x20: throw failure("a control character in a string")
            default: at += 1
            }
        }
        throw failure("a string without end")
    }

    private mutating func escape() throws(JSONError) {
        at += 1
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
        case UInt8(ascii: "u"):
            at += 1
            let unit = try hexUnit()
            if (0xDC00...0xDFFF).contains(unit) { throw failure("the second half of a surrogate pair alone") }
            guard (0xD800...0xDBFF).contains(unit) else { return }
            guard next == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else {
                throw failure("the first half of a surrogate pair alone")
            }
            at += 2
            guard (0xDC00...0xDFFF).contains(try hexUnit()) else {
                throw failure("a surrogate pair with a wrong second half")
            }
        default: throw failure("an escape that JSON does not know")
        }
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        guard let unit = JSONText.hexUnit(bytes[...], at: at) else {
            throw failure("no four hexadecimal digits behind \\u")
        }
        at += 4
        return unit
    }

    private mutating func number() throws(JSONError) -> ArraySlice<UInt8> {
        let start = at
        if next == UInt8(ascii: "-") { at += 1 }
        if next == UInt8(ascii: "0") {
            at += 1
            if let next, JSONText.isDigit(next) { throw failure("a number with a leading zero") }
        } else {
            try digits("a number without digits")
        }
        if next == UInt8(ascii: ".") {
            at += 1
            try digits("a fraction without digits")
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            at += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            while next == UInt8(ascii: "0"), at + 1 < bytes.count, JSONText.isDigit(bytes[at + 1]) { at += 1 }
            let first = at
            try digits("an exponent without digits")
            guard at - first <= JSONLimits.exponentDigitsMax else {
                throw failure("an exponent of more than \(JSONLimits.exponentDigitsMax) digits")
            }
        }
        return bytes[start..<at]
    }

    private mutating func digits(_ missing: String) throws(JSONError) {
        let start = at
        while let next, JSONText.isDigit(next) { at += 1 }
        guard at > start else { throw failure(missing) }
    }
}
