import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo
@testable import StormoClient

extension ProcessTests {
    /// Topics and groups as people and programs use them: by command and over HTTP, against a real cluster.
    @Suite struct TopicSurfaceTests {
        private func run(
            _ cluster: TestCluster, _ arguments: String..., within seconds: Double = 60
        ) async throws -> (code: Int32, output: String) {
            try await runStormo(
                arguments + ["--seeds", cluster.seeds.joined(separator: ",")], in: cluster.directory, within: seconds)
        }

        /// The lines of a command's output that are no log.
        private func lines(_ ended: (code: Int32, output: String)) -> [String] {
            ended.output.split(separator: "\n").map(String.init)
        }

        private func json(_ ended: (code: Int32, output: String)) throws -> JSON {
            try JSON(Array(ended.output.drop { $0 != "{" }.utf8))
        }

        /// A cluster of three nodes with a gateway.
        private func withSurface(_ body: (TestCluster, StormoClient, HTTPCaller) async throws -> Void) async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let place = try NodePlace.loopback(1)[0]
                try await cluster.waitUntilReady(try cluster.startGateway(place), at: place)
                try await body(cluster, client, cluster.http(place))
            }
        }

        @Test func `a topic is made, filled, read by a group, sought and deleted`() async throws {
            try await withSurface { cluster, _, http in
                let made = try await run(cluster, "topic", "create", "orders", "--partitions", "3", "-o", "json")
                #expect(try made.code == 0 && json(made)["partitions"].items.count == 3, "\(made)")
                let twice = try await run(cluster, "topic", "create", "orders")
                #expect(twice.code == 1 && twice.output.contains("already"), "\(twice)")
                let alerts = try await http.call("PUT", "/topics/alerts", #"{"partitions":1,"replication_factor":3}"#)
                #expect(alerts.status == 201, "\(alerts)")
                let listed = try await run(cluster, "topic")
                #expect(listed.output.contains("alerts") && listed.output.contains("orders"), "\(listed)")

                // One key, one partition, in order.
                let first = try await run(
                    cluster, "topic", "publish", "orders", "1", "2", "3", "--key", "k", "--header", "h=v")
                #expect(first.code == 0 && lines(first).map { $0.split(separator: "@").last } == ["0", "1", "2"])
                let mine = try #require(lines(first).first?.split(separator: "@").first.map(String.init))
                let piped = try await runCommand(
                    [
                        "/bin/sh", "-c",
                        "printf '4\\n5\\n6' | \(StormoProcess.binary) topic publish orders --seeds "
                            + cluster.seeds.joined(separator: ","),
                    ], in: cluster.directory)
                #expect(piped.split(separator: "\n").count == 3, "\(piped)")
                let posted = try await http.call(
                    "POST", "/topics/orders/records", #"{"records":[{"value":7},{"key":"k","value":8}]}"#)
                #expect(posted.status == 200 && posted.json["offsets"].items.count == 2, "\(posted)")

                let all = try await run(cluster, "topic", "consume", "orders")
                #expect(all.code == 0 && lines(all).sorted() == (1...8).map(String.init), "\(all)")
                let last = try await run(
                    cluster, "topic", "consume", "orders", "--partition", mine, "--from", "-1", "--keys", "--offsets")
                #expect(lines(last).last?.hasPrefix("\(mine)@") == true, "\(last)")
                let one = try await run(
                    cluster, "topic", "consume", "orders", "--partition", mine, "-n", "1", "-o", "json")
                let record = try json(one)
                #expect(lines(one).count == 1 && record["offset"].number == 0, "\(one)")
                let past = try await run(cluster, "topic", "consume", "orders", "--from", "@-1h")
                #expect(lines(past).count == 8, "\(past)")
                let followed = try await run(
                    cluster, "topic", "consume", "orders", "--follow", "-n", "8", "--from", "@0")
                #expect(followed.code == 0 && lines(followed).sorted() == lines(all).sorted(), "\(followed)")

                // Two members after each other read everything once.
                let some = try await run(cluster, "topic", "consume", "orders", "--group", "billing", "-n", "3")
                #expect(some.code == 0 && lines(some).count == 3, "\(some)")
                let behind = try await http.call("GET", "/groups/billing")
                #expect(behind.json["lag"].number == 5, "\(behind)")
                let rest = try await run(cluster, "topic", "consume", "orders", "--group", "billing")
                #expect(rest.code == 0 && (lines(some) + lines(rest)).sorted() == lines(all).sorted(), "\(rest)")
                let groups = try await run(cluster, "group", "-o", "json")
                #expect(try json(groups)["groups"].items.map { $0["name"].text } == ["billing"], "\(groups)")
                let level = try await run(cluster, "group", "describe", "billing")
                #expect(level.code == 0 && level.output.contains("nothing unread"), "\(level)")

                let sought = try await run(cluster, "group", "seek", "billing", "orders", "--to", "earliest")
                #expect(sought.code == 0 && lines(sought).sorted() == ["0@0", "1@0", "2@0"], "\(sought)")
                let anew = try await http.call("GET", "/groups/billing")
                #expect(anew.json["lag"].number == 8 && (anew.json["lag_seconds"].number ?? 0) > 0, "\(anew)")
                let ended = try await http.call(
                    "POST", "/groups/billing/seek", #"{"topic":"orders","to":"latest"}"#)
                #expect(ended.status == 200, "\(ended)")
                let told = try await run(cluster, "group", "describe", "billing", "-o", "json")
                #expect(try json(told)["lag"].number == 0, "\(told)")

                #expect(try await run(cluster, "group", "delete", "billing").code == 0)
                #expect(try await http.call("GET", "/groups/billing").status == 404)
                #expect(try await run(cluster, "topic", "delete", "orders").code == 0)
                #expect(try await http.call("GET", "/topics/orders").status == 404)
                #expect(try await run(cluster, "topic", "describe", "orders").code == 1)
                #expect(try await http.call("DELETE", "/topics/alerts").status == 204)
            }
        }

        @Test func `a stream loses and repeats nothing while a node dies and the gateway changes`() async throws {
            try await withSurface { cluster, client, http in
                let made = try await http.call("PUT", "/topics/t", #"{"partitions":4,"replication_factor":3}"#)
                #expect(made.status == 201, "\(made)")
                func publish(_ range: Range<Int>) async throws {
                    for number in range {
                        let record = Record(
                            key: Array("k\(number % 7)".utf8), value: Array("\(number)".utf8), timestampMs: 1)
                        // What was certainly not taken, while there was no primary, is published again.
                        var unknown: ClientError?
                        try await eventually("\(number) is published", within: 60, cluster.running) {
                            do throws(ClientError) {
                                try await client.publish(toExisting: "t", [record])
                            } catch {
                                guard case .outcomeUnknown = error else { throw error }
                                unknown = error
                            }
                            return true
                        }
                        if let unknown { throw unknown }
                    }
                }
                func numbers(_ events: [EventStream.Event]) -> [Int] {
                    events.filter { $0.name == "record" }.compactMap { event in
                        (try? JSON(Array(event.data.utf8)))?["value"].number.map { Int($0) }
                    }
                }
                let first = try await EventStream(http, "/topics/t/stream?from=earliest")
                try await publish(0..<100)
                try await eventually("the first hundred", cluster.running) { numbers(first.events).count >= 100 }
                try await cluster[0].killNow()
                try await publish(100..<200)
                try await eventually("what came while a node was dead", within: 60, cluster.running) {
                    numbers(first.events).count >= 200
                }
                let told = numbers(first.events)
                #expect(told.count == 200 && Set(told) == Set(0..<200))
                for key in 0..<7 { #expect(told.filter { $0 % 7 == key } == (0..<200).filter { $0 % 7 == key }) }

                // Cut off somewhere, and resumed at another gateway.
                let cut = first.events.filter { $0.name == "record" }.prefix(137)
                let place = try NodePlace.loopback(1)[0]
                try await cluster.waitUntilReady(try cluster.startGateway(place), at: place)
                let second = try await EventStream(
                    cluster.http(place), "/topics/t/stream", lastEventID: try #require(cut.last?.id))
                try await publish(200..<250)
                let wanted = (0..<250).filter { !numbers(Array(cut)).contains($0) }
                try await eventually("the rest", within: 60, cluster.running) {
                    numbers(second.events).count >= wanted.count
                }
                #expect(numbers(second.events).sorted() == wanted)
                #expect(!second.events.contains { $0.name == "reset" })
            }
        }

        /// Runs a line of shell in which `stormo` is the command, with the cluster's seeds; its last line is the exit code.
        private func shell(_ cluster: TestCluster, _ line: String) async throws -> [String] {
            let function =
                "stormo() { command \(StormoProcess.binary) \"$@\" --seeds \(cluster.seeds.joined(separator: ",")); }"
            return try await runCommand(
                ["/bin/bash", "-c", "set -o pipefail; \(function); \(line); echo $?"], in: cluster.directory, within: 60
            ).split(separator: "\n").map(String.init)
        }

        @Test func `records go from topic to topic as lines, and places are found`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                for topic in ["from", "to"] {
                    #expect(try await run(cluster, "topic", "create", topic, "--partitions", "1").code == 0)
                }
                let records = [
                    Record(key: nil, value: Array("plain".utf8), timestampMs: 1_000),
                    Record(key: [0xFF, 0x00], value: [0x0A, 0xC3, 0x00], timestampMs: 2_000),
                    Record(
                        key: Array("è".utf8), value: [],
                        headers: [
                            .init(name: "a", value: Array("1".utf8)), .init(name: "a", value: Array("2".utf8)),
                            .init(name: "b", value: [0xFE]),
                        ], timestampMs: 3_000),
                ]
                try await client.publish(toExisting: "from", records)
                let copied = try await shell(
                    cluster, "stormo topic consume from -o jsonl | stormo topic publish to --jsonl -o jsonl")
                #expect(copied.last == "0" && copied.count == 4, "\(copied)")
                #expect(copied.first == #"{"offset":0,"partition":0}"#, "\(copied)")
                #expect(try await client.fetch("to", partition: 0, offset: 0).records.map(\.record) == records)

                let keyed = try await shell(
                    cluster, "printf 'k1:v:1\\nk2:v2\\n' | stormo topic publish to --key-separator :")
                #expect(keyed == ["0@3", "0@4", "0"], "\(keyed)")
                let bad = try await shell(
                    cluster, "printf 'k3:v3\\nwrong\\n' | stormo topic publish to --key-separator :")
                #expect(bad.first == "0@5" && bad.contains { $0.contains("record 2 has no ':'") }, "\(bad)")
                #expect(bad.last == "64", "\(bad)")

                let places: [(place: String, values: [String])] = [
                    ("start", ["plain", "\n\u{FFFD}\u{0}", "", "v:1", "v2", "v3"]), ("3", ["v:1", "v2", "v3"]),
                    ("@4", ["v2", "v3"]), ("-1", ["v3"]), ("end", []), ("@2020-01-01T00:00:00Z", ["plain"]),
                    ("@-0s", []),
                ]
                for (place, values) in places {
                    let found = try await run(
                        cluster, "topic", "consume", "to", "--from", place, "-n", place.hasPrefix("@2") ? "1" : "9",
                        "-o",
                        "jsonl")
                    let printed = try lines(found).map { line -> String in
                        let document = try JSON(Array(line.utf8))
                        return document["value"].text ?? "\n\u{FFFD}\u{0}"
                    }
                    #expect(found.code == 0 && printed == values, "\(place): \(found)")
                }
                let wrong = try await run(cluster, "topic", "consume", "to", "--from", "yesterday")
                #expect(wrong.code == 64 && wrong.output.contains("found 'yesterday'"), "\(wrong)")
                let helped = try await run(cluster, "topic", "consume", "--help")
                #expect(helped.output.contains("--from @-1h"), "\(helped)")
                let listed = try await run(cluster, "topic", "list", "-o", "jsonl")
                #expect(try lines(listed).map { try JSON(Array($0.utf8))["name"].text } == ["from", "to"], "\(listed)")
            }
        }

        @Test func `readers that go away and interrupts end a command without a word`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                #expect(try await run(cluster, "topic", "create", "t", "--partitions", "1").code == 0)
                let count = 400
                for number in 0..<count {
                    let text = "\(number) " + String(repeating: "x", count: 1_000)
                    try await client.publish(
                        toExisting: "t", [Record(key: nil, value: Array(text.utf8), timestampMs: 1)])
                }
                let piped = try await shell(cluster, "stormo topic consume t --follow | head -n 1 | cut -c 1-3")
                #expect(piped == ["0 x", "0"], "\(piped)")
                let grouped = try await shell(
                    cluster, "stormo topic consume t --group g --follow | head -n 1 | cut -c 1-3")
                #expect(grouped == ["0 x", "0"], "\(grouped)")

                let reader = try StormoProcess(
                    "reader",
                    [
                        "topic", "consume", "t", "--group", "h", "--follow", "--seeds",
                        cluster.seeds.joined(separator: ","),
                    ],
                    log: cluster.directory.newPath("reader.log"))
                try await eventually("all is read", [reader] + cluster.running) {
                    reader.log.split(separator: "\n").count == count
                }
                reader.signal(SIGINT)
                #expect(try await reader.waitForExit() == .code(130))
                #expect(!reader.log.contains("stormo:") && !reader.log.contains("rror"), "\(reader.logTail(3))")
                // It has given its partition back and committed what it printed: the next one goes on there at once.
                let group = try #require(try await client.group("h"))
                #expect(group.partitions.first?.holder == nil && group.partitions.first?.committed == 400, "\(group)")
            }
        }

        @Test func `an operator elects a primary, and says it twice when that loses records`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let made = try await run(
                    cluster, "topic", "create", "t", "--partitions", "1", "--replication-factor", "2", "--min-in-sync",
                    "1", "-o", "json")
                let replicas = try json(made)["partitions"].items[0]["replicas"].items.compactMap(\.text)
                #expect(made.code == 0 && replicas.count == 2, "\(made)")
                #expect(try await run(cluster, "topic", "publish", "t", "a").code == 0)
                func partition() async throws -> JSON {
                    let found = try await run(cluster, "topic", "describe", "t", "-o", "json")
                    return try json(found)["partitions"].items[0]
                }
                func inSync() async throws -> [String] { try await partition()["in_sync"].items.compactMap(\.text) }
                let first = try #require(try await partition()["primary"].text)
                let other = try #require(replicas.first { $0 != first })
                func number(_ name: String) throws -> Int { try #require(Int(name.dropFirst())) - 1 }
                try await eventually("both are in sync", cluster.running) { try await inSync().count == 2 }
                let stranger = try #require(["n1", "n2", "n3"].first { !replicas.contains($0) })
                let refused = try await run(cluster, "topic", "elect", "t", "0", "--node", stranger, "--unclean")
                #expect(refused.code == 1 && refused.output.contains("no replica"), "\(refused)")

                // The other one misses two records; then the one that has them dies.
                try await cluster[number(other)].killNow()
                try await eventually("the set is smaller", cluster.running) { try await inSync() == [first] }
                for value in ["b", "c"] { #expect(try await run(cluster, "topic", "publish", "t", value).code == 0) }
                try await cluster[number(first)].killNow()
                try cluster.start(number(other))
                try await eventually("\(other) tells what it lacks", within: 60, cluster.running) {
                    let asked = try await run(cluster, "topic", "elect", "t", "0", "--node", other)
                    return asked.code == 1 && asked.output.contains("not in the in-sync set")
                        && asked.output.contains("ends at offset 1") && asked.output.contains("--unclean")
                }
                let elected = try await run(
                    cluster, "topic", "elect", "t", "0", "--node", other, "--unclean", "-o", "json")
                let told = try json(elected)
                #expect(elected.code == 0 && told["unclean"] == .bool(true) && told["end_offset"].number == 1)
                let published = try await run(cluster, "topic", "publish", "t", "d")
                #expect(published.code == 0 && lines(published).last == "0@1", "\(published)")

                // Who comes back follows, and then has the reign again in good order.
                try cluster.start(number(first))
                try await eventually("\(first) follows", within: 60, cluster.running) { try await inSync().count == 2 }
                let back = try await run(cluster, "topic", "elect", "t", "0", "--node", first, within: 90)
                #expect(back.code == 0 && back.output.contains("\(first) is primary of partition 0"), "\(back)")
                let all = try await run(cluster, "topic", "consume", "t")
                #expect(lines(all) == ["a", "d"], "\(all)")
            }
        }

        @Test func `what nobody may do with topics is refused and told`() async throws {
            try await withSurface { cluster, client, http in
                #expect(try await run(cluster, "topic", "create", "t", "--partitions", "2").code == 0)
                let big = #"{"records":[{"value":""# + String(repeating: "x", count: 1 << 20) + #""}]}"#
                let headers = (0..<65).map { "\"h\($0)\":\"\"" }.joined(separator: ",")
                let calls: [(method: String, path: String, json: String?, status: Int, code: String)] = [
                    ("POST", "/topics/t/records", big, 413, "body_too_large"),
                    (
                        "POST", "/topics/t/records", #"{"records":[{"value":1,"headers":{\#(headers)}}]}"#, 422,
                        "invalid_body"
                    ),
                    ("POST", "/topics/typo/records", #"{"records":[{"value":1}]}"#, 404, "topic_not_found"),
                    ("GET", "/topics/typo/records?partition=0", nil, 404, "topic_not_found"),
                    ("GET", "/topics/typo/stream", nil, 404, "topic_not_found"),
                    ("GET", "/topics/t/records?partition=2", nil, 422, "invalid_parameter"),
                    ("PUT", "/topics/t", #"{"partitions":1,"replication_factor":3}"#, 422, "invalid_body"),
                    ("POST", "/groups/g/seek", #"{"topic":"typo","to":"latest"}"#, 404, "topic_not_found"),
                    ("POST", "/groups/g/seek", #"{"topic":"t","to":"latest","partition":2}"#, 422, "invalid_parameter"),
                ]
                for (method, path, body, status, code) in calls {
                    let answer = try await http.call(method, path, body)
                    #expect(answer.status == status && answer.code == code, "\(method) \(path): \(answer)")
                }
                let commands: [(arguments: [String], code: Int32, says: String)] = [
                    (
                        ["topic", "publish", "t", "x"] + (0..<65).flatMap { ["--header", "h\($0)=v"] }, 64, "64 headers"
                    ),
                    (["topic", "publish", "typo", "x"], 1, "no topic 'typo'"),
                    (["topic", "consume", "typo"], 1, "no topic 'typo'"),
                    (["topic", "consume", "t", "--partition", "2"], 1, "2 partitions"),
                    (["topic", "alter", "t", "--partitions", "1"], 1, "can become more"),
                    (["group", "seek", "g", "typo", "--to", "latest"], 1, "does not exist"),
                    (["group", "seek", "g", "t", "--to", "latest", "--partition", "2"], 1, "2 partitions"),
                    (["group", "describe", "g"], 1, "no group 'g'"),
                ]
                for (arguments, code, says) in commands {
                    let ended = try await runStormo(
                        arguments + ["--seeds", cluster.seeds.joined(separator: ",")], in: cluster.directory)
                    #expect(ended.code == code && ended.output.contains(says), "\(arguments.prefix(4)): \(ended)")
                }
                let line = try await runCommand(
                    [
                        "/bin/sh", "-c",
                        "head -c 1100000 /dev/zero | tr '\\0' x | \(StormoProcess.binary) topic publish t --seeds "
                            + cluster.seeds.joined(separator: ",") + "; echo code $?",
                    ], in: cluster.directory)
                #expect(line.contains("longer than") && line.contains("code 1"), "\(line)")
                let none = try await http.call("GET", "/groups")
                #expect(none.json["items"].items.isEmpty, "\(none)")

                // A member that lost its partition cannot commit.
                let topic = try #require(try await client.topic("t"))
                let partition = PartitionID(topic: topic.id, index: 0)
                var lease = try #require(
                    try await PartitionLease.take(partition, group: "g", topic: "t", owner: "old", client: client))
                let used = try await run(cluster, "group", "delete", "g")
                #expect(used.code == 1 && used.output.contains("old"), "\(used)")
                #expect(try await http.call("DELETE", "/groups/g").code == "group_in_use")
                #expect(try await run(cluster, "group", "seek", "g", "t", "--to", "latest").code == 0)
                let isTaken = await lease.commit(1)
                #expect(!isTaken, "a fenced commit")
                let kept = try await client.group("g")
                #expect(kept?.members == [] && kept?.partitions.map(\.committed) == [0, 0])
                #expect(try await run(cluster, "topic", "consume", "t").output.isEmpty, "nothing of it was kept")
            }
        }
    }
}
