/// Why bytes could not be read as the protocol, or a value could not be written in it.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end before the value does.
    case truncated(field: String, needed: Int, available: Int)
    /// A length or count beyond its limit.
    case overLimit(field: String, found: Int, max: Int)
    /// A value that the protocol does not have at this place.
    case invalid(field: String, found: String, expected: String)
    /// Bytes left over behind a message.
    case trailing(message: String, count: Int)
    /// The checksum in the header is not that of the bytes.
    case checksum(found: UInt32, computed: UInt32)
    /// A message type that this version does not know.
    case unknownType(UInt16)
    /// LZ4 could not restore the declared length.
    case decompression(declared: Int)

    /// One line: what was found, what was expected, what to do.
    public var description: String {
        switch self {
        case .truncated(let field, let needed, let available):
            "\(field) needs \(needed) bytes but \(available) are left: the message was cut short or its length is wrong"
        case .overLimit(let field, let found, let max):
            "\(field) is \(found) but at most \(max) is allowed"
        case .invalid(let field, let found, let expected):
            "\(field) is \(found), expected \(expected)"
        case .trailing(let message, let count):
            "\(count) bytes follow the end of \(message): the sender speaks another version"
        case .checksum(let found, let computed):
            "the frame's checksum is \(found) but its bytes give \(computed): it was damaged on the way, or this is not Stormo's protocol"
        case .unknownType(let type):
            "message type \(type) is unknown here: the sender speaks a newer version"
        case .decompression(let declared):
            "the compressed body does not decode to the \(declared) bytes it declares"
        }
    }
}
