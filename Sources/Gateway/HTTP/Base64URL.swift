import FoundationEssentials

/// Base 64 with the alphabet for addresses and file names, without padding (RFC 4648, section 5).
enum Base64URL {
    /// The text of bytes.
    static func encode(_ bytes: [UInt8]) -> String {
        var text = Data(bytes).base64EncodedString()
        while text.hasSuffix("=") { text.removeLast() }
        return translated(text, [("+", "-"), ("/", "_")])
    }

    /// The bytes of a text; nil when it is none.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.allSatisfy(isInAlphabet), text.utf8.count % 4 != 1 else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        let standard = translated(text, [("-", "+"), ("_", "/")]) + padding
        return Data(base64Encoded: standard).map(Array.init)
    }

    private static func translated(_ text: some StringProtocol, _ pairs: [(Character, Character)]) -> String {
        String(text.map { character in pairs.first { $0.0 == character }?.1 ?? character })
    }

    private static func isInAlphabet(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
