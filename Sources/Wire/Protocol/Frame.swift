/// The 32 bytes in front of every message. All integers are little-endian; `proto-spec/frame.md` is the
/// specification.
///
///     0  u32 length       bytes that follow this field
///     4  u32 checksum     low half of XXH64 over everything from offset 8
///     8  u16 type
///     10 u8  flags
///     11 u8  reserved, 0
///     12 u32 request id
///     16 u64 hybrid time at which it was sent
///     24 u32 ring epoch of the sender
///     28 u32 length of the body after decompression
public struct FrameHeader: Hashable, Sendable {
    /// Bytes of a header on the wire.
    public static let size = 32

    /// Bits of the flags byte.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The byte on the wire.
        public let rawValue: UInt8
        /// Wraps a byte.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The frame answers the request of its id.
        public static let answer = Flags(rawValue: 1)
        /// The body is an LZ4 block.
        public static let compressed = Flags(rawValue: 2)
        /// All bits that this version knows.
        public static let known: Flags = [.answer, .compressed]
    }

    /// What the body is.
    public var type: MessageType
    /// How to take it.
    public var flags: Flags
    /// Which request it is or answers.
    public var requestID: RequestID
    /// When it was sent.
    public var time: HybridTime
    /// The ring that the sender knows.
    public var epoch: Epoch

    /// Puts a header together.
    public init(type: MessageType, flags: Flags = [], requestID: RequestID, time: HybridTime, epoch: Epoch) {
        self.type = type
        self.flags = flags
        self.requestID = requestID
        self.time = time
        self.epoch = epoch
    }
}

/// A frame taken off the wire.
public struct Frame: Sendable {
    /// Its header.
    public var header: FrameHeader
    /// Its content.
    public var message: Message

    /// Pairs the two.
    public init(header: FrameHeader, message: Message) {
        self.header = header
        self.message = message
    }
}

/// Writes frames into one buffer, so that everything that is waiting leaves in one write.
public struct FrameEncoder: Sendable {
    /// Encoded frames that have not been taken yet.
    public private(set) var output: ByteWriter

    /// An encoder with room for `capacity` bytes.
    public init(capacity: Int = 16 << 10) { output = ByteWriter(capacity: capacity) }

    /// Whether nothing is waiting.
    public var isEmpty: Bool { output.count == 0 }

    /// Appends a frame; bodies over the threshold are compressed when that makes them smaller.
    public mutating func append(
        _ message: Message, requestID: RequestID, answer: Bool = false, time: HybridTime, epoch: Epoch
    ) {
        let start = output.count
        var flags: FrameHeader.Flags = answer ? .answer : []
        for _ in 0..<4 { output.integer(UInt64(0)) }
        message.encode(into: &output)
        let rawCount = output.count - start - FrameHeader.size
        if rawCount >= WireLimits.compressionThresholdBytes, message.isCompressible {
            let packed = output.bytes.withUnsafeBytes {
                LZ4Block.compress(UnsafeRawBufferPointer(rebasing: $0[(start + FrameHeader.size)...]))
            }
            if let packed {
                output.truncate(to: start + FrameHeader.size)
                output.raw(packed)
                flags.insert(.compressed)
            }
        }
        output.overwrite(UInt32(output.count - start - 4), at: start)
        output.overwrite(message.type.rawValue, at: start + 8)
        output.overwrite(flags.rawValue, at: start + 10)
        output.overwrite(requestID.rawValue, at: start + 12)
        output.overwrite(time.rawValue, at: start + 16)
        output.overwrite(epoch.rawValue, at: start + 24)
        output.overwrite(UInt32(rawCount), at: start + 28)
        let digest = output.bytes.withUnsafeBytes { XXH64.hash(UnsafeRawBufferPointer(rebasing: $0[(start + 8)...])) }
        output.overwrite(UInt32(truncatingIfNeeded: digest), at: start + 4)
    }

