import Wire

// A segment of the journal on disk. All numbers are little-endian and never change their meaning.
//
//     0        header: magic 8, version 4, zero 4, use 8, salt 8, end of the former use 8, XXH64 of these 8
//     4096     the header again
//     8192     blocks, each at a multiple of 8
//
//     block    magic 4, records 4, bytes of the records 4, ordinal of the first 4, synced end 8, XXH64 of these 8
//     record   bytes of the body 4, ordinal in the segment 4, XXH64 of the body 8, the body (a journal entry)
//
// The checksums of blocks and records are seeded with the salt of the segment's present use and with their place, so
// that what an earlier use left behind cannot pass for part of this one.

/// What the start of a segment says of its present use.
struct SegmentHeader: Hashable, Sendable {
    /// Uses of segments are numbered through the life of the journal; the next one continues this one.
    var use: UInt64
    /// Seeds the checksums of this use.
    var salt: UInt64
    /// Where the durable blocks of the use before this one end. What is behind is not part of the journal.
    var formerEnd: UInt64

    /// Bytes of one copy.
    static let count = 48
    /// Each copy has a page of its own: writing one never endangers the other.
    static let pageBytes = 4_096
    /// Where the second copy is. It is written after the first is durable, so one of the two is always whole.
    static let copyOffset = pageBytes
    /// Where the blocks begin.
    static let blocksOffset = 2 * pageBytes
    /// The version of the format.
    static let version: UInt32 = 1
    // "STORMOJL" in the order of the bytes.
    private static let magic: UInt64 = 0x4C4A_4F4D_524F_5453

    /// What a copy turned out to be.
    enum Reading: Hashable {
        /// Never written.
        case blank
        /// A header.
        case header(SegmentHeader)
        /// Of another version.
        case unknownVersion(UInt32)
        /// Neither.
        case damaged
    }

    /// A page with one copy at its start.
    var page: [UInt8] {
        var writer = ByteWriter(capacity: Self.pageBytes)
        writer.integer(Self.magic)
        writer.integer(Self.version)
        writer.integer(UInt32(0))
        writer.integer(use)
        writer.integer(salt)
        writer.integer(formerEnd)
        writer.integer(XXH64.hash(writer.bytes))
        return writer.bytes + [UInt8](repeating: 0, count: Self.pageBytes - writer.count)
    }

    /// Reads the copy at `offset` of `bytes`.
    static func read(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Reading {
        guard bytes.count >= offset + count else { return .damaged }
        let copy = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
        if copy.allSatisfy({ $0 == 0 }) { return .blank }
        guard copy.word(0) == magic,
            copy.word(40) == XXH64.hash(UnsafeRawBufferPointer(rebasing: copy.prefix(40)))
        else { return .damaged }
        let version = copy.half(8)
        guard version == Self.version else { return .unknownVersion(version) }
        return .header(SegmentHeader(use: copy.word(16), salt: copy.word(24), formerEnd: copy.word(32)))
    }
}

/// The start of what one commit wrote.
struct BlockHeader: Hashable, Sendable {
    /// How many records.
    var records: UInt32
    /// Bytes of the records with their headers.
    var bytes: UInt32
    /// Ordinal of the first one.
    var firstOrdinal: UInt32
    /// Up to here the segment was durable when the block was written: damage below is no torn write.
    var syncedEnd: UInt64

    /// Bytes of the header.
    static let count = 32
    private static let magic: UInt32 = 0x4B4C_4253

    /// Writes the header at `offset` of `bytes`; `place` is its offset in the segment.
    func write(to bytes: UnsafeMutableRawBufferPointer, at offset: Int, place: Int, salt: UInt64) {
        bytes.put(Self.magic, at: offset)
        bytes.put(records, at: offset + 4)
        bytes.put(self.bytes, at: offset + 8)
        bytes.put(firstOrdinal, at: offset + 12)
        bytes.put(syncedEnd, at: offset + 16)
        let head = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 24])
        bytes.put(XXH64.hash(head, seed: salt &+ UInt64(place)), at: offset + 24)
    }

    /// The header at `offset` of a segment's bytes; nil when there is none of this use.
    static func read(_ bytes: UnsafeRawBufferPointer, at offset: Int, salt: UInt64) -> BlockHeader? {
        guard offset + count <= bytes.count, bytes.half(offset) == magic else { return nil }
        let head = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 24])
        guard XXH64.hash(head, seed: salt &+ UInt64(offset)) == bytes.word(offset + 24) else { return nil }
        return BlockHeader(
            records: bytes.half(offset + 4), bytes: bytes.half(offset + 8), firstOrdinal: bytes.half(offset + 12),
            syncedEnd: bytes.word(offset + 16))
    }
}

/// The head of a record in a block.
enum RecordHeader {
    /// Bytes before the body.
    static let count = 16
    /// The place of a header that is filled in later.
    static let blank = [UInt8](repeating: 0, count: count)

    /// The checksum of a record's body in its place.
    static func checksum(_ body: UnsafeRawBufferPointer, ordinal: UInt32, salt: UInt64) -> UInt64 {
        XXH64.hash(body, seed: salt &+ (UInt64(ordinal) << 32) &+ UInt64(body.count))
    }

    /// Fills in the headers of a block's records: lengths, ordinals from `firstOrdinal` on, checksums.
    static func seal(
        _ bytes: UnsafeMutableRawBufferPointer, lengths: [UInt32], firstOrdinal: UInt32, salt: UInt64
    ) {
        var offset = 0
        var ordinal = firstOrdinal
        for length in lengths {
            let start = offset + count
            let end = start + Int(length)
            let body = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            bytes.put(length, at: offset)
            bytes.put(ordinal, at: offset + 4)
            bytes.put(checksum(body, ordinal: ordinal, salt: salt), at: offset + 8)
            ordinal &+= 1
            offset = end
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Eight bytes as a number.
    @inline(__always)
    func word(_ offset: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }

    /// Four bytes as a number.
    @inline(__always)
    func half(_ offset: Int) -> UInt32 { UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores a number.
    @inline(__always)
    func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}

/// The next multiple of `unit`, a power of two.
func roundedUp(_ value: Int, to unit: Int) -> Int { (value + unit - 1) & ~(unit - 1) }
