import ArgumentParser
import StormoClient
import Wire

/// `stormo topic`: topics, and how they are kept. Records are `TopicRecordCommands`.
struct TopicCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "topic", abstract: "Make, change, fill and read topics.",
        subcommands: [
            List.self, Describe.self, Create.self, Alter.self, Delete.self, Publish.self, Consume.self,
            Replay.self, Elect.self,
        ], defaultSubcommand: List.self)

    /// Something that cannot be done as things are.
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all topics.")

        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let reports = try await session.run { client in
                try await client.topics().map { TopicReport($0, in: client.cluster) }
            }
            format.tell(["topics": reports], items: reports, lines: TopicReport.lines(reports))
        }
    }

    struct Describe: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how a topic is kept, and its partitions.",
            discussion:
                "MISSING are replicas that do not hold everything acknowledged. Exits with 1 when there is none.")

        @Argument(help: "The topic.") var topic: String
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let report = try await session.run { client in
                TopicReport(try await TopicCommand.topic(name, by: client), in: client.cluster)
            }
            format.tell(report, lines: report.lines)
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Publish dead letters again, each to the topic that it came from.",
            discussion: "What was replayed once is not replayed again.")

        @Argument(help: "The topic of dead letters.") var topic: String
        @OptionGroup var flags: SettingFlags<Scope>

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let result = try await session.run { try await $0.replayDeadLetters(name) }
            Console.line("replayed \(Text.grouped(Double(result.replayed))) records")
            if result.passedOver > 0 {
                Console.line("passed over \(Text.grouped(Double(result.passedOver))) that are no dead letters")
            }
            guard result.busyPartitions.isEmpty else {
                let list = result.busyPartitions.map { "\($0)" }.joined(separator: ", ")
                throw Refused(description: "another replay is at partitions \(list): try again when it is over")
            }
        }
    }

    /// How a topic is kept, as far as it is given.
    struct Keeping: ParsableArguments {
        @Option(help: "Partitions, 1 to 1024; they can become more later, not fewer.") var partitions: Int?
        @Option(help: "Copies of each partition.") var replicationFactor: Int?
        @Option(help: "How few replicas in sync still take publishes; 0 for a majority.") var minInSync: Int?
        @Option(help: "Age at which records may go, as in 7d; 0 keeps them.") var retention: String?
        @Option(help: "Size of a partition above which its oldest records may go, as in 10GiB; 0 for no bound.")
        var retentionBytes: String?
        @Option(
            help: """
                How they go: delete, by age and size; or compact, which keeps the newest of each key for ever, whatever the \
                retention is. There a record with a key and no value deletes its key.
                """)
        var cleanup: String?

        /// A configuration with what is given; throws for what makes no sense.
        func applied(to configuration: TopicConfiguration) throws -> TopicConfiguration {
            var configuration = configuration
            if let partitions {
                guard (1...WireLimits.partitionsMax).contains(partitions) else {
                    throw ValidationError("--partitions is 1 to \(WireLimits.partitionsMax)")
                }
                configuration.partitions = UInt32(partitions)
            }
            if let replicationFactor {
                guard (1...WireLimits.ringMembersMax).contains(replicationFactor) else {
                    throw ValidationError("--replication-factor is 1 to \(WireLimits.ringMembersMax)")
                }
                configuration.replicationFactor = UInt16(replicationFactor)
            }
            if let minInSync {
                guard (0...Int(configuration.replicationFactor)).contains(minInSync) else {
                    throw ValidationError("--min-in-sync is 0 to \(configuration.replicationFactor), the copies")
                }
                configuration.minInSync = UInt16(minInSync)
            }
            if let retention {
                guard let ms = Quantity.durationMs(retention, unit: "s") else {
                    throw ValidationError("--retention is a time, as in 12h or 7d")
                }
                configuration.retentionMs = ms
            }
            if let retentionBytes {
                guard let bytes = Quantity.bytes(retentionBytes) else {
                    throw ValidationError("--retention-bytes is a size, as in 512MiB or 10GiB")
                }
                configuration.retentionBytes = UInt64(bytes)
            }
            if let cleanup {
                guard let kind = ["delete": Cleanup.delete, "compact": .compact][cleanup] else {
                    throw ValidationError("--cleanup is delete or compact")
                }
                configuration.cleanup = kind
            }
            return configuration
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a topic.", discussion: "Exits with 1 when there is one of this name already.")

        @Argument(help: "The topic.") var topic: String
        @OptionGroup var keeping: Keeping
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let wanted = try keeping.applied(to: TopicConfiguration())
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let report = try await session.run { client in
                guard try await client.topic(name) == nil,
                    let made = try await client.topic(name, creating: wanted), made.configuration == wanted
                else {
                    throw Refused(description: "there is a topic '\(name)' already: 'stormo topic alter' changes it")
                }
                return TopicReport(made, in: client.cluster)
            }
            format.tell(report, lines: report.lines)
        }
    }

    struct Alter: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change how a topic is kept; what is not given stays.",
            discussion: "With more partitions, records with a key go to other ones than before.")

        @Argument(help: "The topic.") var topic: String
        @OptionGroup var keeping: Keeping
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            // Refused before anything is asked, as far as it can be.
            _ = try keeping.applied(to: TopicConfiguration(replicationFactor: UInt16(WireLimits.ringMembersMax)))
            let keeping = keeping
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let report = try await session.run { client in
                let present = try await TopicCommand.topic(name, by: client)
                let wanted = try keeping.applied(to: present.configuration)
                return TopicReport(try await client.alterTopic(name, wanted), in: client.cluster)
            }
            format.tell(report, lines: report.lines)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a topic with all its records, also when there is none.",
            discussion: "On a terminal it wants --yes.")

        @Argument(help: "The topic.") var topic: String
        @Flag(help: "Yes, all of its records.") var yes = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            try TopicCommand.confirm(yes, "deletes all records of topic '\(name)'")
            let session = try ClientSession(CommandContext(flags), name: "topic")
            try await session.run { try await $0.deleteTopic(name) }
            format.tell(["deleted": name], lines: ["\(name) is deleted"])
        }
    }

    // MARK: Parts

    /// A topic's name; throws for one that none can have.
    static func name(_ text: String) throws -> String {
        guard TopicInfo.isName(text) else {
            throw ValidationError(
                "a topic's name is 1 to \(WireLimits.nameBytesMax) letters, digits, '.', '_' or '-'")
        }
        return text
    }

    /// The topic of a name, which must exist.
    static func topic(_ name: String, by client: StormoClient) async throws -> TopicInfo {
        guard let topic = try await client.topic(name) else {
            throw Refused(description: "there is no topic '\(name)': 'stormo topic create' makes one")
        }
        return topic
    }

    /// Throws where a person has not said yes to what cannot be taken back.
    static func confirm(_ yes: Bool, _ what: String) throws {
        guard yes || !Console.inputIsTerminal else { throw ValidationError("this \(what): say so with --yes") }
    }
}
