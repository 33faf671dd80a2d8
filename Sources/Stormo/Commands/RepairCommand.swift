import ArgumentParser
import StormoClient
import Wire

/// `stormo repair`: compares the copies of all keys and mends those that differ.
struct RepairCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Compare the copies of all keys and mend those that differ.",
        discussion: """
            Nodes do this by themselves in the background; ask for it after a long outage, or when hints were dropped. \
            Exits with 1 when something could not be compared. Interrupting the command does not stop the nodes.
            """)

    @Option(help: "Only this node, by name, id or address.") var node: String?
    @Flag(help: "Only show how far it is; begin nothing.") var status = false
    @OptionGroup var flags: SettingFlags<Scope>
    @OptionGroup var format: OutputOptions

    /// How often the nodes are asked, in milliseconds.
    private static let pollMs: UInt64 = 500
    /// How often a line is written where there is no terminal, in milliseconds.
    private static let lineMs: Int64 = 10_000

    func run() async throws {
        let (name, onlyStatus) = (node, status)
        let session = try ClientSession(CommandContext(flags), name: "repair")
        let report = try await session.run { client in
            guard let cluster = client.cluster else {
                throw ClientError.unreachable("no node has told its cluster yet")
            }
            let nodes = try Self.nodes(of: cluster, named: name)
            var report = RepairReport(await Self.ask(client, nodes, begin: !onlyStatus))
            var display = ProgressDisplay(everyMs: Self.lineMs)
            while !onlyStatus, report.isRunning {
                display.show(report.progress)
                try await Task.sleep(for: .milliseconds(Self.pollMs))
                report = RepairReport(await Self.ask(client, nodes, begin: false))
            }
            display.clear()
            return report
        }
        format.tell(report, lines: report.lines)
        if !report.isWhole(asked: !status) { throw ExitCode(CommandExit.failure) }
    }

    /// The nodes to ask: one of a name, or all of the ring.
    static func nodes(of cluster: ClusterState, named name: String?) throws -> [RingMember] {
        guard let ring = cluster.ring else {
            throw ClientError.refused(.noRing, "the cluster has no ring yet: there is nothing to compare")
        }
        guard let name else { return ring.members.sorted { ($0.name, $0.id) < ($1.name, $1.id) } }
        let found = ring.members.filter { $0.isCalled(name) }
        guard !found.isEmpty else {
            let names = ring.members.map(\.name).sorted().joined(separator: ", ")
            throw ValidationError("the ring has no node '\(name)', only \(names)")
        }
        return found
    }

    private static func ask(_ client: StormoClient, _ nodes: [RingMember], begin: Bool) async
        -> [(name: String, status: Result<RepairStatus, ClientError>)]
    {
        await withTaskGroup(of: (Int, Result<RepairStatus, ClientError>).self) { group in
            for (index, node) in nodes.enumerated() {
                group.addTask {
                    do throws(ClientError) {
                        return (index, .success(try await client.repair(at: node.id, begin: begin)))
                    } catch { return (index, .failure(error)) }
                }
            }
            var found: [(Int, Result<RepairStatus, ClientError>)] = []
            for await status in group { found.append(status) }
            return found.sorted { $0.0 < $1.0 }.map { (nodes[$0.0].name, $0.1) }
        }
    }
}

/// What `stormo repair` tells.
struct RepairReport: Encodable, Sendable, Hashable {
    /// A node's comparison with the other replicas.
    struct Node: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Whether it goes on.
        var isRunning = false
        /// Comparisons of a range with a replica that are done.
        var rangesDone: UInt32 = 0
        /// All of them.
        var rangesTotal: UInt32 = 0
        /// Those that failed, since a replica was away.
        var rangesFailed: UInt32 = 0
        /// Keys looked at.
        var keysCompared: UInt64 = 0
        /// Keys that differed and were made equal.
        var keysRepaired: UInt64 = 0
        /// Bytes moved for it.
        var bytes: UInt64 = 0
        /// How long it has run, or took.
        var elapsedSeconds: Double = 0
        /// Why the node did not tell.
        var error: String?
    }

    /// By name.
    var nodes: [Node]

    /// Puts a report together.
    init(_ statuses: [(name: String, status: Result<RepairStatus, ClientError>)]) {
        nodes = statuses.map { name, status in
            var node = Node(name: name)
            switch status {
            case .success(let status):
                node.isRunning = status.isRunning
                node.rangesDone = status.rangesDone
                node.rangesTotal = status.rangesTotal
                node.rangesFailed = status.rangesFailed
                node.keysCompared = status.keysCompared
                node.keysRepaired = status.keysRepaired
                node.bytes = status.bytes
                node.elapsedSeconds = Double(status.elapsedMs) / 1_000
            case .failure(let error): node.error = error.description
            }
            return node
        }
    }

    /// Whether any goes on.
    var isRunning: Bool { nodes.contains(where: \.isRunning) }

    /// Whether every node answers and nothing failed; when a repair was `asked` for, also whether all was compared: a
    /// node that was started anew meanwhile has forgotten it.
    func isWhole(asked: Bool) -> Bool {
        nodes.allSatisfy {
            $0.error == nil && $0.rangesFailed == 0 && (!asked || $0.rangesDone == $0.rangesTotal)
        }
    }

    /// One line of progress.
    var progress: String {
        let done = nodes.reduce(0) { $0 + UInt64($1.rangesDone) }
        let total = nodes.reduce(0) { $0 + UInt64($1.rangesTotal) }
        let repaired = nodes.reduce(0) { $0 + $1.keysRepaired }
        var parts = ["\(total == 0 ? 0 : done * 100 / total) %", "\(done) of \(total) comparisons"]
        parts.append("\(Text.grouped(Double(repaired))) keys mended")
        if let leftMs, leftMs > 0 { parts.append("about \(Text.duration(ms: leftMs)) left") }
        return parts.joined(separator: " · ")
    }

    /// How long it will still take if it goes on as it did, in milliseconds; nil when nothing is known yet.
    var leftMs: UInt64? {
        let running = nodes.filter { $0.isRunning && $0.rangesDone < $0.rangesTotal }
        guard running.allSatisfy({ $0.rangesDone > 0 }) else { return nil }
        return running.map { node in
            UInt64(node.elapsedSeconds * 1_000 * Double(node.rangesTotal - node.rangesDone) / Double(node.rangesDone))
        }.max() ?? 0
    }

    /// The report for people.
    var lines: [String] {
        var table = TextTable([
            .init("NODE"), .init("STATE"), .init("COMPARISONS", right: true), .init("FAILED", right: true),
            .init("KEYS", right: true), .init("MENDED", right: true), .init("MOVED", right: true),
            .init("TIME", right: true),
        ])
        for node in nodes {
            guard node.error == nil else {
                table.add([node.name, "no answer"])
                continue
            }
            let state = node.isRunning ? "running" : node.rangesTotal == 0 ? "idle" : "done"
            table.add([
                node.name, state, "\(node.rangesDone) of \(node.rangesTotal)", "\(node.rangesFailed)",
                Text.grouped(Double(node.keysCompared)), Text.grouped(Double(node.keysRepaired)),
                Text.size(bytes: node.bytes), Text.duration(ms: UInt64(node.elapsedSeconds * 1_000)),
            ])
        }
        var lines = table.lines
        for node in nodes { if let error = node.error { lines.append("\(node.name): \(error)") } }
        return lines
    }
}
