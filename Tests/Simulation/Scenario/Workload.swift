package import NodeCore

/// What the clients of a scenario use.
package enum Workload: CaseIterable, Sendable {
    /// Keys and locks.
    case registers
    /// Topics.
    case logs
    /// Registers of consumer groups.
    case groups

    /// The one that should notice that a rule is broken.
    package init(of mutation: Mutation) {
        self =
            Mutation.ofLogs.contains(mutation) ? .logs : Mutation.ofGroups.contains(mutation) ? .groups : .registers
    }
}
