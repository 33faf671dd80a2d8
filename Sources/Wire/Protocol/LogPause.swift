/// Keeps one kind of line from filling the log: one is let through, and those of the next second are only counted.
package struct LogPause: Sendable {
    private static let pauseMs: UInt64 = 1_000

    private var quietUntilMs: UInt64 = 0
    private var skipped: UInt64 = 0

    /// Lets the next line through.
    package init() {}

    /// How many lines were left out since the last one, when another may be written; nil when it may not. `nowMs` is of
    /// any clock that does not go back.
    package mutating func next(nowMs: UInt64) -> UInt64? {
        guard nowMs >= quietUntilMs else {
            skipped += 1
            return nil
        }
        quietUntilMs = nowMs + Self.pauseMs
        defer { skipped = 0 }
        return skipped
    }
}
