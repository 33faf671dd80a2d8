public import Wire

extension WatchPosition {
    /// The position as one word, for logs, headers and command lines: time and node in hexadecimal digits, and, within a
    /// listing, a dot and the last key's bytes.
    public var text: String {
        let place = Hex.fixed(time.rawValue) + Hex.fixed(node.rawValue)
        guard let after else { return place }
        return place + "." + after.map { Hex.fixed(UInt64($0)).suffix(2) }.joined()
    }

    /// Reads back what `text` wrote; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let parts = Substring(text).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let place = parts.first, place.utf8.count == 32, let time = Hex.number(place.prefix(16)),
            let node = Hex.number(place.suffix(16))
        else { return nil }
        var after: [UInt8]?
        if parts.count > 1 {
            let digits = Array(parts[1].utf8)
            guard digits.count.isMultiple(of: 2), digits.count <= 2 * WireLimits.keyBytesMax else { return nil }
            var bytes: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
                guard !pair.hasPrefix("+"), !pair.hasPrefix("-"), let byte = UInt8(pair, radix: 16) else { return nil }
                bytes.append(byte)
            }
            after = bytes
        }
        self.init(time: HybridTime(time), after: after, node: NodeID(node))
    }
}
