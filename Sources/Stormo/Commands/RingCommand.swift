import ArgumentParser
import StormoClient
import Wire

/// `stormo ring`: who holds which keys, and changes of it.
struct RingCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "ring", abstract: "Show and change who holds which keys.",
        discussion: """
            A change copies keys to their new owners while the cluster works on, and takes effect when they have all of \
            them. One runs at a time. Nodes are named by name, id or address.
            """,
        subcommands: [Show.self, Add.self, Remove.self, Replace.self, SetReplicas.self, Abort.self],
        defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the ring, its nodes, and how far a change under way is.",
            discussion: """
                OWNS is the share of all keys for which a node is the first replica, HOLDS that of which it has a copy, \
                THEN the same after the change. HINTS are writes that a node keeps for others that missed them.
                """)

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "ring")
            let report = try await session.run { try await RingReport.gather(from: $0) }
            format.tell(report, lines: report.lines)
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a node that holds no keys yet its share.",
            discussion: "The node must run in the cluster: start it with the cluster's name, secret and seeds first.")

        @Argument(help: "The node.") var node: String
        @OptionGroup var options: ChangeOptions

        func run() async throws { try await options.run(.add(try RingCommand.name(node))) }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hand a node's keys over to the others and take it out of the ring.",
            discussion: "The node may be dead, as long as a majority of every key's replicas lives.")

        @Argument(help: "The node.") var node: String
        @OptionGroup var options: ChangeOptions

        func run() async throws { try await options.run(.remove(try RingCommand.name(node))) }
    }

    struct Replace: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a node that holds no keys yet in another's place.",
            discussion: "The node that goes may be dead. Less is copied than by a removal and an addition.")

        @Argument(help: "The node that goes.") var node: String
        @Argument(help: "The node that takes its place.") var replacement: String
        @OptionGroup var options: ChangeOptions

        func run() async throws {
            try await options.run(.replace(try RingCommand.name(node), with: try RingCommand.name(replacement)))
        }
    }

    struct SetReplicas: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-replicas", abstract: "Change how many copies of every key there are.",
            discussion: "More copies than there are nodes are kept in mind until there are as many nodes.")

        @Argument(help: "Copies of every key, at least 1.") var copies: Int
        @OptionGroup var options: ChangeOptions

        func run() async throws {
            guard (1...WireLimits.ringMembersMax).contains(copies) else {
                throw ValidationError("the number of copies is 1 to \(WireLimits.ringMembersMax)")
            }
            try await options.run(.replicationFactor(copies))
        }
    }

    struct Abort: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take back the change that is under way.",
            discussion: "The ring stays as it was; what was copied is cleared.")

        @OptionGroup var options: ChangeOptions

        func run() async throws { try await options.run(.abort) }
    }

    /// What all changes take, and how they are run.
    struct ChangeOptions: ParsableArguments {
        @Flag(help: "Only show what would move, and exit with 1 when it would be refused.") var dryRun = false
        @Flag(
            help:
                "Wait until the change is over, and the partitions of topics have moved. Interrupting the command stops neither."
        )
        var wait = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run(_ change: RingChange) async throws {
            if dryRun, wait { throw ValidationError("give --dry-run or --wait, not both") }
            let (dryRun, wait, output) = (dryRun, wait, format.output)
            let session = try ClientSession(CommandContext(flags), name: "ring")
            let isAbort = if case .abort = change { true } else { false }
            let report = try await session.run { client in
                // Before it begins: nodes that copy soon hold more than their share tells.
                let figures = await client.statisticsOfNodes()
                let plan = try await client.changeRing(change, dryRun: dryRun)
                var report = RingPlanReport(plan, dryRun: dryRun, figures: figures)
                // Without their word the change is the same: it is only told less of.
                if let cluster = client.cluster, let topics = try? await client.topics() {
                    let members = PartitionMoves.members(after: plan, in: cluster)
                    report.partitionsToMove = PartitionMoves.left(topics, over: members).count
                }
                if case .table = output {
                    if !isAbort || dryRun { for line in report.lines { Console.line(line) } }
                    Console.line(
                        dryRun ? "\n" + report.dryRunLine : RingCommand.begun(change, plan, wait: wait))
                }
                guard wait, !isAbort else { return report }
                let (outcome, ring) = try await RingWait(client: client, plan: plan).run()
                report.outcome = outcome.rawValue
                report.epoch = ring.epoch.rawValue
                guard outcome == .done else { return report }
                if case .table = output { Console.line("done: ring \(ring.epoch) is in force") }
                try await RingWait(client: client, plan: plan).runPartitions()
                report.partitionsToMove = 0
                if case .table = output { Console.line("done: the partitions of topics are where they should be") }
                return report
            }
            if output != .table { format.tell(report, lines: []) }
            if report.outcome == RingWait.Outcome.superseded.rawValue {
                throw Failed(
                    description:
                        "the change was taken back, or the ring was changed anew since: 'stormo ring show' tells how it is"
                )
            }
            if dryRun, !report.dangers.isEmpty { throw ExitCode(CommandExit.failure) }
        }
    }

    /// A change that did not come to what was asked for.
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    private static func begun(_ change: RingChange, _ plan: RingPlan, wait: Bool) -> String {
        if case .abort = change { return "taken back: ring \(plan.epoch) is the one from before" }
        return "\nbegun as ring \(plan.epoch)" + (wait ? "" : ": 'stormo ring show' tells how far it is")
    }

    private static func name(_ text: String) throws -> String {
        guard !text.isEmpty, text.utf8.count <= WireLimits.nameBytesMax else {
            throw ValidationError("a node is named by its name, its id or its address, 1 to 255 bytes")
        }
        return text
    }
}
