#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// How many files and connections this process may have open (getrlimit(2), `RLIMIT_NOFILE`).
enum DescriptorLimit {
    /// The limit in force; what is more than an `Int` holds, "unlimited" among it, is the largest one.
    static var current: Int { Int(clamping: limits().rlim_cur) }

    /// Raises the limit to the highest that the system grants without asking anybody, as servers do: the low default is
    /// for programs that would walk through all of them. Where that is refused, the limit stays what it was.
    static func raise() {
        var limits = limits()
        guard limits.rlim_cur < limits.rlim_max else { return }
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
    }

    private static func limits() -> rlimit {
        var limits = rlimit()
        _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        return limits
    }
}
