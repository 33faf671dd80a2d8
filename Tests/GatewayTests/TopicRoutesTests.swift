import NodeCore
import StormoClient
import Testing
import Wire

@testable import Gateway

/// The table *Topics* of the HTTP contract against a node that really runs.
@Suite(.serialized, .timeLimit(.minutes(3))) struct TopicRoutesTests {
    private static let json = "Content-Type: application/json"
    private static let admin = "Authorization: Bearer an-admin-token"

    /// A gateway in front of one node, ready.
    private func withCluster(
        _ change: (inout GatewayConfiguration) -> Void = { _ in }, _ body: (RealNodes, Int) async throws -> Void
    ) async throws {
        try await RealNodes.with(1) { _, limits in
            limits.topicReviewMs = 100
        } _: { nodes in
            try await withGateway(
                seeds: nodes.addresses,
                {
                    $0.adminToken = "an-admin-token"
                    change(&$0)
                }
            ) { port in
                await eventually("the gateway is ready") {
                    (try? await HTTPExchange(port, "GET /ready").status) == "200"
                }
                try await body(nodes, port)
            }
        }
    }

    private func call(
        _ port: Int, _ head: String, _ body: String? = nil, headers: [String] = [admin]
    ) async throws -> HTTPExchange {
        try await HTTPExchange(
            port, head, headers: headers + (body == nil ? [] : [Self.json]), body: Array((body ?? "").utf8))
    }

    private func make(_ port: Int, _ topic: String, partitions: Int = 1, more: String = "") async throws {
        let made = try await call(
            port, "PUT /topics/\(topic)", "{\"partitions\":\(partitions),\"replication_factor\":1\(more)}")
        #expect(made.status == "201", "\(made.text)")
    }

    private func publish(_ port: Int, _ topic: String, _ values: [String], key: String? = nil) async throws {
        let records = values.map { "{\(key.map { "\"key\":\"\($0)\"," } ?? "")\"value\":\($0)}" }
        let answer = try await call(
            port, "POST /topics/\(topic)/records", "{\"records\":[\(records.joined(separator: ","))]}")
        #expect(answer.status == "200", "\(answer.text)")
    }

    private func number(_ value: JSONValue?) -> Int? {
        if case .number(let number)? = value { Int(number.text) } else { nil }
    }

    private func items(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let items)? = value { items } else { [] }
    }

    /// The value of the first record in an answer.
    private func value(_ answer: HTTPExchange) -> JSONValue? { items(answer.body?["records"]).first?["value"] }

    /// A client that speaks to the nodes themselves, for the time of `body`.
    private func withClient(_ nodes: RealNodes, _ body: (StormoClient) async throws -> Void) async throws {
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: nodes.addresses, clusterName: "c", secret: [1], role: .tool, name: "test"), logger: quiet)
        let running = Task { try await client.run() }
        defer { running.cancel() }
        try await client.waitUntilReady(timeoutMs: 20_000)
        try await body(client)
    }

    // MARK: Topics

    @Test func topicsAreMadeChangedListedAndDeleted() async throws {
        try await withCluster { _, port in
            let none = try await call(port, "GET /topics/orders")
            #expect(none.status == "404" && none.code == "topic_not_found", "\(none.text)")
            let made = try await call(
                port, "PUT /topics/orders",
                #"{"partitions":2,"replication_factor":3,"retention_ms":60000,"cleanup":"compact"}"#)
            #expect(made.status == "201" && made.headers.contains("location: /topics/orders"), "\(made.text)")
            let again = try await call(
                port, "PUT /topics/orders", #"{"partitions":2,"replication_factor":3,"cleanup":"compact"}"#)
            #expect(again.status == "200", "\(again.text)")
            // What is not said stays.
            #expect(number(again.body?["configuration"]?["retention_ms"]) == 60_000)
            let grown = try await call(
                port, "PUT /topics/orders", #"{"partitions":4,"replication_factor":3,"retention_bytes":1000000}"#)
            #expect(grown.status == "200" && items(grown.body?["partitions"]).count == 4, "\(grown.text)")
            let fewer = try await call(port, "PUT /topics/orders", #"{"partitions":3,"replication_factor":3}"#)
            #expect(fewer.status == "422" && fewer.code == "invalid_body", "\(fewer.text)")
            #expect(fewer.text.contains("\"field\":\"partitions\""), "\(fewer.text)")

            let told = try await call(port, "GET /topics/orders")
            let configuration = told.body?["configuration"]
            #expect(number(configuration?["partitions"]) == 4 && number(configuration?["retention_bytes"]) == 1_000_000)
            #expect(configuration?["cleanup"] == .string("compact"), "\(told.text)")
            try await eventually("every partition has its primary") {
                items(try await call(port, "GET /topics/orders").body?["partitions"]).allSatisfy {
                    $0["primary"] == .string("n1") && $0["in_sync"] == .array([.string("n1")])
                }
            }
            try await publish(port, "orders", ["1", "2", "3"], key: "k")
            let filled = try await call(port, "GET /topics/orders")
            let next = items(filled.body?["partitions"]).compactMap { number($0["next_offset"]) }
            #expect(next.sorted() == [0, 0, 0, 3] && number(filled.body?["bytes"]) ?? 0 > 0, "\(filled.text)")

            try await make(port, "a.b")
            try await make(port, "z_9-")
            let page = try await call(port, "GET /topics?limit=2")
            #expect(items(page.body?["items"]).map { $0["name"] } == [.string("a.b"), .string("orders")])
            guard case .string(let cursor)? = page.body?["next_cursor"] else {
                Issue.record("no next page: \(page.text)")
                return
            }
            let rest = try await call(port, "GET /topics?limit=2&cursor=\(cursor)")
            #expect(items(rest.body?["items"]).map { $0["name"] } == [.string("z_9-")], "\(rest.text)")
            #expect(rest.body?["next_cursor"] == .null)
            let strange = try await call(port, "GET /groups?cursor=\(cursor)")
            #expect(strange.status == "422", "a cursor of another listing: \(strange.text)")

            for _ in 0..<2 { #expect(try await call(port, "DELETE /topics/orders").status == "204") }
            #expect(try await call(port, "GET /topics/orders").status == "404")
        }
    }

    @Test func topicsThatMakeNoSenseAreRefusedWithEveryBadField() async throws {
        try await withCluster { _, port in
            let bodies: [(body: String, fields: [String])] = [
                ("{}", ["partitions", "replication_factor"]),
                (#"{"partitions":0,"replication_factor":0}"#, ["partitions", "replication_factor"]),
                (#"{"partitions":1025,"replication_factor":65}"#, ["partitions", "replication_factor"]),
                (#"{"partitions":1.5,"replication_factor":"3"}"#, ["partitions", "replication_factor"]),
                (
                    #"{"partitions":1,"replication_factor":1,"retention_ms":-1,"retention_bytes":1e300,"cleanup":"x"}"#,
                    ["retention_ms", "retention_bytes", "cleanup"]
                ),
                (#"{"partitions":1,"replication_factor":1,"min_in_sync":2}"#, ["min_in_sync"]),
                (#"{"partitions":1,"replication_factor":1,"color":"red"}"#, ["color"]), ("[]", ["body"]),
            ]
            for (body, fields) in bodies {
                let answer = try await call(port, "PUT /topics/t", body)
                #expect(answer.status == "422" && answer.code == "invalid_body", "\(body): \(answer.text)")
                let named = items(answer.body?["errors"]).map { $0["field"] }
                #expect(named == fields.map { .string($0) }, "\(body): \(answer.text)")
            }
            #expect(try await call(port, "PUT /topics/t", "{").code == "malformed_json")
            for name in ["a%20b", "%C3%A8", "a%2Fb", String(repeating: "t", count: 256)] {
                for head in ["GET /topics/\(name)", "DELETE /topics/\(name)", "GET /topics/\(name)/stream"] {
                    let answer = try await call(port, head)
                    #expect(answer.status == "422" && answer.code == "invalid_topic", "\(head): \(answer.text)")
                }
            }
            for (head, body) in [
                ("PUT /topics/t", "{}"), ("DELETE /topics/t", nil), ("POST /groups/g/seek", "{}"),
                ("DELETE /groups/g", nil),
            ] as [(String, String?)] {
                let stranger = try await call(port, head, body, headers: [])
                #expect(stranger.status == "401", "\(head): \(stranger.text)")
            }
            for (head, allowed) in [
                ("PATCH /topics/t", "get, put, delete, head"), ("DELETE /topics/t/records", "post, get, head"),
                ("POST /topics/t/stream", "get, head"), ("POST /groups", "get, head"), ("GET /groups/g/seek", "post"),
            ] {
                let answer = try await call(port, head, "{}")
                #expect(answer.status == "405" && answer.headers.contains("allow: \(allowed)"), "\(answer.headers)")
            }
            #expect(items(try await call(port, "GET /topics").body?["items"]) == [])
        }
    }

    // MARK: Records

    @Test func recordsComeBackAsTheyWerePublished() async throws {
        try await withCluster { nodes, port in
            try await make(port, "t", partitions: 3)
            // Offsets stand in the order of the records.
            let answer = try await call(
                port, "POST /topics/t/records",
                #"{"records":[{"key":"a","value":{"n":1.50}},{"value":"x","headers":{"h":"v"}},"#
                    + #"{"key":"a","value":null},{"value_base64":"aGk/"},{"key":"a","value":[1, 2]}]}"#)
            let offsets = items(answer.body?["offsets"])
            #expect(answer.status == "200" && offsets.count == 5, "\(answer.text)")
            let a = try #require(number(offsets[0]["partition"]))
            #expect([0, 2, 4].allSatisfy { number(offsets[$0]["partition"]) == a })
            let own = [0, 2, 4].compactMap { number(offsets[$0]["offset"]) }
            #expect(own == own.sorted() && Set(own).count == 3)

            let read = try await call(port, "GET /topics/t/records?partition=\(a)&offset=0&limit=1000")
            let records = items(read.body?["records"])
            let mine = records.filter { $0["key"] == .string("a") }
            #expect(mine.map { number($0["offset"]) } == own.map { $0 })
            #expect(read.text.contains(#""value":{"n":1.50}"#), "a number keeps its text: \(read.text)")
            #expect(mine[1]["value"] == .null && mine[1]["value_base64"] == nil)
            #expect(number(read.body?["next_offset"]) == (records.last.flatMap { number($0["offset"]) } ?? -1) + 1)

            var all: [JSONValue] = []
            for partition in 0..<3 {
                all += items(try await call(port, "GET /topics/t/records?partition=\(partition)").body?["records"])
            }
            #expect(all.count == 5)
            let headed = try #require(all.first { $0["value"] == .string("x") })
            #expect(headed["headers"]?["h"] == .string("v") && headed["key"] == .null)
            guard case .string(let time)? = headed["timestamp"] else {
                Issue.record("no time")
                return
            }
            #expect(Timestamp.milliseconds(rfc3339: time) != nil && time.hasSuffix("Z"))
            // "hi?" is no JSON, and comes back as it was sent.
            #expect(all.contains { $0["value_base64"] == .string("aGk/") && $0["value"] == .null })

            // What only programs that speak to the nodes can write.
            try await make(port, "raw")
            try await withClient(nodes) { client in
                try await client.publish(
                    "raw",
                    [
                        Record(
                            key: [0xFF], value: [0x80, 0x00],
                            headers: [
                                .init(name: "bad", value: [0xC0]), .init(name: "twice", value: [0x61]),
                                .init(name: "twice", value: [0x62]),
                            ], timestampMs: .max)
                    ])
            }
            let raw = items(try await call(port, "GET /topics/raw/records?partition=0").body?["records"])
            let only = try #require(raw.first)
            #expect(only["key"] == .null && only["key_base64"] == .string("/w=="))
            #expect(only["value"] == .null && only["value_base64"] == .string("gAA="))
            #expect(only["headers_base64"]?["bad"] == .string("wA==") && only["headers"]?["twice"] == .string("b"))
            #expect(only["timestamp"] == .string("9999-12-31T23:59:59.999Z"))
        }
    }

    @Test func pagesFollowEachOtherAndWaitForWhatComes() async throws {
        try await withCluster { _, port in
            try await make(port, "t")
            try await publish(port, "t", (0..<25).map(String.init))
            var values: [Int] = []
            var next = 0
            repeat {
                let page = try await call(port, "GET /topics/t/records?partition=0&offset=\(next)&limit=10")
                values += items(page.body?["records"]).compactMap { number($0["value"]) }
                next = try #require(number(page.body?["next_offset"]))
            } while next < 25
            #expect(values == Array(0..<25))

            let end = try await call(port, "GET /topics/t/records?partition=0&offset=25")
            #expect(items(end.body?["records"]).isEmpty && number(end.body?["next_offset"]) == 25, "\(end.text)")
            async let waiting = call(port, "GET /topics/t/records?partition=0&offset=25&wait_ms=20000")
            try await publish(port, "t", ["\"late\""])
            let late = try await waiting
            #expect(value(late) == .string("late"), "\(late.text)")

            let past = try await call(port, "GET /topics/t/records?partition=0&time=2020-01-01T00:00:00Z&limit=1")
            #expect(value(past) == .number(.init(checked: "0")), "\(past.text)")
            let future = try await call(port, "GET /topics/t/records?partition=0&time=32503680000")
            #expect(items(future.body?["records"]).isEmpty && number(future.body?["next_offset"]) == 26)
        }
    }

    @Test func recordsThatMakeNoSenseAreRefusedAndNoneIsKept() async throws {
        try await withCluster({ $0.limits.bodyBytesMax = 4 << 20 }) { _, port in
            try await make(port, "t")
            func headers(_ count: Int) -> String {
                "{" + (0..<count).map { "\"h\($0)\":\"v\"" }.joined(separator: ",") + "}"
            }
            let good = #"{"value":1}"#
            let cases: [(body: String, status: String, code: String, field: String)] = [
                ("{", "400", "malformed_json", ""), ("[]", "422", "invalid_body", "body"),
                ("{}", "422", "invalid_body", "records"), (#"{"records":{}}"#, "422", "invalid_body", "records"),
                (#"{"records":[]}"#, "422", "invalid_body", "records"),
                (#"{"records":[\#(good)],"x":1}"#, "422", "invalid_body", "x"),
                (#"{"records":[\#(good),1]}"#, "422", "invalid_body", "records[1]"),
                (#"{"records":[\#(good),{}]}"#, "422", "invalid_body", "records[1].value"),
                (#"{"records":[{"value":1,"key":2}]}"#, "422", "invalid_body", "records[0].key"),
                (#"{"records":[{"value":1,"partition":2}]}"#, "422", "invalid_body", "records[0].partition"),
                (#"{"records":[{"value_base64":"a"}]}"#, "422", "invalid_body", "records[0].value_base64"),
                (
                    #"{"records":[{"value":1,"value_base64":"aGk="}]}"#, "422", "invalid_body",
                    "records[0].value_base64"
                ),
                (#"{"records":[{"value":1,"headers":[]}]}"#, "422", "invalid_body", "records[0].headers"),
                (#"{"records":[{"value":1,"headers":{"a":1}}]}"#, "422", "invalid_body", "records[0].headers.a"),
                (#"{"records":[{"value":1,"headers":{"":"v"}}]}"#, "422", "invalid_body", "records[0].headers."),
                (
                    #"{"records":[\#(good),{"value":1,"headers":\#(headers(65))}]}"#, "422", "invalid_body",
                    "records[1].headers"
                ),
                (
                    #"{"records":[\#(good),{"value":"\#(String(repeating: "x", count: 1 << 20))"}]}"#, "413",
                    "record_too_large", "records[1]"
                ),
            ]
            for (body, status, code, field) in cases {
                let answer = try await call(port, "POST /topics/t/records", body)
                #expect(
                    answer.status == status && answer.code == code, "\(body.prefix(80)): \(answer.text.prefix(400))")
                let fields = items(answer.body?["errors"]).map { $0["field"] }
                #expect(field.isEmpty || fields == [.string(field)], "\(body.prefix(80)): \(answer.text.prefix(400))")
            }
            let form = try await call(
                port, "POST /topics/t/records", nil, headers: ["Content-Type: text/plain", Self.admin])
            #expect(form.status == "415", "\(form.text)")
            let many = try await call(
                port, "POST /topics/t/records",
                "{\"records\":[\(Array(repeating: "{}", count: 500).joined(separator: ","))]}")
            #expect(many.status == "422" && items(many.body?["errors"]).count == 100)
            let unknown = try await call(port, "POST /topics/typo/records", "{\"records\":[\(good)]}")
            #expect(unknown.status == "404" && unknown.code == "topic_not_found", "\(unknown.text)")
            #expect(try await call(port, "GET /topics/typo").status == "404", "none is made by publishing")
            let kept = try await call(port, "GET /topics/t/records?partition=0")
            #expect(items(kept.body?["records"]) == [], "\(kept.text)")

            for (query, field) in [
                ("", "partition"), ("?partition=x", "partition"), ("?partition=-1", "partition"),
                ("?partition=1024", "partition"), ("?partition=0&offset=-1", "offset"),
                ("?partition=0&offset=1&time=1", "time"), ("?partition=0&time=yesterday", "time"),
                ("?partition=0&limit=0", "limit"), ("?partition=0&limit=1001", "limit"),
                ("?partition=0&wait_ms=30001", "wait_ms"),
            ] {
                let answer = try await call(port, "GET /topics/t/records\(query)")
                #expect(answer.status == "422" && answer.code == "invalid_parameter", "\(query): \(answer.text)")
                #expect(items(answer.body?["errors"]).map { $0["field"] } == [.string(field)], "\(query)")
            }
            let beyond = try await call(port, "GET /topics/t/records?partition=1&offset=0")
            #expect(beyond.status == "422" && beyond.code == "invalid_parameter", "\(beyond.text)")
            #expect(try await call(port, "GET /topics/typo/records?partition=0").status == "404")
        }
    }

    @Test func whatRetentionHasPassedIsGone() async throws {
        try await withCluster { _, port in
            try await make(port, "t", more: ",\"retention_ms\":1")
            let stream = try follower(port, "/topics/t/stream?from=earliest")
            let opened = await stream.receive(until: "id: ")
            let id = try #require(lastID(opened + (await stream.receive(until: "\n\n"))))
            try await publish(port, "t", ["1", "2", "3"])
            var gone: HTTPExchange?
            try await eventually("the records go") {
                let answer = try await call(port, "GET /topics/t/records?partition=0&offset=0")
                gone = answer
                return answer.status == "410"
            }
            let answer = try #require(gone)
            #expect(answer.code == "offset_gone" && number(answer.body?["first_offset"]) == 3, "\(answer.text)")
            // Without a place it begins with what is left.
            let left = try await call(port, "GET /topics/t/records?partition=0")
            #expect(left.status == "200" && number(left.body?["next_offset"]) == 3, "\(left.text)")
            // A stream that comes back too late says so, and goes on.
            let late = try follower(port, "/topics/t/stream", lastEventID: id)
            let told = await late.receive(until: "first_offset")
            #expect(told.contains("event: reset"), "\(told)")
        }
    }

    // MARK: Streams

    private func follower(_ port: Int, _ path: String, lastEventID: String? = nil) throws -> HTTPSocket {
        let socket = try #require(HTTPSocket(port: port))
        let resume = lastEventID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        socket.send("GET \(path) HTTP/1.1\r\nHost: localhost:\(port)\r\n\(resume)\r\n")
        return socket
    }

    private func lastID(_ text: String) -> String? {
        text.split(whereSeparator: \.isNewline).last { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
    }

    /// The values of the events in a text, in order.
    private func values(_ text: String) -> [Int] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            guard line.hasPrefix("data: "), let data = try? JSONValue(parsing: Array(line.dropFirst(6).utf8)) else {
                return nil
            }
            return number(data["value"])
        }
    }

    @Test func aStreamTellsEveryRecordOnceHoweverOftenItIsCutOff() async throws {
        try await withCluster { _, port in
            try await make(port, "t", partitions: 3)
            for number in 0..<30 { try await publish(port, "t", ["\(number)"], key: "k\(number)") }
            let first = try follower(port, "/topics/t/stream?from=earliest")
            var text = ""
            while values(text).count < 30 {
                let more = await first.receive(until: "\n\n")
                guard !more.isEmpty else { break }
                text += more
            }
            #expect(values(text).sorted() == Array(0..<30) && text.contains("event: record"), "\(text)")
            // Behind each event that was told, the rest follows and nothing else.
            let ids = text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id: ") }.map { $0.dropFirst(4) }
            let told = values(text)
            for cut in [0, 1, 17, 29] {
                let resumed = try follower(port, "/topics/t/stream", lastEventID: String(ids[cut]))
                var rest = ""
                while values(rest).count < 30 - cut {
                    let more = await resumed.receive(until: "\n\n")
                    guard !more.isEmpty else { break }
                    rest += more
                }
                #expect(!rest.contains("event: reset"), "\(cut): \(rest)")
                #expect(values(rest).sorted() == told[cut...].sorted(), "behind \(cut)")
            }
            // From now on.
            let present = try follower(port, "/topics/t/stream")
            var latest = await present.receive(until: "\nid: ")
            try await publish(port, "t", ["100"])
            latest += await present.receive(until: "event: record")
            while values(latest).isEmpty { latest += await present.receive(until: "\n\n") }
            #expect(values(latest) == [100], "\(latest)")
        }
    }

    @Test func aStreamSeesNewPartitionsAndTheEndOfItsTopic() async throws {
        try await withCluster({ $0.limits.watchPauseMs = 100 }) { _, port in
            try await make(port, "t")
            let stream = try follower(port, "/topics/t/stream")
            let opened = await stream.receive(until: "\nid: ")
            let id = try #require(lastID(opened + (await stream.receive(until: "\n\n"))) ?? lastID(opened))
            let grown = try await call(port, "PUT /topics/t", #"{"partitions":4,"replication_factor":1}"#)
            #expect(grown.status == "200", "\(grown.text)")
            for number in 0..<20 { try await publish(port, "t", ["\(number)"], key: "k\(number)") }
            var text = ""
            while values(text).count < 20 {
                let more = await stream.receive(until: "\n\n")
                guard !more.isEmpty else { break }
                text += more
            }
            #expect(values(text).sorted() == Array(0..<20))

            #expect(try await call(port, "DELETE /topics/t").status == "204")
            // It ends: the connection is left without a further event.
            let rest = await stream.receive(until: "0\r\n\r\n")
            #expect(!rest.contains("event:"), "\(rest)")
            let none = try await call(port, "GET /topics/t/stream")
            #expect(none.status == "404", "\(none.text)")
            // Made anew, its positions mean nothing: all of it is new.
            try await make(port, "t")
            try await publish(port, "t", ["1"])
            let anew = try follower(port, "/topics/t/stream", lastEventID: id)
            var told = ""
            while values(told).isEmpty {
                let more = await anew.receive(until: "\n\n")
                guard !more.isEmpty else { break }
                told += more
            }
            #expect(told.contains("event: reset") && values(told) == [1], "\(told)")
            let lost = try follower(port, "/topics/t/stream", lastEventID: "yesterday")
            #expect((await lost.receive(until: "event: reset")).contains("event: reset"))
        }
    }

    @Test func streamsThatMakeNoSenseOrAreTooManyAreRefused() async throws {
        try await withCluster({ $0.limits.topicStreamPartitionsMax = 3 }) { _, port in
            try await make(port, "t", partitions: 2)
            let bad = try await call(port, "GET /topics/t/stream?from=yesterday")
            #expect(bad.status == "422" && bad.code == "invalid_parameter", "\(bad.text)")
            let only = try follower(port, "/topics/t/stream")
            #expect((await only.receive(until: "\r\n\r\n")).contains(" 200 "))
            let second = try await call(port, "GET /topics/t/stream")
            #expect(second.status == "503" && second.code == "overloaded", "\(second.text)")
        }
    }

    // MARK: Groups

    @Test func groupsAreToldSoughtAndDeleted() async throws {
        try await withCluster { nodes, port in
            try await make(port, "t", partitions: 2)
            for number in 0..<20 { try await publish(port, "t", ["\(number)"], key: "k\(number)") }
            #expect(items(try await call(port, "GET /groups").body?["items"]) == [])
            let none = try await call(port, "GET /groups/g%2F1")
            #expect(none.status == "404" && none.code == "group_not_found", "\(none.text)")
            try await withClient(nodes) { client in
                let member = Task {
                    try await GroupConsumer(client: client, topic: "t", group: "g/1", logger: quiet).run { _ in }
                }
                try await eventually("all is read") {
                    let group = try await call(port, "GET /groups/g%2F1")
                    return number(group.body?["lag"]) == 0
                        && items(group.body?["partitions"]).allSatisfy { number($0["lag"]) != nil }
                }
                let told = try await call(port, "GET /groups/g%2F1")
                let partitions = items(told.body?["partitions"])
                #expect(items(told.body?["members"]).count == 1 && number(told.body?["lag_seconds"]) == 0)
                #expect(partitions.map { number($0["partition"]) } == [0, 1], "\(told.text)")
                #expect(partitions.compactMap { number($0["committed_offset"]) }.reduce(0, +) == 20, "\(told.text)")
                #expect(partitions.allSatisfy { $0["topic"] == .string("t") && $0["member"] != .null })
                let listed = items(try await call(port, "GET /groups").body?["items"])
                #expect(listed.map { $0["name"] } == [.string("g/1")])
                #expect(listed.first?["topics"] == .array([.string("t")]))

                let used = try await call(port, "DELETE /groups/g%2F1")
                #expect(used.status == "409" && used.code == "group_in_use", "\(used.text)")
                #expect(items(used.body?["members"]).count == 1, "\(used.text)")
                member.cancel()
                try await member.value
            }
            let sought = try await call(port, "POST /groups/g%2F1/seek", #"{"topic":"t","to":"earliest"}"#)
            #expect(sought.status == "200" && items(sought.body?["positions"]).count == 2, "\(sought.text)")
            let behind = try await call(port, "GET /groups/g%2F1")
            #expect(number(behind.body?["lag"]) == 20, "\(behind.text)")
            guard case .number(let seconds)? = behind.body?["lag_seconds"] else {
                Issue.record("\(behind.text)")
                return
            }
            #expect(seconds.double > 0 && seconds.double < 180)
            for (body, offset) in [
                (#"{"topic":"t","partition":0,"offset":3}"#, 3), (#"{"topic":"t","partition":0,"time":0}"#, 0),
                (#"{"topic":"t","partition":0,"time":"2020-01-01T00:00:00Z"}"#, 0),
            ] {
                let answer = try await call(port, "POST /groups/g%2F1/seek", body)
                #expect(
                    items(answer.body?["positions"]).map { number($0["offset"]) } == [offset],
                    "\(body): \(answer.text)")
            }
            #expect(try await call(port, "DELETE /groups/g%2F1").status == "204")
            #expect(try await call(port, "GET /groups/g%2F1").status == "404")
            #expect(try await call(port, "DELETE /groups/g%2F1?force=true").status == "204")
        }
    }

    @Test func whatCannotBeDoneToAGroupIsRefused() async throws {
        try await withCluster { _, port in
            try await make(port, "t")
            for (body, status, code) in [
                ("{", "400", "malformed_json"), ("{}", "422", "invalid_body"),
                (#"{"topic":"t"}"#, "422", "invalid_body"),
                (#"{"topic":"t","to":"sideways"}"#, "422", "invalid_body"),
                (#"{"topic":"t","to":"latest","offset":1}"#, "422", "invalid_body"),
                (#"{"topic":"t","offset":-1}"#, "422", "invalid_body"),
                (#"{"topic":"t","time":"yesterday"}"#, "422", "invalid_body"),
                (#"{"topic":"t","time":true}"#, "422", "invalid_body"),
                (#"{"topic":"t","to":"latest","partition":-1}"#, "422", "invalid_body"),
                (#"{"topic":"t","to":"latest","x":1}"#, "422", "invalid_body"),
                (#"{"topic":"t","to":"latest","partition":1}"#, "422", "invalid_parameter"),
                (#"{"topic":"typo","to":"latest"}"#, "404", "topic_not_found"),
            ] {
                let answer = try await call(port, "POST /groups/g/seek", body)
                #expect(answer.status == status && answer.code == code, "\(body): \(answer.text)")
            }
            let long = String(repeating: "g", count: 256)
            for head in ["GET /groups/\(long)", "DELETE /groups/\(long)", "DELETE /groups/g?force=maybe"] {
                #expect(try await call(port, head).status == "422", "\(head)")
            }
            #expect(items(try await call(port, "GET /groups").body?["items"]) == [])
        }
    }
}
