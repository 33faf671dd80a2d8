import Glibc
package import NodeCore

/// The host's clocks: the only place where a node reads the time.
package enum SystemClock {
    /// Now, by both clocks.
    package static var now: NodeTime {
        NodeTime(wallMs: milliseconds(CLOCK_REALTIME), monotonicMs: milliseconds(CLOCK_MONOTONIC))
    }

    private static func milliseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
