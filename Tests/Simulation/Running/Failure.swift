/// A promise that a run has broken.
package struct Failure: Sendable, Hashable, CustomStringConvertible {
    /// Which check has noticed it.
    package let check: String
    /// What was expected and what was found.
    package let detail: String

    /// Whether clients alone could have noticed it.
    package var isOfHistories: Bool {
        !Workload.allCases.contains { Invariants.all($0).contains { $0.name == check } } && check != "wholeness"
    }

    /// Both.
    package var description: String { "\(check): \(detail)" }
}

/// What came of running a scenario.
package struct RunResult: Sendable {
    /// Broken promises; empty when all is well.
    package internal(set) var failures: [Failure] = []
    /// What happened and how often.
    package internal(set) var statistics = Statistics()
    /// Equal for equal runs.
    package internal(set) var digest: UInt64 = 0
    /// What happened, line by line, when asked for.
    package internal(set) var trace: [String] = []
}
