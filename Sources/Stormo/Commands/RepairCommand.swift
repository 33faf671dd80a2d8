import ArgumentParser
import StormoClient
import Wire

/// `stormo repair`: compares all copies now, instead of when their turn comes.
struct RepairCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "repair", abstract: "Compare the copies of every key and settle what differs, with progress.",
        discussion: "Every node compares the ranges that it is the first replica of. Exits with 1 when a range failed.")

    @Option(help: "Only the ranges of this node (name or id).") var node: String?
    @OptionGroup var flags: SettingFlags<Scope>
    @OptionGroup var format: OutputOptions

    /// A node's repair as it ended.
    struct Result: Encodable, Sendable {
        var node: String
        var ranges: UInt32
        var failed: UInt32
        var keysCompared: UInt64
        var keysRepaired: UInt64
        var bytes: UInt64
        var elapsedMs: UInt64

        init(_ name: String, _ status: RepairStatus) {
            node = name
            ranges = status.rangesDone
            failed = status.rangesFailed
            keysCompared = status.keysCompared
            keysRepaired = status.keysRepaired
            bytes = status.bytes
            elapsedMs = status.elapsedMs
        }
    }

    func run() async throws {
        let session = try ClientSession(CommandContext(flags), name: "repair")
        let only = node
        let results = try await session.run { client in
            let members = (client.cluster?.ring?.members ?? []).filter {
                only == nil || $0.name == only || $0.id.description == only
            }
            guard !members.isEmpty else {
                throw KeyCommand.Refused(
                    description: only.map { "the ring has no node '\($0)'" } ?? "no node has told a ring yet")
            }
            return try await Self.repair(members, client)
        }
        switch format.output {
        case .json: Console.bytes(JSONText.bytes(results))
        case .table: for line in Self.lines(results) { Console.line(line) }
        }
        if results.contains(where: { $0.failed > 0 }) { throw ExitCode(CommandExit.failure) }
    }

    private static func repair(_ members: [RingMember], _ client: StormoClient) async throws -> [Result] {
        var statuses: [NodeID: RepairStatus] = [:]
        for member in members { statuses[member.id] = try await client.repair(at: member.id, begin: true) }
        var line = LiveLine(onError: true)
        defer { line.clear() }
        while statuses.values.contains(where: \.isRunning) {
            let done = statuses.values.reduce(0) { $0 + UInt64($1.rangesDone) }
            let total = statuses.values.reduce(0) { $0 + UInt64($1.rangesTotal) }
            let compared = statuses.values.reduce(0) { $0 + $1.keysCompared }
            let repaired = statuses.values.reduce(0) { $0 + $1.keysRepaired }
            line.show(
                "\(total == 0 ? 0 : done * 100 / total) % · \(done) of \(total) ranges · \(BenchReport.grouped(Double(compared))) keys compared, \(repaired) settled"
            )
            try await Task.sleep(for: .milliseconds(300))
            for member in members where statuses[member.id]?.isRunning == true {
                statuses[member.id] = try await client.repair(at: member.id, begin: false)
            }
        }
        return members.compactMap { member in statuses[member.id].map { Result(member.name, $0) } }
    }

    private static func lines(_ results: [Result]) -> [String] {
        var table = TextTable([
            .init("NODE"), .init("RANGES", right: true), .init("FAILED", right: true), .init("KEYS", right: true),
            .init("SETTLED", right: true), .init("MIB MOVED", right: true), .init("SECONDS", right: true),
        ])
        for result in results {
            table.add([
                result.node, "\(result.ranges)", "\(result.failed)", BenchReport.grouped(Double(result.keysCompared)),
                "\(result.keysRepaired)", "\((result.bytes + (1 << 20) - 1) >> 20)",
                "\(Double(result.elapsedMs / 100) / 10)",
            ])
        }
        return table.lines
    }
}
