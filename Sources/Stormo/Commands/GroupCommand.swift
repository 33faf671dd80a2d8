import ArgumentParser
import Fleet
import StormoClient
import Wire

/// `stormo group`: who reads topics together, and how far they are.
struct GroupCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Show and set how far groups have read topics.",
        subcommands: [List.self, Describe.self, Seek.self, Delete.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all groups, their topics and members.")

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// A group as it is printed by `-o json`.
        struct Printed: Encodable {
            var name: String
            var topics: [String]
            var members: [String]
        }

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "group")
            let groups = try await session.run { try await $0.groups() }
            let printed = groups.map { Printed(name: $0.name, topics: $0.topics, members: $0.members) }
            var table = TextTable([.init("GROUP"), .init("MEMBERS", right: true), .init("TOPICS")])
            for group in groups {
                table.add([group.name, "\(group.members.count)", group.topics.joined(separator: ",")])
            }
            format.tell(["groups": printed], items: printed, lines: table.lines)
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how far a group is, and who reads for it.",
            discussion:
                "BEHIND is how long the first record waits that was not read. Exits with 1 when there is no such group."
        )

        @Argument(help: "The group.") var group: String
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try GroupCommand.name(group)
            let session = try ClientSession(CommandContext(flags), name: "group")
            guard let found = try await session.run({ try await $0.group(name) }) else {
                throw TopicCommand.Refused(description: "there is no group '\(name)'")
            }
            let report = GroupReport(found)
            format.tell(report, lines: report.lines)
        }
    }

    struct Seek: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set where a group goes on in a topic.",
            discussion: """
                Members that read lose their partitions and go on from there; what they have not committed comes again. \
                Exits with 3 when nobody can tell whether it was set: setting it again does no harm.
                """)

        @Argument(help: "The group; made when there is none.") var group: String
        @Argument(help: "The topic.") var topic: String
        @Option(parsing: .unconditional, help: ArgumentHelp("Where: \(TopicPlace.help).")) var to: String
        @Option(help: "Only in this partition.") var partition: UInt32?
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// What was set, as it is printed by `-o json`.
        struct Printed: Encodable {
            var group: String
            var topic: String
            var positions: [TopicCommand.Publish.Printed]
        }

        func run() async throws {
            let name = try GroupCommand.name(group)
            let topic = try TopicCommand.name(topic)
            guard let place = TopicPlace.query(to, nowMs: UInt64(max(0, WallClock.nowMs()))) else {
                throw ValidationError(TopicPlace.problem("--to", to))
            }
            let partition = partition
            let session = try ClientSession(CommandContext(flags), name: "group")
            let positions = try await session.run {
                try await $0.seek(group: name, topic: topic, partition: partition, to: place)
            }
            let printed = positions.map {
                TopicCommand.Publish.Printed(partition: $0.partition, offset: $0.offset)
            }
            format.tell(
                Printed(group: name, topic: topic, positions: printed), items: printed,
                lines: positions.map { "\($0.partition)@\($0.offset)" })
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget how far a group is, also when there is none.",
            discussion: "Exits with 1 while members read for it, unless it is forced. On a terminal it wants --yes.")

        @Argument(help: "The group.") var group: String
        @Flag(help: "Also while members read; they begin anew.") var force = false
        @Flag(help: "Yes, all of its positions.") var yes = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try GroupCommand.name(group)
            try TopicCommand.confirm(yes, "forgets all positions of group '\(name)'")
            let force = force
            let session = try ClientSession(CommandContext(flags), name: "group")
            if case .inUse(let members) = try await session.run({ try await $0.deleteGroup(name, isForced: force) }) {
                throw TopicCommand.Refused(
                    description:
                        "group '\(name)' is read by \(members.joined(separator: ", ")): stop them first, or --force it")
            }
            format.tell(["deleted": name], lines: ["\(name) is deleted"])
        }
    }

    /// A group's name; throws for one that none can have.
    static func name(_ text: String) throws -> String {
        guard (1...WireLimits.nameBytesMax).contains(text.utf8.count) else {
            throw ValidationError("a group's name is 1 to \(WireLimits.nameBytesMax) bytes")
        }
        return text
    }
}
