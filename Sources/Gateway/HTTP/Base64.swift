import FoundationEssentials

/// Base 64 as programs expect it of bytes in JSON: the standard alphabet, with padding (RFC 4648, section 4).
package enum Base64 {
    /// The text of bytes.
    package static func encode(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// The bytes of a text; nil when it is none.
    package static func decode(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map(Array.init) }
}
