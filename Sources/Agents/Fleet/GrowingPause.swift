/// Pauses between tries that double from the shortest to the longest and begin anew after a success.
package struct GrowingPause: Sendable, Hashable {
    private let rangeMs: ClosedRange<UInt64>
    private var currentMs: UInt64

    /// Pauses within a range of milliseconds.
    package init(rangeMs: ClosedRange<UInt64>) {
        self.rangeMs = rangeMs
        currentMs = rangeMs.lowerBound
    }

    /// The next pause, milliseconds.
    package mutating func nextMs() -> UInt64 {
        defer { currentMs = min(max(1, currentMs) * 2, rangeMs.upperBound) }
        return currentMs
    }

    /// Begins with the shortest again.
    package mutating func reset() {
        currentMs = rangeMs.lowerBound
    }
}
