import Glibc

/// Which random histories each test looks at: as many as `STORMO_SEEDS` says, or what a test run has time for;
/// `STORMO_SEED` names a single one.
package enum Seeds {
    /// The seeds.
    package static let range: ClosedRange<Int> = {
        if let only = number("STORMO_SEED") { return only...only }
        return 1...(number("STORMO_SEEDS") ?? 40)
    }()

    private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}
