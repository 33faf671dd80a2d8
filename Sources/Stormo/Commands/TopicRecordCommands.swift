import ArgumentParser
import Fleet
import StormoClient
import Wire

extension TopicCommand {
    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Append records to a topic that exists.",
            discussion: """
                Takes each argument as a record, or without any each line of standard input, and prints where they are: \
                partition and offset. Exits with 3 when nobody can tell whether all of them are kept.
                """)

        @Argument(help: "The topic.") var topic: String
        @Argument(help: "Values; left out, the lines of standard input.") var values: [String] = []
        @Option(help: "The key of all of them; records of one key stay in their order.") var key: String?
        @Option(help: "A header of all of them, as name=value; may be given again.") var header: [String] = []
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// Where a record is, as it is printed by `-o json`, one to a line.
        struct Printed: Encodable {
            var partition: UInt32
            var offset: UInt64
        }

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let headers = try Self.headers(header)
            let key = key.map { Array($0.utf8) }
            let values = values.map { Array($0.utf8) }
            let output = format.output
            for value in values { try Self.check(Record(key: key, value: value, headers: headers, timestampMs: 0)) }
            let session = try ClientSession(CommandContext(flags), name: "topic")
            try await session.run { client in
                // Told before anything is read.
                _ = try await TopicCommand.topic(name, by: client)
                func publish(_ values: [[UInt8]]) async throws {
                    let nowMs = UInt64(max(0, WallClock.nowMs()))
                    let records = values.map { Record(key: key, value: $0, headers: headers, timestampMs: nowMs) }
                    for record in records { try Self.check(record) }
                    for position in try await client.publish(toExisting: name, records) {
                        switch output {
                        case .json:
                            Console.bytes(
                                JSONText.line(Printed(partition: position.partition, offset: position.offset)))
                        case .table: Console.line("\(position.partition)@\(position.offset)")
                        }
                    }
                }
                if !values.isEmpty { return try await publish(values) }
                var lines = InputLines(lineBytesMax: WireLimits.recordBytesMax)
                while let values = try await lines.next() { try await publish(values) }
            }
        }

        /// Headers of `name=value` texts.
        static func headers(_ texts: [String]) throws -> [Record.Header] {
            guard texts.count <= WireLimits.recordHeadersMax else {
                throw ValidationError("a record has at most \(WireLimits.recordHeadersMax) headers")
            }
            return try texts.map { text in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, (1...WireLimits.nameBytesMax).contains(parts[0].utf8.count) else {
                    throw ValidationError(
                        "--header is name=value with a name of 1 to \(WireLimits.nameBytesMax) bytes")
                }
                return Record.Header(name: String(parts[0]), value: Array(parts[1].utf8))
            }
        }

        private static func check(_ record: Record) throws {
            guard record.encodedCount <= WireLimits.recordBytesMax else {
                throw ValidationError(
                    "a record takes \(record.encodedCount) bytes, at most \(WireLimits.recordBytesMax) are possible")
            }
        }
    }

    struct Consume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the records of a topic.",
            discussion: """
                Prints the values, one to a line, up to the present end, partition by partition; with --follow it goes on \
                until an interrupt. -o json prints one document to a line. With --group it reads as a member of that \
                group: what the group has not read yet, and remembers it.
                """)

        @Argument(help: "The topic.") var topic: String
        @Option(name: .customShort("n"), help: "End after this many records.") var limit: Int?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "Where to begin: \(TopicPlace.help). A group begins there (earliest or latest) where it has not read yet."
            )) var from = "earliest"
        @Option(help: "Only this partition.") var partition: UInt32?
        @Flag(help: "Go on with what comes later.") var follow = false
        @Option(help: "Read as a member of this group.") var group: String?
        @Flag(help: "Print partition and offset before the value.") var offsets = false
        @Flag(help: "Print the key before the value.") var keys = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            if let limit, limit < 1 { throw ValidationError("-n is at least 1") }
            guard let place = TopicPlace.query(from, nowMs: UInt64(max(0, WallClock.nowMs()))) else {
                throw ValidationError("--from is \(TopicPlace.help)")
            }
            if let group {
                _ = try GroupCommand.name(group)
                guard partition == nil else {
                    throw ValidationError("a group reads all partitions: leave --partition out")
                }
                guard place == .earliest || place == .latest else {
                    throw ValidationError("a group begins at earliest or latest: 'stormo group seek' sets it elsewhere")
                }
            }
            let (partition, group, follow, limit) = (partition, group, follow, limit ?? .max)
            let (output, columns) = (format.output, PrintedRecord.Columns(offsets: offsets, keys: keys))
            let session = try ClientSession(CommandContext(flags), name: "topic")
            try await session.run { client in
                let topic = try await TopicCommand.topic(name, by: client)
                if let partition, partition >= UInt32(topic.partitions.count) {
                    throw Refused(
                        description:
                            "topic '\(name)' has \(topic.partitions.count) partitions, not partition \(partition)")
                }
                let reader = RecordReader(
                    client: client, topic: topic, partition: partition, place: place, limit: limit, follows: follow)
                let line = { @Sendable (record: PositionedRecord) in
                    Console.bytes(PrintedRecord.bytes(record, output, columns))
                }
                if let group {
                    try await reader.read(asMemberOf: group, line)
                } else {
                    try await reader.read(line)
                }
            }
        }
    }
}
