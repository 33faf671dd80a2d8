#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What the system has counted for a process (proc(5), `/proc/PID/stat`).
struct ProcessTimes: Sendable, Hashable {
    /// Processor time, user and system, in microseconds; the system counts in hundredths of a second.
    var processorUs: UInt64
    /// Memory in use, in bytes.
    var residentBytes: UInt64

    /// The figures of a running process; nil when there is none of this id.
    static func of(_ pid: Int32) -> ProcessTimes? {
        guard let bytes = try? Files.read("/proc/\(pid)/stat", bytesMax: 16_384) else { return nil }
        return ProcessTimes(
            stat: String(decoding: bytes, as: UTF8.self), ticksPerSecond: UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))),
            pageBytes: UInt64(max(1, sysconf(Int32(_SC_PAGESIZE)))))
    }

    /// Reads the text of `/proc/PID/stat`. The name in it may hold anything, so fields count from its last bracket.
    init?(stat: String, ticksPerSecond: UInt64, pageBytes: UInt64) {
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        // Behind the name: state is field 3, so fields 14, 15 and 24 (utime, stime, rss) are at 11, 12 and 21.
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        guard fields.count > 21, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
            let pages = UInt64(fields[21])
        else { return nil }
        processorUs = (user + system) * 1_000_000 / ticksPerSecond
        residentBytes = pages * pageBytes
    }
}
