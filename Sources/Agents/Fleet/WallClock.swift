import Glibc

/// The time of day and the time that only goes forward.
package enum WallClock {
    /// Milliseconds since 1970.
    @Sendable package static func nowMs() -> Int64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds since some moment, never going back: for durations and leases.
    @Sendable package static func steadyMs() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
