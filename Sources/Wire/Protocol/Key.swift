/// The name of a register, with its token (its place on the ring) computed once.
public struct Key: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// 1 to 512 bytes. A first byte of 0 marks a key of the system's own.
    public let bytes: [UInt8]
    /// XXH64 of the bytes under seed 0.
    public let token: UInt64

    /// Names a register. Length is checked where keys enter the system, by `validated`.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        token = XXH64.hash(bytes)
    }

    /// Names a register by text.
    public init(_ text: String) { self.init(Array(text.utf8)) }

    /// Names a register of the system: such keys stay out of users' listings and cannot be named over HTTP.
    public static func system(_ text: String) -> Key { Key([0] + Array(text.utf8)) }

    /// Whether one node keeps it for itself, in no replica set: such keys begin with two bytes of 0. They may be up to
    /// `WireLimits.localKeyBytesMax` bytes long.
    public var isLocal: Bool { bytes.count >= 2 && bytes[0] == 0 && bytes[1] == 0 }

    /// Whether the system made this key for itself.
    public var isSystem: Bool { bytes.first == 0 }

    /// Throws when the key is empty or longer than the limit.
    public func validated() throws(WireError) -> Key {
        guard !bytes.isEmpty else {
            throw .invalid(field: "key", found: "an empty key", expected: "1 to \(WireLimits.keyBytesMax) bytes")
        }
        guard bytes.count <= WireLimits.keyBytesMax else {
            throw .invalid(
                field: "key", found: "\(bytes.count) bytes", expected: "1 to \(WireLimits.keyBytesMax) bytes")
        }
        return self
    }

    /// Equal bytes.
    public static func == (a: Key, b: Key) -> Bool { a.token == b.token && a.bytes == b.bytes }

    /// By the token alone: it is already a good hash of the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(token) }

    /// By the bytes, which is the order of listings.
    public static func < (a: Key, b: Key) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// The text, with what is not UTF-8 replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
