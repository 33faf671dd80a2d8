/// The line that `stormo up` keeps up to date.
struct UpStatusLine: Sendable, Hashable {
    /// Time since the start, in milliseconds.
    var elapsedMs: UInt64
    /// Nodes that the cluster calls alive.
    var nodesAlive: Int
    /// Nodes.
    var nodes: Int
    /// Number of the ring; nil before there is one.
    var epoch: UInt32?
    /// Gateways that run.
    var gatewaysRunning: Int
    /// Gateways.
    var gateways: Int
    /// Agents that run.
    var agentsRunning: Int
    /// Agents.
    var agents: Int
    /// Children started again so far.
    var restarts: Int
    /// Processor time of all children in the last interval, in percent of one core; nil at first.
    var processorPercent: Int?
    /// Memory of all children, in bytes.
    var residentBytes: UInt64

    /// What changes only when something happens; shown where there is no terminal to write over.
    var stable: String {
        var parts = ["nodes \(nodesAlive)/\(nodes) alive"]
        parts.append(epoch.map { "ring \($0)" } ?? "no ring yet")
        if gateways > 0 { parts.append("gateways \(gatewaysRunning)/\(gateways)") }
        if agents > 0 { parts.append("agents \(agentsRunning)/\(agents)") }
        if restarts > 0 { parts.append("restarts \(restarts)") }
        return parts.joined(separator: " · ")
    }

    /// The whole line.
    var text: String {
        let seconds = elapsedMs / 1_000
        let clock = [seconds / 3_600, seconds / 60 % 60, seconds % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(
            separator: ":")
        let processor = processorPercent.map { " · cpu \($0) %" } ?? ""
        return "\(clock) · \(stable)\(processor) · \(residentBytes >> 20) MiB"
    }
}
