import Wire

/// A place in a topic's partitions as it is written on the command line.
enum TopicPlace {
    /// What to tell who wrote something else.
    static let help =
        "start (earliest), end (latest), an offset, -N for the last N of each partition, or a time: @-1h for an hour ago, "
        + "@ and RFC 3339"
    /// How places look.
    static let examples = "start, end, 42, -10, @-90s, @-1h, @2026-01-01T00:00:00Z"

    /// The place that a text means; nil when it is none. `nowMs` is what times ago count from, in milliseconds since
    /// 1970.
    static func query(_ text: String, nowMs: UInt64) -> OffsetQuery? {
        switch text {
        case "start", "earliest": return .earliest
        case "end", "latest": return .latest
        default: break
        }
        if text.hasPrefix("@-") {
            guard let ago = Quantity.durationMs(String(text.dropFirst(2)), unit: "s"), text.utf8.count > 2 else {
                return nil
            }
            return .time(nowMs - min(nowMs, ago))
        }
        if text.hasPrefix("-") { return number(text.dropFirst()).map { .last($0) } }
        let place = text.hasPrefix("@") ? text.dropFirst() : Substring(text)
        if let offset = number(place) { return .offset(offset) }
        return Timestamp.milliseconds(rfc3339: String(place)).map { .time($0) }
    }

    /// What is wrong with a text that is no place.
    static func problem(_ option: String, _ text: String) -> String {
        "\(option) is \(help), found '\(text.prefix(80))'; such as \(examples)"
    }

    /// Digits alone: `UInt64` takes a sign too.
    private static func number(_ text: Substring) -> UInt64? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(text) : nil
    }
}
