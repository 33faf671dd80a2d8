/// A stretch of the ring: the tokens behind `after`, up to `through`. It may run over the end of the ring and on from its
/// beginning; when both ends are the same it is the whole ring.
public struct TokenRange: Hashable, Sendable, CustomStringConvertible {
    /// The token before the first one of the range.
    public var after: UInt64
    /// The last token of the range.
    public var through: UInt64

    /// Puts a range together.
    public init(after: UInt64, through: UInt64) {
        self.after = after
        self.through = through
    }

    /// Every token there is.
    public static let all = TokenRange(after: .max, through: .max)

    /// Whether a token lies within it.
    public func contains(_ token: UInt64) -> Bool {
        let distance = token &- after &- 1
        return distance <= last
    }

    /// How far behind the first token of the range a token lies; only of use for tokens of the range.
    public func distance(to token: UInt64) -> UInt64 { token &- after &- 1 }

    /// How many tokens it has, less one: the whole ring has one more than a word counts.
    public var last: UInt64 { through &- after &- 1 }

    /// Its share of the whole ring, 0 to 1.
    public var share: Double { (Double(last) + 1) / (Double(UInt64.max) + 1) }

    /// The range in `count` stretches of about the same length, in order.
    public func split(into count: Int) -> [TokenRange] {
        let step = last / UInt64(count)
        guard count > 1, step > 0 else { return [self] }
        return (0..<UInt64(count)).map { part in
            TokenRange(
                after: after &+ part &* step,
                through: part == UInt64(count) - 1 ? through : after &+ (part + 1) &* step)
        }
    }

    /// Both ends, in hexadecimal digits.
    public var description: String { "(\(Hex.fixed(after)), \(Hex.fixed(through))]" }

    func encode(into writer: inout ByteWriter) {
        writer.integer(after)
        writer.integer(through)
    }

    init(from reader: inout ByteReader) throws(WireError) {
        after = try reader.integer("range after")
        through = try reader.integer("range through")
    }
}
