/// XXH64 (Yann Collet, the published specification of the xxHash fast digest algorithm), the one hash of the
/// protocol: tokens of keys, checksums of frames, batches and journal records.
public enum XXH64 {
    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The digest of `bytes` under `seed`.
    public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        let count = bytes.count
        var at = 0
        var digest: UInt64
        if count >= 32 {
            var v1 = seed &+ prime1 &+ prime2
            var v2 = seed &+ prime2
            var v3 = seed
            var v4 = seed &- prime1
            while at &+ 32 <= count {
                v1 = round(v1, word(bytes, at))
                v2 = round(v2, word(bytes, at &+ 8))
                v3 = round(v3, word(bytes, at &+ 16))
                v4 = round(v4, word(bytes, at &+ 24))
                at &+= 32
            }
            digest = rotate(v1, 1) &+ rotate(v2, 7) &+ rotate(v3, 12) &+ rotate(v4, 18)
            digest = merge(digest, v1)
            digest = merge(digest, v2)
            digest = merge(digest, v3)
            digest = merge(digest, v4)
        } else {
            digest = seed &+ prime5
        }
        digest &+= UInt64(count)
        while at &+ 8 <= count {
            digest ^= round(0, word(bytes, at))
            digest = rotate(digest, 27) &* prime1 &+ prime4
            at &+= 8
        }
        if at &+ 4 <= count {
            let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            digest ^= half &* prime1
            digest = rotate(digest, 23) &* prime2 &+ prime3
            at &+= 4
        }
        while at < count {
            digest ^= UInt64(bytes[at]) &* prime5
            digest = rotate(digest, 11) &* prime1
            at &+= 1
        }
        digest ^= digest >> 33
        digest &*= prime2
        digest ^= digest >> 29
        digest &*= prime3
        digest ^= digest >> 32
        return digest
    }

    /// The digest of an array.
    public static func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { hash($0, seed: seed) }
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 {
        (value &<< by) | (value &>> (64 &- by))
    }

    @inline(__always)
    private static func round(_ accumulator: UInt64, _ input: UInt64) -> UInt64 {
        rotate(accumulator &+ input &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func merge(_ digest: UInt64, _ value: UInt64) -> UInt64 {
        (digest ^ round(0, value)) &* prime1 &+ prime4
    }
}
