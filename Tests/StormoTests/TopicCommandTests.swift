import ArgumentParser
import StormoClient
import Testing
import Wire

@testable import Stormo

@Suite struct TopicCommandTests {
    private func command<Command: ParsableCommand>(_ arguments: [String], as type: Command.Type) throws -> Command {
        try #require(try StormoCommand.parseAsRoot(arguments) as? Command)
    }

    @Test(
        arguments: [
            ("earliest", .earliest), ("latest", .latest), ("@0", .offset(0)), ("@42", .offset(42)),
            ("-7", .last(7)), ("@-1h", .time(10_000_000 - 3_600_000)), ("@-90s", .time(10_000_000 - 90_000)),
            ("@-3650d", .time(0)), ("1970-01-01T00:00:01Z", .time(1_000)), ("start", .earliest), ("end", .latest),
            ("0", .offset(0)), ("42", .offset(42)), ("@1970-01-01T00:00:01Z", .time(1_000)),
            ("2026-01-31T09:15:30.25+01:00", .time(1_769_847_330_250)),
        ] as [(String, OffsetQuery)])
    func `places are read`(_ text: String, _ query: OffsetQuery) {
        #expect(TopicPlace.query(text, nowMs: 10_000_000) == query)
    }

    @Test(arguments: [
        "", "@", "-", "@-", "@+1", "-+1", "@x", "-x", "@1h", "now", "2026-01-31", "@-1y", "@99999999999999999999",
        "last", "+1", "1.5", "@@1", "@start", "99999999999999999999", "@2026-01-31",
    ])
    func `what is no place is none`(_ text: String) { #expect(TopicPlace.query(text, nowMs: 1) == nil) }

    @Test func `arguments are read`() throws {
        let consume = try command(
            ["topic", "consume", "t", "-n", "3", "--from", "-10", "--follow", "--keys", "--offsets", "-o", "json"],
            as: TopicCommand.Consume.self)
        #expect(consume.topic == "t" && consume.limit == 3 && consume.from == "-10" && consume.follow)
        #expect(consume.keys && consume.offsets && consume.format.output == .json && consume.group == nil)
        let publish = try command(
            ["topic", "publish", "t", "a", "b", "--key", "k", "--header", "x=1", "--header", "y="],
            as: TopicCommand.Publish.self)
        #expect(publish.values == ["a", "b"] && publish.key == "k")
        #expect(
            try TopicCommand.Publish.headers(publish.header) == [
                .init(name: "x", value: Array("1".utf8)), .init(name: "y", value: []),
            ])
        let create = try command(
            [
                "topic", "create", "t", "--partitions", "4", "--replication-factor", "2", "--retention", "12h",
                "--retention-bytes", "1GiB", "--cleanup", "compact", "--min-in-sync", "2",
            ], as: TopicCommand.Create.self)
        #expect(
            try create.keeping.applied(to: TopicConfiguration())
                == TopicConfiguration(
                    partitions: 4, replicationFactor: 2, minInSync: 2, retentionMs: 43_200_000,
                    retentionBytes: 1 << 30, cleanup: .compact))
        let alter = try command(["topic", "alter", "t", "--retention", "0"], as: TopicCommand.Alter.self)
        #expect(
            try alter.keeping.applied(to: TopicConfiguration(partitions: 3))
                == TopicConfiguration(partitions: 3, retentionMs: 0))
        let seek = try command(
            ["group", "seek", "g", "t", "--to", "-1", "--partition", "2"], as: GroupCommand.Seek.self)
        #expect(seek.to == "-1" && seek.partition == 2)
        _ = try command(["topic"], as: TopicCommand.List.self)
        _ = try command(["group"], as: GroupCommand.List.self)
    }

    @Test(arguments: [
        ["topic", "create", "a b"], ["topic", "create", String(repeating: "t", count: 256)],
        ["topic", "create", "t", "--partitions", "0"], ["topic", "create", "t", "--partitions", "1025"],
        ["topic", "create", "t", "--replication-factor", "0"],
        ["topic", "create", "t", "--replication-factor", "2", "--min-in-sync", "3"],
        ["topic", "create", "t", "--retention", "soon"], ["topic", "create", "t", "--retention-bytes", "1 GB"],
        ["topic", "alter", "t", "--cleanup", "burn"], ["topic", "describe", "è"], ["topic", "publish", "a/b", "x"],
        ["topic", "publish", "t", "x", "--header", "novalue"], ["topic", "publish", "t", "x", "--header", "=v"],
        ["topic", "publish", "t", "x"] + (0..<65).flatMap { ["--header", "h\($0)=v"] },
        ["topic", "publish", "t", String(repeating: "x", count: 1 << 20)],
        ["topic", "publish", "t", "x", "--key", "k", "--key-separator", ":"],
        ["topic", "publish", "t", "no separator", "--key-separator", ":"],
        ["topic", "publish", "t", "x", "--key-separator", ""], ["topic", "publish", "t", "{}", "--jsonl"],
        ["topic", "publish", "t", "{", "--jsonl"],
        ["topic", "publish", "t", #"{"value":"v"}"#, "--jsonl", "--key", "k"],
        ["topic", "elect", "a b", "0", "--node", "n1"],
        ["topic", "consume", "t", "-n", "0"], ["topic", "consume", "t", "--from", "now"],
        ["topic", "consume", "t", "--group", "g", "--partition", "0"],
        ["topic", "consume", "t", "--group", "g", "--from", "@3"], ["topic", "consume", "t", "--group", ""],
        ["group", "seek", "g", "t", "--to", "there"], ["group", "describe", String(repeating: "g", count: 256)],
    ])
    func `arguments that make no sense are usage errors before anything is asked`(_ arguments: [String]) async throws {
        var command = try #require(try StormoCommand.parseAsRoot(arguments) as? any AsyncParsableCommand)
        do {
            try await command.run()
            Issue.record("it ran")
        } catch { #expect(StormoCommand.exitCode(for: error).rawValue == CommandExit.usage, "\(error)") }
    }

    @Test func `a record is one line`() {
        let record = PositionedRecord(
            position: RecordPosition(partition: 2, offset: 17),
            record: Record(
                key: Array("k".utf8), value: Array("{\"a\":1}".utf8),
                headers: [.init(name: "h", value: Array("v".utf8))], timestampMs: 1_769_847_330_250))
        func text(_ output: OutputFormat, _ columns: PrintedRecord.Columns = .init()) -> String {
            String(decoding: PrintedRecord.bytes(record, output, columns), as: UTF8.self)
        }
        #expect(text(.table) == "{\"a\":1}\n")
        #expect(text(.table, .init(offsets: true, keys: true)) == "2@17\tk\t{\"a\":1}\n")
        #expect(
            text(.json)
                == #"{"headers":{"h":"v"},"key":"k","offset":17,"partition":2,"timestamp":"2026-01-31T08:15:30.250Z","value":"{\"a\":1}"}"#
                + "\n")
        // Bytes come out as they are.
        let raw = PositionedRecord(
            position: RecordPosition(partition: 0, offset: 0),
            record: Record(key: nil, value: [0xFF], timestampMs: .max))
        #expect(PrintedRecord.bytes(raw, .table, .init(offsets: false, keys: true)) == [0x09, 0xFF, 0x0A])
    }

    private func record(_ key: [UInt8]?, _ value: [UInt8], _ headers: [Record.Header]) -> PositionedRecord {
        PositionedRecord(
            position: RecordPosition(partition: 2, offset: 17),
            record: Record(key: key, value: value, headers: headers, timestampMs: 1_769_847_330_250))
    }

    @Test func `what is printed as a line can be published again as it was`() throws {
        let records = [
            record(nil, [], []), record([], Array("v".utf8), []),
            record(Array("k".utf8), Array(#"{"a":"\n\u0000è"}"#.utf8) + [0x0A, 0], []),
            record([0xFF, 0], [0xC3], [.init(name: "n", value: [0xFE]), .init(name: "n", value: [])]),
            record(
                Array("k".utf8), Array("v".utf8),
                [
                    .init(name: "a", value: Array("1".utf8)), .init(name: "b_Some-Name", value: Array("2".utf8)),
                    .init(name: "b_Some-Name", value: Array("3".utf8)),
                    .init(name: "b_Some-Name", value: Array("2".utf8)),
                ]),
        ]
        var input = RecordInput(.documents)
        for found in records {
            var line = PrintedRecord.bytes(found, .jsonl, .init())
            #expect(line.popLast() == 0x0A && !line.contains(0x0A))
            let again = try input.record(line, nowMs: 1)
            // A header of bytes stands behind those of text: only their order may differ.
            func sorted(_ record: Record) -> Record {
                var record = record
                record.headers.sort { ($0.name, $0.value.count) < ($1.name, $1.value.count) }
                return record
            }
            #expect(sorted(again) == sorted(found.record), "\(String(decoding: line, as: UTF8.self))")
        }
        let now = try input.record(Array(#"{"value":"v"}"#.utf8), nowMs: 7)
        #expect(now.timestampMs == 7)
    }

    @Test(arguments: [
        (#"{"key":"k"}"#, "neither"), (#"{"value":1}"#, "value"), ("[]", "no document"), ("", "no document"),
        (#"{"value":"v","value_base64":"dg=="}"#, "twice"), (#"{"value_base64":"%"}"#, "base 64"),
        (#"{"value":"v","timestamp":"yesterday"}"#, "RFC 3339"), (#"{"value":"v","headers":{"":"x"}}"#, "headers"),
        (#"{"value":"v","headers":{"h":1}}"#, "headers"),
    ])
    func `a document that is none is named by its number`(_ text: String, _ words: String) throws {
        var input = RecordInput(.documents)
        _ = try input.record(Array(#"{"value":"v"}"#.utf8), nowMs: 1)
        let error = try #require(throws: ValidationError.self) {
            var input = input
            _ = try input.record(Array(text.utf8), nowMs: 1)
        }
        #expect(error.message.hasPrefix("record 2 ") && error.message.contains(words), "\(error.message)")
    }

    @Test func `keys stand before their separator`() throws {
        var input = RecordInput(.values(key: nil, separator: Array("::".utf8), headers: []))
        let record = try input.record(Array("k:1::v::w".utf8), nowMs: 5)
        #expect(record == Record(key: Array("k:1".utf8), value: Array("v::w".utf8), timestampMs: 5))
        let empty = try input.record(Array("::".utf8), nowMs: 5)
        #expect(empty.key == [] && empty.value == [])
        let error = try #require(throws: ValidationError.self) {
            var input = input
            _ = try input.record(Array("k:v".utf8), nowMs: 5)
        }
        #expect(error.message.contains("record 3 has no '::'"))
    }

    @Test func `an election says what is lost`() {
        let node = RingMember(id: NodeID(2), name: "n2", address: "", zone: "", virtualNodes: 1)
        var report = ElectionReport(
            "orders", 3, node, Elected(unclean: true, epoch: 4, firstOffset: 10, endOffset: 50))
        func partition(_ primary: UInt64, _ epoch: LogEpoch) -> PartitionInfo {
            PartitionInfo(
                index: 3, epoch: epoch, primary: NodeID(primary), replicas: [NodeID(1), NodeID(2)],
                inSync: [NodeID(2)], firstOffset: 0, highWatermark: 0, bytes: 0)
        }
        let isNamed = report.isDone(by: partition(2, 4), NodeID(2))
        #expect(!isNamed, "named, and its reign has not begun")
        let isOther = report.isDone(by: partition(1, 5), NodeID(2))
        #expect(!isOther)
        let isDone = report.isDone(by: partition(2, 5), NodeID(2))
        #expect(isDone)
        #expect(report.lines[0] == "n2 is primary of partition 3 of orders in epoch 5")
        #expect(report.lines[1].contains("offsets 10 to 49") && report.lines[1].contains("from offset 50 on is lost"))
        report.unclean = false
        #expect(report.lines.count == 1)
    }

    @Test func `topics are told to people`() {
        let topic = TopicInfo(
            name: "orders", id: TopicID(1),
            configuration: TopicConfiguration(partitions: 2, retentionMs: 86_400_000, retentionBytes: 1 << 30),
            partitions: [
                PartitionInfo(
                    index: 0, epoch: 3, primary: NodeID(1), replicas: [NodeID(1), NodeID(2)], inSync: [NodeID(1)],
                    firstOffset: 5, highWatermark: 25, bytes: 2_048),
                PartitionInfo(
                    index: 1, epoch: 0, primary: .none, replicas: [NodeID(2)], inSync: [], firstOffset: 0,
                    highWatermark: 0, bytes: 0),
            ])
        let report = TopicReport(topic, in: nil)
        #expect(
            TopicReport.lines([report]) == [
                "TOPIC   PARTITIONS  COPIES  RECORDS     SIZE  KEPT                     CLEANUP",
                "orders           2       3       20  2.0 KiB  1d, 1.0 GiB a partition  delete",
            ])
        #expect(
            report.lines.prefix(2) == [
                "topic orders: 2 partitions, 3 copies, a majority in sync to publish",
                "kept 1d, 1.0 GiB a partition, cleanup by delete",
            ])
        #expect(report.lines[4].contains("0  \(NodeID(1))") && report.lines[4].contains("\(NodeID(2))"))
        #expect(report.lines[5].contains("none") && report.partitions[1].primary == nil)
    }

    @Test func `groups are told to people`() {
        let group = GroupState(
            name: "g",
            partitions: [
                GroupPartition(
                    topic: "t", partition: 0, holder: .init(member: "m/1", leaseEndMs: 1), token: 1, committed: 3,
                    end: 10, lag: .init(records: 7, ms: 150_000)),
                GroupPartition(
                    topic: "t", partition: 1, holder: nil, token: 0, committed: nil, end: nil, lag: nil),
            ])
        let report = GroupReport(group)
        #expect(
            report.lines == [
                "group g: 1 members, 7 records unread, for 2m30s", "",
                "TOPIC  PARTITION  COMMITTED  END  LAG  BEHIND  MEMBER",
                "t              0          3   10    7   2m30s  m/1",
                "t              1          -    -    -       -",
            ])
        #expect(report.lagSeconds == 150 && report.partitions[1].lag == nil)
    }
}
