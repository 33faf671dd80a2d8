import ArgumentParser
import StormoClient
import Wire

/// `stormo status`: the cluster as its nodes see it.
struct StatusCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show nodes, ring and topics of a cluster.",
        discussion: "Exits with 1 when a node of the ring is not alive, so that scripts can ask.")

    @OptionGroup var flags: SettingFlags<Scope>
    @OptionGroup var format: OutputOptions
    @Flag(name: .long, help: "Show every figure of every node.") var figures = false

    func run() async throws {
        let session = try ClientSession(CommandContext(flags), name: "status")
        let report = try await session.run { try await StatusReport.gather(from: $0) }
        format.tell(report, lines: report.lines(withFigures: figures))
        if !report.isWhole { throw ExitCode(CommandExit.failure) }
    }
}

/// What `stormo status` tells.
struct StatusReport: Encodable, Sendable, Hashable {
    /// A node of the ring.
    struct Node: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Its id.
        var id: String
        /// Where it is reached.
        var address: String
        /// Its failure domain.
        var zone: String
        /// `alive`, `suspect`, `dead`, `left`, or `unknown`.
        var state: String
        /// Share of all keys for which it is the first replica, in percent.
        var ownsPercent: Double
        /// Its figures; empty when it does not answer.
        var figures: [String: UInt64]

        /// What an operator should know of it, each as the rest of a sentence that begins with its name.
        var concerns: [String] {
            func figure(_ name: String) -> UInt64 { figures[name] ?? 0 }
            var concerns: [String] = []
            if figure("storage_read_only") > 0 { concerns.append("takes no writes: its disk is full or has failed") }
            if figure("amnesia") > 0 {
                concerns.append(
                    "fetches the copies that it has lost: \(figure("amnesia_ranges_done")) of "
                        + "\(figure("amnesia_ranges_total")) ranges")
            }
            if figure("registers_damaged") > 0 {
                concerns.append("mends \(Text.grouped(Double(figure("registers_damaged")))) damaged keys")
            }
            if figure("hints_pending") > 0 {
                concerns.append(
                    "keeps \(Text.grouped(Double(figure("hints_pending")))) writes "
                        + "(\(Text.size(bytes: figure("hints_bytes")))) for nodes that missed them, the oldest for "
                        + Text.duration(ms: figure("hints_oldest_ms")))
            }
            return concerns
        }
    }

    /// A topic.
    struct Topic: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Its partitions.
        var partitions: Int
        /// Partitions of which a replica is missing from the in-sync set.
        var underReplicated: Int
        /// Records that may be read.
        var records: UInt64
        /// Bytes on one replica of each partition.
        var bytes: UInt64
    }

    /// The cluster's name.
    var cluster: String
    /// Number of the ring; 0 when there is none.
    var epoch: UInt32
    /// Copies in force.
    var replicas: Int
    /// What the ring is changing to, in words.
    var change: String?
    /// The nodes of the ring.
    var nodes: [Node]
    /// Living gateways, agents, and nodes that hold no keys, by name.
    var others: [String]
    /// The topics, by name.
    var topics: [Topic]

    /// Whether there is a ring and all its nodes live.
    var isWhole: Bool { epoch > 0 && nodes.allSatisfy { $0.state == "alive" } }

    /// Asks the cluster.
    static func gather(from client: StormoClient) async throws -> StatusReport {
        guard let cluster = client.cluster else { throw ClientError.unreachable("no node has told its cluster yet") }
        var report = StatusReport(
            cluster: cluster.name, epoch: cluster.ring?.epoch.rawValue ?? 0, replicas: cluster.ring?.replicas ?? 0,
            change: RingReport(cluster, figures: []).change?.words, nodes: [],
            others: cluster.members.filter {
                $0.state == .alive && $0.identity.role != .tool && cluster.ring?.member($0.identity.id) == nil
            }
            .map(\.identity.name).sorted(), topics: [])
        let statistics = await client.statisticsOfNodes()
        for member in cluster.ring?.allMembers ?? [] {
            var figures: [String: UInt64] = [:]
            if let found = try? statistics.first(where: { $0.member.id == member.id })?.figures.get() {
                for item in found.items { figures[item.name] = item.value }
            }
            report.nodes.append(
                Node(
                    name: member.name, id: "\(member.id)", address: member.address, zone: member.zone,
                    state: cluster.stateText(of: member.id),
                    ownsPercent: ((cluster.ring?.primaryShare(of: member.id) ?? 0) * 1_000).rounded() / 10,
                    figures: figures))
        }
        report.nodes.sort { ($0.name, $0.id) < ($1.name, $1.id) }
        for topic in (try? await client.topics()) ?? [] {
            report.topics.append(
                Topic(
                    name: topic.name, partitions: topic.partitions.count,
                    underReplicated: topic.partitions.filter { $0.inSync.count < $0.replicas.count }.count,
                    records: topic.partitions.reduce(0) {
                        $0 + ($1.highWatermark - min($1.highWatermark, $1.firstOffset))
                    },
                    bytes: topic.partitions.reduce(0) { $0 + $1.bytes }))
        }
        report.topics.sort { $0.name < $1.name }
        return report
    }

    /// The report for people.
    func lines(withFigures: Bool) -> [String] {
        let alive = nodes.filter { $0.state == "alive" }.count
        let ring =
            epoch == 0
            ? "no ring yet" : "ring \(epoch), \(replicas) copies" + (change.map { ", changing: \($0)" } ?? "")
        var lines = ["cluster \(cluster): \(alive) of \(nodes.count) nodes alive, \(ring)"]
        var table = TextTable([
            .init("NODE"), .init("STATE"), .init("ADDRESS"), .init("ZONE"), .init("OWNS", right: true), .init("ID"),
        ])
        for node in nodes {
            table.add([
                node.name, node.state, node.address, node.zone, "\(Text.fixed(node.ownsPercent, digits: 1)) %", node.id,
            ])
        }
        if !nodes.isEmpty { lines += [""] + table.lines }
        let concerns = nodes.flatMap { node in node.concerns.map { "\(node.name) \($0)" } }
        if !concerns.isEmpty { lines += [""] + concerns }
        if !topics.isEmpty {
            var table = TextTable([
                .init("TOPIC"), .init("PARTITIONS", right: true), .init("UNDER-REPLICATED", right: true),
                .init("RECORDS", right: true),
                .init("BYTES", right: true),
            ])
            for topic in topics {
                table.add([
                    topic.name, "\(topic.partitions)", "\(topic.underReplicated)", "\(topic.records)", "\(topic.bytes)",
                ])
            }
            lines += [""] + table.lines
        }
        if !others.isEmpty { lines += ["", "also here: \(others.joined(separator: ", "))"] }
        if withFigures {
            let names = Set(nodes.flatMap(\.figures.keys)).sorted()
            var table = TextTable([.init("FIGURE")] + nodes.map { .init($0.name, right: true) })
            for name in names { table.add([name] + nodes.map { $0.figures[name].map { "\($0)" } ?? "-" }) }
            lines += [""] + table.lines
        }
        return lines
    }
}
