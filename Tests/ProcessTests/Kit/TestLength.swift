import Glibc

/// How much the tests do: a run of minutes by default, everything with `STORMO_LONG=1` (`make test-long`).
enum TestLength {
    /// Whether everything is asked for.
    static let isLong = getenv("STORMO_LONG").map { String(cString: $0) != "" && String(cString: $0) != "0" } ?? false

    /// One of two numbers of repetitions.
    static func rounds(_ short: Int, long: Int) -> Int { isLong ? long : short }
}
