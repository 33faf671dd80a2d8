#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The system's clocks.
enum Clocks {
    /// Milliseconds since 1970.
    static var wallMs: UInt64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds of a clock that never goes back.
    static var monotonicMs: UInt64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> UInt64 {
        var now = timespec()
        clock_gettime(clock, &now)
        return UInt64(max(0, now.tv_sec)) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
    }
}
