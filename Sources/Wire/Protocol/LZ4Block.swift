private import CLZ4

/// LZ4 blocks (the block format, without the frame around it) by the system's liblz4. The raw length travels in our
/// own headers.
public enum LZ4Block {
    /// The compressed form of `raw`, or nil when it would not be smaller.
    public static func compress(_ raw: UnsafeRawBufferPointer) -> [UInt8]? {
        guard raw.count > 16, raw.count <= WireLimits.frameBytesMax else { return nil }
        // One byte less than the input: a block that does not shrink is a failure, which is what is asked.
        let capacity = raw.count - 1
        let packed = [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            target.withMemoryRebound(to: CChar.self) { destination in
                let source = raw.bindMemory(to: CChar.self)
                count = Int(
                    LZ4_compress_default(source.baseAddress, destination.baseAddress, Int32(raw.count), Int32(capacity))
                )
            }
        }
        return packed.isEmpty ? nil : packed
    }

    /// Restores exactly `rawCount` bytes. The caller has checked `rawCount` against the limit of what it reads.
    ///
    /// Throws `decompression` when the block is damaged or of another length.
    public static func decompress(_ packed: UnsafeRawBufferPointer, rawCount: Int) throws(WireError) -> [UInt8] {
        guard rawCount >= 0, rawCount <= WireLimits.frameBytesMax else {
            throw .overLimit(field: "raw length", found: rawCount, max: WireLimits.frameBytesMax)
        }
        // An LZ4 block cannot expand by more than 255 times: refuse a lie before allocating for it.
        guard rawCount <= packed.count * 255 + 64 else { throw .decompression(declared: rawCount) }
        var restored = 0
        let raw = [UInt8](unsafeUninitializedCapacity: rawCount) { target, count in
            target.withMemoryRebound(to: CChar.self) { destination in
                let source = packed.bindMemory(to: CChar.self)
                restored = Int(
                    LZ4_decompress_safe(
                        source.baseAddress, destination.baseAddress, Int32(packed.count), Int32(rawCount)))
            }
            count = max(0, restored)
        }
        guard restored == rawCount else { throw .decompression(declared: rawCount) }
        return raw
    }
}
