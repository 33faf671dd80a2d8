import Glibc

/// How many random histories each test looks at: `STORMO_SEEDS`, or what a test run has time for.
enum Seeds {
    static let count = getenv("STORMO_SEEDS").flatMap { Int(String(cString: $0)) } ?? 40
}
