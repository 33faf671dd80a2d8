/// Appends values to one growing buffer, little-endian, in the protocol's encodings.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8]

    /// An empty buffer with room for `capacity` bytes.
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// Bytes written so far.
    public var count: Int { bytes.count }

    /// Forgets the content and keeps the storage.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Drops everything behind the first `count` bytes.
    public mutating func truncate(to count: Int) { bytes.removeSubrange(count...) }

    /// Appends an integer of fixed width.
    public mutating func integer<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Overwrites an integer written before, at `offset`.
    public mutating func overwrite<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        for index in 0..<MemoryLayout<T>.size {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index))
        }
    }

    /// Appends one byte, 1 for true.
    public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Appends bytes without a length.
    public mutating func raw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    /// Appends bytes without a length.
    public mutating func raw(_ value: UnsafeRawBufferPointer) { bytes.append(contentsOf: value) }

    /// Appends a 32-bit length and the bytes.
    public mutating func blob(_ value: [UInt8]) {
        integer(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// Appends a 16-bit length and the UTF-8 of a text; what is beyond 65,535 bytes is cut at a character.
    public mutating func text(_ value: String) {
        let utf8 = value.cut(toBytes: Int(UInt16.max)).utf8
        integer(UInt16(utf8.count))
        bytes.append(contentsOf: utf8)
    }

    /// Appends a byte that tells whether a value follows, and the value.
    public mutating func optional<T>(_ value: T?, _ write: (inout ByteWriter, T) -> Void) {
        bool(value != nil)
        if let value { write(&self, value) }
    }

    /// Appends a 32-bit count and each element.
    public mutating func list<T>(_ values: [T], _ write: (inout ByteWriter, T) -> Void) {
        integer(UInt32(values.count))
        for value in values { write(&self, value) }
    }
}

extension String {
    /// The longest beginning that takes at most `bytesMax` bytes of UTF-8 and ends between two characters of Unicode.
    func cut(toBytes bytesMax: Int) -> Substring {
        guard utf8.count > bytesMax else { return self[...] }
        var end = utf8.index(startIndex, offsetBy: bytesMax)
        // Bytes 10xxxxxx continue a character.
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return self[..<end]
    }
}
