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

                  stormo topic publish orders '{"id":1}' --key customer-7
                  printf 'customer-7:{"id":1}\\n' | stormo topic publish orders --key-separator :
                  stormo topic consume orders -o jsonl | stormo topic publish copy --jsonl
                """)

        @Argument(help: "The topic.") var topic: String
        @Argument(help: "Values; left out, the lines of standard input.") var values: [String] = []
        @Option(help: "The key of all of them; records of one key stay in their order.") var key: String?
        @Option(help: "What stands between key and value of each record; what lacks it is refused.")
        var keySeparator: String?
        @Option(help: "A header of all of them, as name=value; may be given again.") var header: [String] = []
        @Flag(help: "Take each as a document of 'consume -o jsonl': keys, values, headers and times stay.")
        var jsonl = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// Where a record is, as it is printed by `-o json`, one to a line.
        struct Printed: Encodable {
            var partition: UInt32
            var offset: UInt64
        }

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let reading = try reading
            let values = values.map { Array($0.utf8) }
            let output = format.output
            let nowMs = { @Sendable in UInt64(max(0, WallClock.nowMs())) }
            var reader = RecordInput(reading)
            for value in values { _ = try reader.record(value, nowMs: 0) }
            let session = try ClientSession(CommandContext(flags), name: "topic")
            try await session.run { client in
                // Told before anything is read.
                _ = try await TopicCommand.topic(name, by: client)
                var input = RecordInput(reading)
                /// False when nobody reads what is printed: then no more is published either.
                func publish(_ texts: [[UInt8]]) async throws -> Bool {
                    let now = nowMs()
                    // What stands before a line that is wrong is published, as when lines come one by one.
                    var records: [Record] = []
                    var problem: (any Error)?
                    do {
                        for text in texts { records.append(try input.record(text, nowMs: now)) }
                    } catch { problem = error }
                    let positions = records.isEmpty ? [] : try await client.publish(toExisting: name, records)
                    for position in positions {
                        let line =
                            output == .table
                            ? Array("\(position.partition)@\(position.offset)\n".utf8)
                            : JSONText.line(Printed(partition: position.partition, offset: position.offset))
                        guard Console.bytes(line) else { return false }
                    }
                    if let problem { throw problem }
                    return true
                }
                if !values.isEmpty {
                    _ = try await publish(values)
                    return
                }
                var lines = InputLines(lineBytesMax: reading.lineBytesMax)
                while let texts = try await lines.next(), try await publish(texts) {}
            }
        }

        private var reading: RecordInput.Reading {
            get throws {
                if let keySeparator {
                    guard !keySeparator.isEmpty else {
                        throw ValidationError("--key-separator is at least one character")
                    }
                    guard key == nil else { throw ValidationError("give --key or --key-separator, not both") }
                }
                guard !jsonl || (key == nil && keySeparator == nil && header.isEmpty) else {
                    throw ValidationError("--jsonl has keys and headers in its documents: leave the other options out")
                }
                if jsonl { return .documents }
                let headers = try Self.headers(header)
                return .values(
                    key: key.map { Array($0.utf8) }, separator: keySeparator.map { Array($0.utf8) }, headers: headers)
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
    }

    struct Consume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the records of a topic.",
            discussion: """
                Prints the values, one to a line, up to the present end, partition by partition; with --follow it goes on \
                until an interrupt. -o jsonl prints each record as a document on a line, as it comes. With --group it \
                reads as a member of that group: what the group has not read yet, and remembers it.

                  stormo topic consume orders --from -10
                  stormo topic consume orders --from @-1h -o jsonl
                  stormo topic consume orders --from @2026-01-01T00:00:00Z -n 100
                  stormo topic consume orders --partition 3 --from 42 -n 1 --keys
                  stormo topic consume orders --from end --follow
                """)

        @Argument(help: "The topic.") var topic: String
        @Option(name: .customShort("n"), help: "End after this many records.") var limit: Int?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "Where to begin: \(TopicPlace.help). A group begins there (start or end) where it has not read yet."
            )) var from = "start"
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
                throw ValidationError(TopicPlace.problem("--from", from))
            }
            if let group {
                _ = try GroupCommand.name(group)
                guard partition == nil else {
                    throw ValidationError("a group reads all partitions: leave --partition out")
                }
                guard place == .earliest || place == .latest else {
                    throw ValidationError("a group begins at start or end: 'stormo group seek' sets it elsewhere")
                }
            }
            let (partition, group, follow, limit) = (partition, group, follow, limit ?? .max)
            let (output, columns) = (format.output, PrintedRecord.Columns(offsets: offsets, keys: keys))
            let session = try ClientSession(CommandContext(flags), name: "topic")
            try await session.runUntilInterrupt { client in
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