    /// Forgets what was taken and keeps the storage for the next frames.
    public mutating func clear() { output.removeAll() }
}

/// Takes frames off the front of received bytes.
public enum FrameDecoder {
    /// What the front of the bytes is.
    public enum Step: Sendable {
        /// A whole frame and the bytes it took.
        case frame(Frame, consumed: Int)
        /// Nothing whole yet; at least this many bytes are needed in all.
        case needsBytes(Int)
    }

    /// Looks at the front of `bytes`. `bodyBytesMax` is a tighter bound for connections that have not finished their
    /// handshake.
    ///
    /// Throws `WireError` for anything that is not a frame of this protocol; the connection cannot go on after it,
    /// since the place of the next frame is not known.
    public static func next(
        _ bytes: UnsafeRawBufferPointer, bodyBytesMax: Int = WireLimits.frameBytesMax
    ) throws(WireError) -> Step {
        guard bytes.count >= FrameHeader.size else { return .needsBytes(FrameHeader.size) }
        var reader = ByteReader(bytes)
        let length = Int(try reader.integer("length", as: UInt32.self))
        let checksum: UInt32 = try reader.integer("checksum")
        let rawType: UInt16 = try reader.integer("type")
        let flags = FrameHeader.Flags(rawValue: try reader.integer("flags"))
        let reserved: UInt8 = try reader.integer("reserved")
        let requestID = RequestID(try reader.integer("request id"))
        let time = HybridTime(try reader.integer("time"))
        let epoch = Epoch(try reader.integer("epoch"))
        let rawCount = Int(try reader.integer("raw length", as: UInt32.self))

        let bodyCount = length - (FrameHeader.size - 4)
        guard bodyCount >= 0 else {
            throw .invalid(field: "length", found: "\(length)", expected: "at least \(FrameHeader.size - 4)")
        }
        guard reserved == 0, Flags.known.isSuperset(of: flags) else {
            throw .invalid(
                field: "flags", found: "\(flags.rawValue), \(reserved)",
                expected: "bits of this version: this is not Stormo's protocol, or a newer one")
        }
        guard let type = MessageType(rawValue: rawType) else { throw .unknownType(rawType) }
        let max = Swift.min(bodyBytesMax, type.bodyBytesMax)
        guard bodyCount <= max else { throw .overLimit(field: "body of \(type)", found: bodyCount, max: max) }
        guard rawCount <= max else { throw .overLimit(field: "raw length of \(type)", found: rawCount, max: max) }
        let compressed = flags.contains(.compressed)
        guard compressed || rawCount == bodyCount else {
            throw .invalid(
                field: "raw length", found: "\(rawCount)",
                expected: "\(bodyCount), the body's length, since it is not compressed")
        }

        let total = length + 4
        guard bytes.count >= total else { return .needsBytes(total) }
        let computed = UInt32(truncatingIfNeeded: XXH64.hash(UnsafeRawBufferPointer(rebasing: bytes[8..<total])))
        guard computed == checksum else { throw .checksum(found: checksum, computed: computed) }

        let header = FrameHeader(type: type, flags: flags, requestID: requestID, time: time, epoch: epoch)
        let body = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.size..<total])
        guard compressed else {
            return .frame(Frame(header: header, message: try message(type, body)), consumed: total)
        }
        let raw = try LZ4Block.decompress(body, rawCount: rawCount)
        let decoded: Result<Message, WireError> = raw.withUnsafeBytes { bytes in
            do throws(WireError) { return .success(try message(type, bytes)) } catch { return .failure(error) }
        }
        return .frame(Frame(header: header, message: try decoded.get()), consumed: total)
    }

    private typealias Flags = FrameHeader.Flags

    private static func message(_ type: MessageType, _ body: UnsafeRawBufferPointer) throws(WireError) -> Message {
        var reader = ByteReader(body)
        let message = try Message(type, from: &reader)
        try reader.end(of: "\(type)")
        return message
    }
}
