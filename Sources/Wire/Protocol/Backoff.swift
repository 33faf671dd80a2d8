/// How long to wait before trying again: pauses that double from the shortest to the longest, with half of each drawn
/// at random so that those who failed together do not come back together. The one policy of every retry.
package struct Backoff: Hashable, Sendable {
    /// Shortest and longest pause, in milliseconds.
    package let pauseMs: ClosedRange<UInt64>
    /// Failures in a row so far.
    package private(set) var failures = 0

    /// A policy that has not failed yet.
    package init(pauseMs: ClosedRange<UInt64>) { self.pauseMs = pauseMs }

    /// Counts a failure and gives the pause before the next try, in milliseconds: from half of the doubled pause to
    /// all of it. `jitter` is 64 random bits.
    package mutating func pause(jitter: UInt64) -> UInt64 {
        // The shift is bounded so that it cannot overflow: 2^20 times the shortest pause is beyond every longest one.
        let whole = min(pauseMs.upperBound, max(1, pauseMs.lowerBound) << UInt64(min(failures, 20)))
        failures += 1
        let half = whole / 2
        return half + jitter % (whole - half + 1)
    }

    /// Forgets the failures.
    package mutating func reset() { failures = 0 }
}
