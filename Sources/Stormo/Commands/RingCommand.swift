import ArgumentParser
import StormoClient
import Wire

/// `stormo ring`: who holds the keys, and how that changes.
struct RingCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "ring", abstract: "Show the ring; add, remove and replace nodes; set the number of copies.",
        discussion: """
            A change moves keys while the cluster works. It begins at once and ends by itself when every new owner holds \
            its keys; --wait stays until then. Nodes are named by name, id or host:port.
            """,
        subcommands: [Show.self, Add.self, Remove.self, Replace.self, SetReplicas.self, Abort.self],
        defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show members, shares, and the change under way.")

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "ring")
            let report = try await session.run { try await RingReport.gather(from: $0) }
            switch format.output {
            case .json: Console.bytes(JSONText.bytes(report))
            case .table: for line in report.lines { Console.line(line) }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a node its share of the keys.",
            discussion: "The node runs already, with this cluster's name, secret and a seed.")

        @Argument(help: "The node that holds no keys yet.") var node: String
        @OptionGroup var change: ChangeOptions

        func run() async throws { try await change.run(.add(node)) }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a node out of the ring; the others take its keys over. It may be dead.")

        @Argument(help: "The node.") var node: String
        @OptionGroup var change: ChangeOptions

        func run() async throws { try await change.run(.remove(node)) }
    }

    struct Replace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new node in the place of one, which may be dead.")

        @Argument(help: "The node that goes.") var node: String
        @Argument(help: "The node that comes.") var replacement: String
        @OptionGroup var change: ChangeOptions

        func run() async throws { try await change.run(.replace(node, with: replacement)) }
    }

    struct SetReplicas: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-replicas", abstract: "Set how many nodes hold each key.",
            discussion: "More than there are nodes are kept in mind until there are as many.")

        @Argument(help: "Copies of every key, 1 to \(WireLimits.ringMembersMax).") var copies: Int
        @OptionGroup var change: ChangeOptions

        func run() async throws {
            guard (1...WireLimits.ringMembersMax).contains(copies) else {
                throw ValidationError("copies are 1 to \(WireLimits.ringMembersMax), found \(copies)")
            }
            try await change.run(.replicationFactor(copies))
        }
    }

    struct Abort: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the change under way back; the keys stay where they were.")

        @OptionGroup var flags: SettingFlags<Scope>

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "ring")
            let plan = try await session.run { try await $0.changeRing(.abort) }
            Console.line("taken back, as epoch \(plan.epoch)")
        }
    }
}

/// What all changes of the ring have in common.
struct ChangeOptions: ParsableArguments {
    @Flag(help: "Only show what would move, and where a quorum could not be kept.") var dryRun = false
    @Flag(help: "Wait for the end of the change, with progress.") var wait = false
    @OptionGroup var flags: SettingFlags<RingCommand.Scope>
    @OptionGroup var format: OutputOptions

    func run(_ change: RingChange) async throws {
        let session = try ClientSession(CommandContext(flags), name: "ring")
        let (dryRun, wait) = (dryRun, wait)
        let (plan, keys) = try await session.run { client in
            let plan = try await client.changeRing(change, dryRun: dryRun)
            return (plan, await RingReport.keys(of: client))
        }
        switch format.output {
        case .json: Console.bytes(JSONText.bytes(RingPlanReport(plan, keys: keys, isDryRun: dryRun)))
        case .table:
            for line in RingPlanReport(plan, keys: keys, isDryRun: dryRun).lines { Console.line(line) }
        }
        guard wait, !dryRun else { return }
        try await session.run { try await RingReport.follow($0, from: plan.epoch) }
    }
}

/// What a change of the ring does, for people and programs.
struct RingPlanReport: Encodable, Sendable {
    /// A node's part.
    struct Node: Encodable, Sendable {
        var name: String
        /// Percent of all keys that it holds a copy of, before and after.
        var holdsPercent: Double
        var willHoldPercent: Double
        /// Percent of all keys that it has to copy, and about how many these are.
        var copiesPercent: Double
        var copiesKeys: UInt64
    }

    /// A stretch of the ring that could not keep a quorum.
    struct Danger: Encodable, Sendable {
        var after: String
        var through: String
        var alive: Int
        var needed: Int
    }

    var epoch: UInt32
    var dryRun: Bool
    var replicas: Int
    var nodes: [Node]
    var withoutQuorum: [Danger]

    init(_ plan: RingPlan, keys: UInt64, isDryRun: Bool) {
        func percent(_ millionths: UInt32) -> Double { (Double(millionths) / 1_000).rounded() / 10 }
        epoch = plan.epoch.rawValue
        dryRun = isDryRun
        replicas = Int(plan.replicas)
        nodes = plan.shares.map { share in
            Node(
                name: share.name, holdsPercent: percent(share.before), willHoldPercent: percent(share.after),
                copiesPercent: percent(share.copies),
                copiesKeys: UInt64(Double(keys) * Double(share.copies) / 1_000_000))
        }
        withoutQuorum = plan.dangers.map { danger in
            Danger(
                after: Hex.fixed(danger.range.after), through: Hex.fixed(danger.range.through),
                alive: danger.alive.count, needed: Int(danger.needed))
        }
    }

