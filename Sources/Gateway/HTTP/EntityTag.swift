/// Versions as entity tags (RFC 9110): strong ones, in quotes.
enum EntityTag {
    /// The tag of a version.
    static func quoted(_ version: String) -> String { "\"\(version)\"" }

    /// What an `If-Match` header asks for.
    enum Expected: Sendable, Hashable {
        /// Any value.
        case any
        /// This version.
        case version(String)
        /// A tag that no version has (a weak one): it never matches.
        case never
    }

    /// Reads an `If-Match` header; nil for one that this gateway does not take (a list).
    static func expected(_ header: String) -> Expected? {
        let text = header.trimmingSpaces
        if text == "*" { return .any }
        if text.hasPrefix("W/\"") { return .never }
        guard text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") else { return nil }
        let inner = text.dropFirst().dropLast()
        guard !inner.contains("\"") else { return nil }
        return .version(String(inner))
    }

    /// Whether an `If-None-Match` header of a read names this version: then the reader has it already.
    static func isNamed(_ version: String, in header: String) -> Bool {
        let tag = quoted(version)
        return header.split(separator: ",").contains { part in
            let text = part.trimmingSpaces
            return text == "*" || text == tag || text == "W/\(tag)"
        }
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmingSpaces: String {
        var text = Substring(self)
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return String(text)
    }
}
