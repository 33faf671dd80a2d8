import NodeCore
import Testing

@testable import Gateway

/// The table *Ring* of the HTTP contract, and the state of keys while it is used, against nodes that really run.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RingRoutesTests {
    private static let json = "Content-Type: application/json"
    private static let admin = [json, "Authorization: Bearer an-admin-token"]

    /// A gateway in front of nodes, ready.
    private func withCluster(
        _ count: Int, slowCopier: Int? = nil, _ body: (RealNodes, Int) async throws -> Void
    ) async throws {
        try await RealNodes.with(count) { index, limits in
            if index == slowCopier { limits.copyBytesPerSecond = 1 }
        } _: { nodes in
            try await withGateway(seeds: nodes.addresses, { $0.adminToken = "an-admin-token" }) { port in
                await eventually("the gateway is ready") {
                    (try? await HTTPExchange(port, "GET /ready").status) == "200"
                }
                try await body(nodes, port)
            }
        }
    }

    private func post(_ port: Int, _ path: String, _ body: String) async throws -> HTTPExchange {
        try await HTTPExchange(port, "POST /sharding/\(path)", headers: Self.admin, body: Array(body.utf8))
    }

    private func info(_ port: Int) async throws -> JSONValue {
        try #require(try await HTTPExchange(port, "GET /sharding/info").body)
    }

    /// Names of the ring's nodes while it is at rest; nil while it changes.
    private func names(_ info: JSONValue) -> [String]? {
        guard info["transition"] == nil, case .array(let nodes)? = info["nodes"] else { return nil }
        return nodes.compactMap { if case .string(let name)? = $0["name"] { name } else { nil } }.sorted()
    }

    private func number(_ value: JSONValue?) -> Int? {
        if case .number(let number)? = value { Int(number.text) } else { nil }
    }

    /// Asks for a change until the node that joins is known, then waits until the ring is as wanted.
    private func change(_ port: Int, _ path: String, _ body: String, to wanted: [String]) async throws {
        var answer = try await post(port, path, body)
        await eventually("\(path) \(body) has begun") {
            if answer.status == "202" { return true }
            answer = (try? await post(port, path, body)) ?? answer
            return false
        }
        let joint = try #require(number(answer.body?["epoch"]), "\(answer.text)")
        #expect(answer.body?["transition"]?["nodes"] != nil, "\(answer.text)")
        try await eventually("the ring is \(wanted)") {
            let info = try await info(port)
            return names(info) == wanted && number(info["epoch"]) ?? 0 > joint
        }
    }

    private func expectKept(_ port: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let kept = try await HTTPExchange(port, "GET /kv/kept")
        #expect(kept.body?["value"] == .string("v"), "\(kept.text)", sourceLocation: sourceLocation)
    }

    private func put(_ port: Int, _ key: String, _ value: String) async throws {
        let answer = try await HTTPExchange(
            port, "PUT /kv/\(key)", headers: [Self.json], body: Array("{\"value\":\(value)}".utf8))
        #expect(answer.status == "200", "\(answer.text)")
    }

    @Test func nodesAreAddedReplacedAndRemoved() async throws {
        try await withCluster(3) { nodes, port in
            try await put(port, "kept", "\"v\"")
            let first = try await info(port)
            #expect(names(first) == ["n1"])
            #expect(number(first["replication_factor"]) == 3 && number(first["replicas"]) == 1)
            #expect(number(first["virtual_nodes"]) == 64)

            // By address, as the former coordinator's clients name nodes.
            try await change(port, "add-node", "{\"node\":\"http://\(nodes.addresses[1])/\"}", to: ["n1", "n2"])
            try await expectKept(port)
            try await change(port, "replace-node", "{\"node\":\"n1\",\"with\":\"n3\"}", to: ["n2", "n3"])
            try await expectKept(port)

            // More copies than nodes are kept in mind.
            try await change(port, "reconfigure", "{\"replication_factor\":5}", to: ["n2", "n3"])
            let wide = try await info(port)
            #expect(number(wide["replication_factor"]) == 5 && number(wide["replicas"]) == 2)
            try await change(port, "reconfigure", "{\"replication_factor\":1}", to: ["n2", "n3"])
            #expect(number(try await info(port)["replicas"]) == 1)
            try await expectKept(port)

            try await change(port, "remove-node", "{\"node\":\"n2\"}", to: ["n3"])
            try await expectKept(port)
            let last = try await post(port, "remove-node", "{\"node\":\"n3\"}")
            #expect(last.status == "422" && last.code == "ring_refused", "\(last.text)")
        }
    }

    @Test func oneChangeRunsAtATimeAndCanBeTakenBack() async throws {
        try await withCluster(3, slowCopier: 1) { _, port in
            try await put(port, "kept", "\"v\"")
            for number in 0..<20 { try await put(port, "k\(number)", "\(number)") }
            var begun = try await post(port, "add-node", "{\"node\":\"n2\"}")
            await eventually("n2 is known") {
                if begun.status == "202" { return true }
                begun = (try? await post(port, "add-node", "{\"node\":\"n2\"}")) ?? begun
                return false
            }
            try await eventually("the change is told, with its progress") {
                let transition = try await info(port)["transition"]
                guard number(transition?["progress"]?["ranges_total"]) ?? 0 > 0 else { return false }
                return transition?["kind"] == .string("add-node")
            }
            for (path, body) in [
                ("add-node", "{\"node\":\"n3\"}"), ("remove-node", "{\"node\":\"n1\"}"),
                ("replace-node", "{\"node\":\"n1\",\"with\":\"n3\"}"), ("reconfigure", "{\"replication_factor\":2}"),
                ("add-node", "{\"node\":\"n3\",\"dry_run\":true}"),
            ] {
                let answer = try await post(port, path, body)
                #expect(answer.status == "409" && answer.code == "ring_busy", "\(path): \(answer.text)")
                #expect(answer.text.contains("abort"), "\(path): \(answer.text)")
            }
            try await expectKept(port)
            let aborted = try await post(port, "abort", "{}")
            #expect(aborted.status == "202", "\(aborted.text)")
            try await eventually("the ring is as it was") { names(try await info(port)) == ["n1"] }
            try await expectKept(port)
            try await change(port, "add-node", "{\"node\":\"n3\"}", to: ["n1", "n3"])
            try await expectKept(port)
        }
    }

    @Test func whatMakesNoSenseIsRefusedAndChangesNothing() async throws {
        try await withCluster(1) { _, port in
            let cases: [(path: String, body: String, status: String, code: String)] = [
                ("add-node", "{", "400", "malformed_json"), ("add-node", "[]", "422", "invalid_body"),
                ("add-node", "{}", "422", "invalid_body"), ("add-node", "{\"node\":1}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"\"}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"http://\"}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"\(String(repeating: "n", count: 256))\"}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"n2\",\"force\":true}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"n1\",\"dry_run\":1}", "422", "invalid_body"),
                ("add-node", "{\"node\":\"nobody\"}", "422", "ring_refused"),
                ("add-node", "{\"node\":\"n1\"}", "422", "ring_refused"),
                ("remove-node", "{\"node\":\"nobody\"}", "422", "ring_refused"),
                ("remove-node", "{\"node\":\"n1\"}", "422", "ring_refused"),
                ("replace-node", "{\"node\":\"n1\"}", "422", "invalid_body"),
                ("replace-node", "{\"node\":\"n1\",\"with\":\"n1\"}", "422", "ring_refused"),
                ("reconfigure", "{}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":0}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":-1}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":1.5}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":65}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":1e300}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":\"3\"}", "422", "invalid_body"),
                ("reconfigure", "{\"replication_factor\":3}", "422", "ring_refused"),
                ("abort", "{}", "422", "ring_refused"), ("abort", "{\"now\":true}", "422", "invalid_body"),
            ]
            for (path, body, status, code) in cases {
                let answer = try await post(port, path, body)
                #expect(answer.status == status && answer.code == code, "\(path) \(body): \(answer.text)")
                let named = answer.text.contains("\"errors\"") || code != "invalid_body"
                #expect(named, "\(path) \(body) names the bad field: \(answer.text)")
            }
            for path in ["add-node", "remove-node", "replace-node", "reconfigure", "abort"] {
                let stranger = try await HTTPExchange(
                    port, "POST /sharding/\(path)", headers: [Self.json], body: Array("{}".utf8))
                #expect(stranger.status == "401", "\(path): \(stranger.text)")
                let read = try await HTTPExchange(port, "GET /sharding/\(path)")
                #expect(read.status == "405" && read.headers.contains("allow: post"), "\(path): \(read.headers)")
                let form = try await HTTPExchange(
                    port, "POST /sharding/\(path)",
                    headers: ["Content-Type: text/plain", "Authorization: Bearer an-admin-token"],
                    body: Array("{}".utf8))
                #expect(form.status == "415", "\(path): \(form.text)")
            }
            for query in ["", "?key=", "?key=\(String(repeating: "k", count: 513))", "?key=%00x"] {
                #expect(try await HTTPExchange(port, "GET /sharding/locate\(query)").status == "422", "\(query)")
            }
            #expect(number(try await info(port)["epoch"]) == 1)
            // What would be done is told, and not done.
            let dry = try await post(port, "reconfigure", "{\"replication_factor\":2,\"dry_run\":true}")
            #expect(dry.status == "200" && number(dry.body?["epoch"]) == 1, "\(dry.text)")
            #expect(number(try await info(port)["replication_factor"]) == 3)
        }
    }

    @Test func aPrefixIsWatchedOverHTTP() async throws {
        try await withCluster(1) { _, port in
            try await put(port, "w/a", "1")
            try await put(port, "other", "1")
            let watch = try await watcher(port, "/watch?prefix=w/")
            let first = await watch.receive(until: "\"value\":1")
            #expect(
                first.contains("content-type: text/event-stream") || first.contains("Content-Type: text/event-stream"))
            #expect(first.contains("event: put") && first.contains("\"key\":\"w/a\"") && !first.contains("other"))
            try await put(port, "w/b", "2")
            let second = await watch.receive(until: "\"value\":2")
            #expect(second.contains("\"key\":\"w/b\""))
            #expect(try await HTTPExchange(port, "DELETE /kv/w/a").status == "204")
            let third = await watch.receive(until: "\"value\":null")
            #expect(third.contains("event: delete") && third.contains("\"key\":\"w/a\""), "\(third)")
            let position = try #require(
                second.split(whereSeparator: \.isNewline).last { $0.hasPrefix("id: ") }?.dropFirst(4), "\(second)")

            // From there on nothing is told twice that was told before.
            let resumed = try await watcher(port, "/watch?prefix=w/", lastEventID: String(position))
            let rest = await resumed.receive(until: "event: delete")
            #expect(!rest.contains("event: reset") && !rest.contains("\"value\":1"), "\(rest)")
            // A position that is none is said to be lost, and everything follows.
            let lost = try await watcher(port, "/watch?prefix=w/", lastEventID: "yesterday")
            let all = await lost.receive(until: "\"value\":2")
            #expect(all.contains("event: reset"), "\(all)")
        }
    }

    private func watcher(_ port: Int, _ path: String, lastEventID: String? = nil) async throws -> HTTPSocket {
        let socket = try #require(HTTPSocket(port: port))
        let resume = lastEventID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        socket.send("GET \(path) HTTP/1.1\r\nHost: localhost:\(port)\r\n\(resume)\r\n")
        return socket
    }

    @Test func watchesThatMakeNoSenseOrAreTooManyAreRefused() async throws {
        try await withGateway({ $0.limits.watchersMax = 1 }) { port in
            for prefix in [String(repeating: "p", count: 513), "%00lock"] {
                let answer = try await HTTPExchange(port, "GET /watch?prefix=\(prefix)")
                #expect(answer.status == "422" && answer.code == "invalid_parameter", "\(answer.text)")
            }
            let only = try await watcher(port, "/watch")
            #expect((await only.receive(until: "\r\n\r\n")).contains(" 200 "))
            let second = try await HTTPExchange(port, "GET /watch")
            #expect(second.status == "503" && second.code == "overloaded", "\(second.text)")
            #expect(second.headers.contains("retry-after: "))
        }
    }
}
