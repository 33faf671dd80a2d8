/// How the descriptors that a process may have open are shared out. A process without one to spare dies: its event loops
/// and timers need them as well as its files do.
struct DescriptorBudget: Sendable, Hashable {
    /// Accepted connections past their handshake, or of browsers.
    let connections: Int
    /// Accepted connections of which only other nodes may have one.
    let connectionsKeptForNodes: Int
    /// Accepted connections in their handshake.
    let handshakes: Int
    /// Files of topics kept open for reading.
    let logFiles: Int

    /// The fewest descriptors that a process runs with: enough for a small cluster with a few clients.
    static let limitMin = 128

    /// What a node needs beside all that is counted here: standard streams, event loops, timers, the database, the
    /// journal, and files that are open for a moment.
    private static let nodeReserve = 48
    /// What a gateway needs beside its connections: the same without a database, and a connection to every node.
    private static let gatewayReserve = 64

    /// A node's shares of `limit` descriptors, in which it takes `wanted` connections (as many as there is room for,
    /// 10,000 at most, when nil). An eighth of what it does not need itself goes to handshakes, another one to files of
    /// topics, and a quarter to the nodes that it connects to; the rest is for those who connect to it, of which as many
    /// places are kept for nodes.
    static func node(limit: Int, wanted: Int?) throws(ConfigurationError) -> DescriptorBudget {
        let free = try rest(of: limit, reserve: nodeReserve)
        let (handshakes, logFiles) = (min(256, free / 8), min(64, free / 8))
        let toNodes = min(2 * nodesMax, free / 4)
        let room = free - handshakes - logFiles - toNodes
        return DescriptorBudget(
            connections: try connections(wanted, atMost: 10_000, room, "node.connections-max", limit),
            connectionsKeptForNodes: toNodes, handshakes: handshakes, logFiles: logFiles)
    }

    /// A gateway's shares of `limit` descriptors, in which it takes `wanted` connections (as many as there is room for,
    /// 16,384 at most, when nil).
    static func gateway(limit: Int, wanted: Int?) throws(ConfigurationError) -> DescriptorBudget {
        // A quarter is left for nodes to connect to, when there are very many, and for pages that are read.
        let free = try rest(of: limit, reserve: gatewayReserve)
        let room = free - min(2 * nodesMax, free / 4)
        return DescriptorBudget(
            connections: try connections(wanted, atMost: 16_384, room, "gateway.connections-max", limit),
            connectionsKeptForNodes: 0, handshakes: 0, logFiles: 0)
    }

    /// Nodes of the largest cluster.
    private static let nodesMax = 1_024

    private static func rest(of limit: Int, reserve: Int) throws(ConfigurationError) -> Int {
        guard limit >= limitMin else {
            throw .refused(
                "this process may open \(limit) files and connections, fewer than the \(limitMin) that it needs: "
                    + "raise the limit (ulimit -n, LimitNOFILE= of systemd)")
        }
        // So that sums of shares of "unlimited" do not overflow.
        return min(limit, 1 << 30) - reserve
    }

    private static func connections(
        _ wanted: Int?, atMost most: Int, _ room: Int, _ setting: String, _ limit: Int
    ) throws(ConfigurationError) -> Int {
        guard let wanted else { return min(most, room) }
        guard wanted <= room else {
            throw .refused(
                "\(setting) is \(wanted), and of the \(limit) files and connections that this process may open "
                    + "\(room) are left for that: raise the limit (ulimit -n, LimitNOFILE= of systemd), or give less")
        }
        return wanted
    }
}
