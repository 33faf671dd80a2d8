import Wire

/// A place in a topic's partitions as it is written on the command line.
enum TopicPlace {
    /// What to tell who wrote something else.
    static let help =
        "earliest, latest, @OFFSET, a time (@-1h for an hour ago, or RFC 3339), or -N for the last N of each partition"

    /// The place that a text means; nil when it is none. `nowMs` is what times ago count from, in milliseconds since
    /// 1970.
    static func query(_ text: String, nowMs: UInt64) -> OffsetQuery? {
        switch text {
        case "earliest": return .earliest
        case "latest": return .latest
        default: break
        }
        if text.hasPrefix("@-") {
            guard let ago = Quantity.durationMs(String(text.dropFirst(2)), unit: "s"), text.utf8.count > 2 else {
                return nil
            }
            return .time(nowMs - min(nowMs, ago))
        }
        if text.hasPrefix("@") { return number(text.dropFirst()).map { .offset($0) } }
        if text.hasPrefix("-") { return number(text.dropFirst()).map { .last($0) } }
        return Timestamp.milliseconds(rfc3339: text).map { .time($0) }
    }

    /// Digits alone: `UInt64` takes a sign too.
    private static func number(_ text: Substring) -> UInt64? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(text) : nil
    }
}
