package import NodeCore

/// What the clients of a scenario use.
package enum Workload: Sendable {
    /// Keys and locks.
    case registers
    /// Topics.
    case logs

    /// The one that should notice that a rule is broken.
    package init(of mutation: Mutation) { self = Mutation.ofLogs.contains(mutation) ? .logs : .registers }
}
