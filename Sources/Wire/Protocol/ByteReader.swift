/// Reads the protocol's encodings from bytes it does not own; the caller keeps them alive.
public struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// How far it has read.
    public private(set) var offset = 0

    /// Reads from the start of `bytes`.
    public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Bytes not yet read.
    public var remaining: Int { bytes.count - offset }

    /// An integer of fixed width. Throws `truncated` at the end.
    @inline(__always)
    public mutating func integer<T: FixedWidthInteger>(_ field: StaticString, as type: T.Type = T.self)
        throws(WireError) -> T
    {
        let width = MemoryLayout<T>.size
        guard remaining >= width else { throw .truncated(field: "\(field)", needed: width, available: remaining) }
        let value = T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        offset += width
        return value
    }

    /// A byte that must be 0 or 1.
    public mutating func bool(_ field: StaticString) throws(WireError) -> Bool {
        let byte: UInt8 = try integer(field)
        guard byte <= 1 else { throw .invalid(field: "\(field)", found: "\(byte)", expected: "0 or 1") }
        return byte == 1
    }

    /// `count` bytes, copied.
    public mutating func raw(_ field: StaticString, count: Int) throws(WireError) -> [UInt8] {
        Array(try view(field, count: count))
    }

    /// `count` bytes in place; valid as long as the bytes that this reads.
    public mutating func view(_ field: StaticString, count: Int) throws(WireError) -> UnsafeRawBufferPointer {
        guard count >= 0, remaining >= count else {
            throw .truncated(field: "\(field)", needed: count, available: remaining)
        }
        let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        offset += count
        return slice
    }

    /// Everything that is left, copied.
    public mutating func rest() -> [UInt8] {
        let slice = Array(bytes[offset...])
        offset = bytes.count
        return slice
    }

    /// Bytes behind a 32-bit length of at most `max`.
    public mutating func blob(_ field: StaticString, max: Int) throws(WireError) -> [UInt8] {
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= max else { throw .overLimit(field: "\(field)", found: count, max: max) }
        return try raw(field, count: count)
    }

    /// Text behind a 16-bit length of at most `max` bytes. Throws when it is not UTF-8.
    public mutating func text(_ field: StaticString, max: Int = WireLimits.nameBytesMax) throws(WireError) -> String {
        let count = Int(try integer(field, as: UInt16.self))
        guard count <= max else { throw .overLimit(field: "\(field)", found: count, max: max) }
        let slice = try view(field, count: count)
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw .invalid(field: "\(field)", found: "bytes that are not UTF-8", expected: "UTF-8 text")
        }
        return text
    }

    /// A value behind a byte that tells whether it is there.
    public mutating func optional<T>(
        _ field: StaticString, _ read: (inout ByteReader) throws(WireError) -> T
    ) throws(WireError) -> T? {
        try bool(field) ? try read(&self) : nil
    }

    /// Elements behind a 32-bit count of at most `max`; each takes at least `minBytes`, so a lying count is refused
    /// before anything is allocated for it.
    public mutating func list<T>(
        _ field: StaticString, max: Int, minBytes: Int = 1, _ read: (inout ByteReader) throws(WireError) -> T
    ) throws(WireError) -> [T] {
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= max else { throw .overLimit(field: "\(field)", found: count, max: max) }
        guard count * minBytes <= remaining else {
            throw .truncated(field: "\(field)", needed: count * minBytes, available: remaining)
        }
        var values: [T] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try read(&self)) }
        return values
    }

    /// Throws when bytes are left.
    public func end(of message: String) throws(WireError) {
        guard remaining == 0 else { throw .trailing(message: message, count: remaining) }
    }
}