    var lines: [String] {
        var lines = [
            dryRun ? "nothing is changed (dry run)" : "the change runs, as epoch \(epoch)",
            "copies of every key: \(replicas)", "",
        ]
        var table = TextTable([
            .init("NODE"), .init("HOLDS", right: true), .init("WILL HOLD", right: true), .init("COPIES", right: true),
            .init("KEYS TO COPY", right: true),
        ])
        for node in nodes {
            table.add([
                node.name, "\(node.holdsPercent) %", "\(node.willHoldPercent) %", "\(node.copiesPercent) %",
                "about \(BenchReport.grouped(Double(node.copiesKeys)))",
            ])
        }
        lines += table.lines
        guard !withoutQuorum.isEmpty else { return lines }
        lines += ["", "\(withoutQuorum.count) stretches of the ring could not keep a quorum; the first of them:"]
        for danger in withoutQuorum.prefix(5) {
            lines.append("  \(danger.after) to \(danger.through): \(danger.alive) of \(danger.needed) replicas alive")
        }
        return lines
    }
}

/// The ring as `stormo ring show` tells it.
struct RingReport: Encodable, Sendable {
    /// A member, before or after the change under way.
    struct Node: Encodable, Sendable {
        var name: String
        var id: String
        var address: String
        var zone: String
        var state: String
        var tokens: Int
        var ownsPercent: Double
        /// `joins`, `leaves`, or nothing.
        var change: String?
    }

    /// A change under way.
    struct Transition: Encodable, Sendable {
        var rangesDone: UInt64
        var rangesTotal: UInt64
        var keysCopied: UInt64
        var bytesCopied: UInt64
        var secondsLeft: UInt64?

        var line: String {
            let part = rangesTotal == 0 ? 0 : rangesDone * 100 / rangesTotal
            let left = secondsLeft.map { ", about \($0) s left" } ?? ""
            return
                "\(part) % · \(rangesDone) of \(rangesTotal) ranges · \(BenchReport.grouped(Double(keysCopied))) keys, \(bytesCopied >> 20) MiB copied\(left)"
        }
    }

    var epoch: UInt32
    var replicationFactor: Int
    var replicas: Int
    var nodes: [Node]
    var transition: Transition?

    static func gather(from client: StormoClient) async throws -> RingReport {
        guard let cluster = client.cluster, let ring = cluster.ring else {
            throw ClientError.unreachable("no node has told a ring yet")
        }
        return RingReport(
            epoch: ring.epoch.rawValue, replicationFactor: ring.replicationFactor, replicas: ring.replicas,
            nodes: ring.allMembers.map { member in
                let isOld = ring.layout.member(member.id) != nil
                let isNew = ring.next.map { $0.member(member.id) != nil } ?? true
                let state = cluster.members.first { $0.identity.id == member.id }?.state
                return Node(
                    name: member.name, id: "\(member.id)", address: member.address, zone: member.zone,
                    state: state.map { "\($0)" } ?? "unknown", tokens: Int(member.virtualNodes),
                    ownsPercent: (ring.primaryShare(of: member.id) * 1_000).rounded() / 10,
                    change: isOld ? (isNew ? nil : "leaves") : "joins")
            },
            transition: ring.next == nil ? nil : await transition(ring, client))
    }

    private static func transition(_ ring: Ring, _ client: StormoClient) async -> Transition {
        var found = Transition(rangesDone: 0, rangesTotal: 0, keysCopied: 0, bytesCopied: 0)
        var leftMs: UInt64 = 0
        for member in ring.allMembers {
            guard let figures = try? await client.statistics(of: member.id) else { continue }
            func figure(_ name: String) -> UInt64 { figures.items.first { $0.name == name }?.value ?? 0 }
            found.rangesDone += figure("transfer_ranges_done")
            found.rangesTotal += figure("transfer_ranges_total")
            found.keysCopied += figure("transfer_keys_total")
            found.bytesCopied += figure("transfer_bytes_total")
            leftMs = max(leftMs, figure("transfer_left_ms"))
        }
        if leftMs > 0 { found.secondsLeft = (leftMs + 999) / 1_000 }
        return found
    }

    /// About how many keys the cluster holds: copies on all nodes by the copies of each.
    static func keys(of client: StormoClient) async -> UInt64 {
        guard let ring = client.cluster?.ring else { return 0 }
        var copies: UInt64 = 0
        for member in ring.members {
            guard let figures = try? await client.statistics(of: member.id) else { continue }
            copies += figures.items.first { $0.name == "sqlite_keys" }?.value ?? 0
        }
        return copies / UInt64(max(1, ring.replicas))
    }

    /// Shows progress until the change that began as `epoch` is over.
    static func follow(_ client: StormoClient, from epoch: Epoch) async throws {
        var line = LiveLine(onError: true)
        defer { line.clear() }
        while true {
            if let ring = client.cluster?.ring, ring.epoch >= epoch {
                guard ring.next != nil else {
                    line.clear()
                    return Console.line(
                        "done: epoch \(ring.epoch), \(ring.members.map(\.name).joined(separator: ", "))")
                }
                line.show(await transition(ring, client).line)
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    var lines: [String] {
        var lines = [
            "epoch \(epoch) · \(replicas) copies of every key"
                + (replicas < replicationFactor ? " (\(replicationFactor) wanted)" : ""), "",
        ]
        var table = TextTable([
            .init("NODE"), .init("STATE"), .init("ADDRESS"), .init("ZONE"), .init("TOKENS", right: true),
            .init("OWNS", right: true), .init("CHANGE"), .init("ID"),
        ])
        for node in nodes {
            table.add([
                node.name, node.state, node.address, node.zone, "\(node.tokens)", "\(node.ownsPercent) %",
                node.change ?? "", node.id,
            ])
        }
        lines += table.lines
        if let transition { lines += ["", "the ring is changing: \(transition.line)"] }
        return lines
    }
}
