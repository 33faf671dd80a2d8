import HTTPTypes
import Wire

/// The parameters of a request's query. Of a parameter given twice the last one counts; unknown ones are passed over.
struct Query: Sendable {
    private let pairs: [(name: String, value: String)]

    /// Reads a query without its question mark.
    init(_ text: some StringProtocol) throws(Problem) {
        var pairs: [(String, String)] = []
        for part in text.split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = PercentCoding.decoded(halves[0], plusIsSpace: true),
                let value = PercentCoding.decoded(halves.count > 1 ? halves[1] : "", plusIsSpace: true)
            else {
                throw Problem(
                    .badRequest, "malformed_query", "The query is not well formed",
                    "a % must lead two hexadecimal digits, and the text must be UTF-8")
            }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    /// A parameter's text; nil when it is missing.
    subscript(_ name: String) -> String? { pairs.last { $0.name == name }?.value }

    /// A whole number within a range.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = self[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .invalidParameter(
                name,
                "expected a whole number from \(range.lowerBound) to \(range.upperBound), found \"\(text.prefix(64))\"")
        }
        return value
    }

    /// `true` or `false` (or `1` and `0`).
    func flag(_ name: String) throws(Problem) -> Bool? {
        switch self[name] {
        case nil: nil
        case "true", "1", "": true
        case "false", "0": false
        case let text?: throw .invalidParameter(name, "expected true or false, found \"\(text.prefix(64))\"")
        }
    }

    /// One of the words that a type knows.
    func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type) throws(Problem) -> Word?
    where Word.RawValue == String {
        guard let text = self[name] else { return nil }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalidParameter(name, "expected one of \(known), found \"\(text.prefix(64))\"")
        }
        return word
    }

    /// A moment in RFC 3339 or in seconds since 1970 (fractions too), as milliseconds since 1970.
    func moment(_ name: String) throws(Problem) -> Int64? {
        guard let text = self[name] else { return nil }
        if let milliseconds = Timestamp.milliseconds(rfc3339: text) { return Int64(clamping: milliseconds) }
        // A plus sign in a query is a space; in a time it can only have been the sign of the offset.
        if let milliseconds = Timestamp.milliseconds(rfc3339: text.replacing(" ", with: "+")) {
            return Int64(clamping: milliseconds)
        }
        if let seconds = Double(text), seconds.isFinite, (0...253_402_300_799).contains(seconds) {
            return Int64((seconds * 1_000).rounded())
        }
        throw .invalidParameter(
            name, "expected RFC 3339 with an offset, or seconds since 1970; found \"\(text.prefix(64))\"")
    }
}
