import Foundation
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// The HTTP contract, held against real gateways in front of a real cluster.
    @Suite struct HTTPContractTests {
        private static let adminToken = "the token of these tests"

        /// Two gateways in front of three nodes. Those not guarded are open to everyone on this machine; the callers
        /// of those that are show the admin's token. By default only the second one is.
        private func withGateways(
            guarded: [Bool] = [false, true], _ body: (HTTPCaller, HTTPCaller, StormoClient) async throws -> Void
        ) async throws {
            try await TestCluster.with { cluster, client in
                let ports = try FreePorts.take(2)
                let password = ["ADMIN_USER": "ada", "ADMIN_PASS": "correct horse battery"]
                var gateways: [StormoProcess] = []
                for (index, port) in ports.enumerated() {
                    gateways.append(
                        try StormoProcess(
                            "gateway \(index)",
                            [
                                "gateway", "--name", "g\(index)", "--listen", "127.0.0.1:\(port)", "--seeds",
                                cluster.seeds.joined(separator: ","), "--drain", "0s",
                            ],
                            environment: ["ADMIN_TOKEN": Self.adminToken].merging(guarded[index] ? password : [:]) {
                                $1
                            },
                            log: cluster.directory.newPath("gateway.log")))
                }
                defer { for gateway in gateways { gateway.signal(9) } }
                let bearer = ["Authorization": "Bearer \(Self.adminToken)"]
                for (gateway, port) in zip(gateways, ports) {
                    try await eventually("\(gateway.name) is ready", [gateway] + cluster.running) {
                        try await HTTPCaller(port: port).call("GET", "/ready").status == 200
                    }
                }
                let callers = zip(ports, guarded).map { HTTPCaller(port: $0, headers: $1 ? bearer : [:]) }
                try await body(callers[0], callers[1], client)
                for gateway in gateways { gateway.signal(15) }
                for gateway in gateways { #expect(try await gateway.waitForExit() == .code(0), "\(gateway.logTail())") }
            }
        }

        @Test func `keys are put, read, compared, listed and deleted`() async throws {
            try await withGateways { http, other, _ in
                let none = try await http.call("GET", "/kv/none", headers: ["X-Request-Id": "abc-123"])
                #expect(none.status == 404 && none.code == "key_not_found", "\(none)")
                #expect(none.headers["x-request-id"] == "abc-123")
                #expect(none.headers["x-served-by"] == "g0")
                #expect(
                    none.json["type"] != .null && none.json["status"].number == 404 && none.json["title"].text != nil)

                let path = "/kv/a%2Fb:c%20%C3%A8"
                let put = try await http.call("PUT", path, #"{"value":{"x":1.10,"y":[null,true]}}"#)
                let version = try #require(put.json["version"].text)
                #expect(
                    put.status == 200 && put.json["key"].text == "a/b:c è" && put.headers["etag"] == "\"\(version)\"",
                    "\(put)")
                for prefix in ["/kv", "/key"] {
                    let get = try await other.call("GET", "\(prefix)/a/b:c%20%C3%A8")
                    #expect(
                        get.status == 200 && get.json["version"].text == version
                            && get.headers["etag"] == "\"\(version)\"", "\(get)")
                    #expect(get.text.contains(#"{"x":1.10,"y":[null,true]}"#), "\(get)")
                    #expect(get.headers["x-served-by"] == "g1")
                }
                let one = try await http.call("GET", "\(path)?consistency=one")
                #expect(one.json["stale_possible"] == .bool(true), "\(one)")

                let refused = try await http.call("PUT", path, #"{"value":2}"#, headers: ["If-Match": "\"0\""])
                #expect(refused.status == 412 && refused.code == "precondition_failed", "\(refused)")
                #expect(refused.text.contains(version), "\(refused)")
                let absent = try await http.call("PUT", path, #"{"value":2}"#, headers: ["If-None-Match": "*"])
                #expect(absent.status == 412, "\(absent)")
                let matched = try await other.call(
                    "PUT", path, #"{"value":{"x":1.10}}"#, headers: ["If-Match": "\"\(version)\""])
                #expect(matched.status == 200 && matched.json["version"].text != version, "\(matched)")

                let cas = try await http.call("POST", "/kv/cas", #"{"key":"a/b:c è","old":{"x":11e-1},"new":"next"}"#)
                #expect(cas.status == 200 && cas.json["ok"] == .bool(true) && cas.json["version"].text != nil, "\(cas)")
                let lost = try await http.call("POST", "/kv/cas", #"{"key":"a/b:c è","old":{"x":1.1},"new":"late"}"#)
                #expect(
                    lost.status == 409 && lost.json["ok"] == .bool(false) && lost.json["current"].text == "next",
                    "\(lost)")
                #expect(lost.json["version"] == cas.json["version"])
                let fresh = try await http.call("POST", "/kv/cas", #"{"key":"fresh","old":null,"new":1}"#)
                #expect(fresh.status == 200, "\(fresh)")
                let again = try await http.call("POST", "/kv/cas", #"{"key":"fresh","old":null,"new":1}"#)
                #expect(again.status == 409, "\(again)")

                let ttl = try await http.call("PUT", "/kv/short", #"{"value":1,"ttl":1}"#)
                #expect(ttl.status == 200, "\(ttl)")
                #expect(try await http.call("GET", "/kv/short").json["expires_at"].text?.hasSuffix("Z") ?? false)
                try await eventually("the key expires", within: 10) {
                    try await http.call("GET", "/kv/short").status == 404
                }

                for number in 0..<5 { try await http.call("PUT", "/kv/list/\(number)", #"{"value":\#(number)}"#) }
                let listed = try await http.all("/kv?prefix=list/", limit: 2)
                #expect(listed.map { $0["key"].text } == (0..<5).map { "list/\($0)" })
                #expect(listed.map { $0["value"].number } == (0..<5).map { Double($0) })
                let names = try await http.call("GET", "/kv?prefix=list/&keys_only=true&limit=2")
                #expect(
                    names.json["items"].items.map(\.names) == [["key", "version"], ["key", "version"]], "\(names)")

                let stale = try await http.call("DELETE", "/kv/fresh", headers: ["If-Match": "\"0\""])
                #expect(stale.status == 412, "\(stale)")
                #expect(try await http.call("DELETE", "/kv/fresh").status == 204)
                #expect(try await http.call("DELETE", "/kv/fresh").status == 204)
                #expect(try await http.call("GET", "/kv/fresh").status == 404)
            }
        }

        @Test func `what is wrong with a request is said, and nothing a client sends is a server error`() async throws {
            try await withGateways { http, other, _ in
                let json = ["Content-Type": "application/json"]
                let cases: [(HTTPAnswer, Int, String)] = [
                    (try await http.call("PUT", "/kv/a", "{"), 400, "malformed JSON"),
                    (try await http.call("PUT", "/kv/a", #"{"value":1}x"#), 400, "bytes behind the JSON"),
                    (try await http.call("GET", "/no-such-path"), 404, "an unknown path"),
                    (try await http.call("PATCH", "/kv/a", #"{"value":1}"#), 405, "a method that is not there"),
                    (try await http.call("DELETE", "/health"), 405, "a method that is not there"),
                    (
                        try await http.call(
                            "PUT", "/kv/a", #"{"value":""# + String(repeating: "a", count: 1 << 20) + #""}"#), 413,
                        "a large body"
                    ),
                    (
                        try await http.call(
                            "PUT", "/kv/a", headers: json.merging(["Content-Length": "99999999999"]) { $1 }), 413,
                        "a large length"
                    ),
                    (
                        try await http.call("PUT", "/kv/a", #"{"value":1}"#, headers: ["Content-Type": "text/plain"]),
                        415, "another type"
                    ),
                    (try await http.call("PUT", "/kv/a", "{}"), 422, "no value"),
                    (try await http.call("PUT", "/kv/a", #"{"value":1,"ttl":-1}"#), 422, "a negative ttl"),
                    (
                        try await http.call("PUT", "/kv/" + String(repeating: "k", count: 513), #"{"value":1}"#), 422,
                        "a long key"
                    ),
                    (try await http.call("GET", "/kv?limit=0"), 422, "a limit of none"),
                    (try await http.call("GET", "/kv?cursor=nonsense"), 422, "a cursor of nobody"),
                    (
                        try await http.call("POST", "/deliveries", #"{"origin":{"lat":91,"lon":12.5},"weight":"1"}"#),
                        422, "a bad order"
                    ),
                    (
                        try await other.call("GET", "/kv/a", headers: ["Authorization": "Bearer wrong"]), 401,
                        "a wrong token"
                    ),
                ]
                for (answer, status, what) in cases {
                    #expect(answer.status == status, "\(what): \(answer)")
                    #expect(answer.code != nil, "\(what): \(answer)")
                }
                #expect(cases[3].0.headers["allow"]?.contains("PUT") ?? false, "\(cases[3].0)")
                let fields = cases[13].0.text
                for name in ["origin", "destination", "weight"] { #expect(fields.contains(name), "\(fields)") }

                // Bodies that lie about their length, and what is no HTTP at all.
                let lyingHead = "PUT /kv/lie HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                let short = try await RawSocket.connect(port: http.port)
                await short.write(Array((lyingHead + "Content-Length: 100\r\n\r\n{\"value\":1}").utf8))
                short.finish()
                try await eventually("a connection with half a body ends", within: 10) { short.isClosed }
                #expect(try await http.call("GET", "/kv/lie").status == 404)
                let long = try await http.raw(
                    Array((lyingHead + "Content-Length: 11\r\n\r\n{\"value\":1}and more\r\n\r\n").utf8),
                    what: "a body longer than its length")
                #expect(long.status == 200, "\(long)")
                for nonsense in [
                    "PUT /kv/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                ] {
                    let answer = try? await http.raw(Array(nonsense.utf8), what: nonsense)
                    #expect(
                        answer.map { (400..<500).contains($0.status) } ?? true,
                        "\(nonsense): \(String(describing: answer))")
                }
                #expect(try await http.call("GET", "/kv/lie").json["value"].number == 1)
                #expect(try await http.call("GET", "/kv/a").status == 404)
            }
        }

        @Test func `locks are held by one owner until they are given back`() async throws {
            try await withGateways { http, other, _ in
                let first = try await http.call("POST", "/lock/acquire", #"{"name":"crane","owner":"a","ttl_sec":30}"#)
                let token = try #require(first.json["token"].text)
                #expect(
                    first.status == 200 && first.json["ok"] == .bool(true) && first.json["expires_at"].text != nil,
                    "\(first)")
                for owner in ["a", "b"] {
                    let held = try await other.call("POST", "/lock/acquire", #"{"name":"crane","owner":"\#(owner)"}"#)
                    #expect(
                        held.status == 409 && held.json["ok"] == .bool(false) && held.json["owner"].text == "a",
                        "\(held)")
                }
                let renewed = try await other.call(
                    "POST", "/lock/renew", #"{"name":"crane","token":"\#(token)","ttl_sec":60}"#)
                #expect(renewed.status == 200 && renewed.json["token"].text == token, "\(renewed)")
                let released = try await http.call("POST", "/lock/release", #"{"name":"crane","token":"\#(token)"}"#)
                #expect(released.status == 200 && released.json["ok"] == .bool(true), "\(released)")
                for path in ["renew", "release"] {
                    let late = try await http.call(
                        "POST", "/lock/\(path)", #"{"name":"crane","token":"\#(token)","ttl_sec":5}"#)
                    #expect(late.status == 409, "\(late)")
                }
                let second = try await http.call("POST", "/lock/acquire", #"{"name":"crane","owner":"b"}"#)
                let next = try #require(second.json["token"].text)
                #expect(next.count == token.count && next > token)
            }
        }

        @Test func `an order is taken once, however often and wherever it is sent`() async throws {
            try await withGateways { http, other, _ in
                let order = #"{"origin":{"lat":41.9,"lon":12.48},"destination":{"lat":41.87,"lon":12.5},"weight":1.5}"#
                let key = ["Idempotency-Key": "order-1"]
                let first = try await http.call("POST", "/deliveries", order, headers: key)
                let id = try #require(first.json["id"].text)
                #expect(
                    first.status == 201 && first.headers["location"] == "/deliveries/\(id)"
                        && first.json["status"].text == "pending", "\(first)")
                let again = try await other.call("POST", "/deliveries", order, headers: key)
                #expect(again.status == 200 && again.json["id"].text == id, "\(again)")
                let different = try await http.call(
                    "POST", "/deliveries", order.replacing("1.5", with: "2.5"), headers: key)
                #expect(different.status == 422 && different.code == "idempotency_key_reused", "\(different)")

                for round in 0..<5 {
                    let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
                        for index in 0..<6 {
                            let caller = index % 2 == 0 ? http : other
                            group.addTask {
                                try await caller.call(
                                    "POST", "/deliveries", order, headers: ["Idempotency-Key": "race-\(round)"])
                            }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(Set(answers.map { $0.json["id"].text }).count == 1, "\(answers)")
                    #expect(
                        answers.count { $0.status == 201 } == 1 && answers.count { $0.status == 200 } == 5,
                        "\(answers.map(\.status))")
                }
                let listed = try await other.all("/deliveries", limit: 2)
                #expect(listed.count == 6)
                #expect(Set(listed.map { $0["id"] }).count == 6)
                #expect(listed.last?["id"].text == id)
                let stamps = listed.compactMap { $0["timestamp"].text }
                #expect(stamps == stamps.sorted(by: >))
                #expect(try await http.call("GET", "/deliveries/\(id)").json == again.json)
                #expect(try await http.call("GET", "/deliveries/none").status == 404)
                let cancelled = try await http.call("POST", "/deliveries/\(id)/cancel")
                #expect(cancelled.status == 200 && cancelled.json["status"].text == "cancelled", "\(cancelled)")
            }
        }

        @Test func `thresholds, notifications, zones and figures keep the contract`() async throws {
            try await withGateways { http, guarded, client in
                // Thresholds.
                let standard = try await http.call("GET", "/admin/thresholds")
                let tag = try #require(standard.headers["etag"])
                #expect(standard.json.names == ["default", "per_floor"], "\(standard)")
                let wanted =
                    #"{"default":{"kw":9,"amp":30,"volt_min":208,"volt_max":252,"dkwh":0.2},"#
                    + #""per_floor":{"1":{"kw":5}}}"#
                #expect(try await http.call("PUT", "/admin/thresholds", wanted).status == 401)
                let put = try await guarded.call("PUT", "/admin/thresholds", wanted, headers: ["If-Match": tag])
                let sent = try JSON(Array(wanted.utf8))
                #expect(put.status == 200 && put.json == sent, "\(put)")
                #expect(
                    try await guarded.call("PUT", "/admin/thresholds", wanted, headers: ["If-Match": tag]).status == 412
                )
                let bad = try await guarded.call(
                    "PUT", "/admin/thresholds", wanted.replacing("\"kw\":9", with: "\"kw\":-9"))
                #expect(bad.status == 422 && bad.text.contains("kw"), "\(bad)")
                let stored = try await http.call("GET", "/admin/thresholds")
                #expect(stored.json == put.json && stored.headers["etag"] == put.headers["etag"], "\(stored)")

                // Readings and notifications.
                let reading =
                    #"{"piano":1,"sensore1_kwh":1000.3,"sensore2_kw":6.2,"sensore3_corrente":16.8,"#
                    + #""sensore3_tensione":231.5,"timestamp":"2026-01-31T08:15:30Z"}"#
                let taken = try await http.call("POST", "/readings", reading)
                #expect(taken.status == 202 && taken.json["accepted"].number == 1, "\(taken)")
                let wrong = try await http.call(
                    "POST", "/readings", "[\(reading),\(reading.replacing("231.5", with: "-1"))]")
                #expect(wrong.status == 422 && wrong.text.contains("sensore3_tensione"), "\(wrong)")
                #expect(try await http.call("POST", "/internal/broadcast", #"{"_token":"x"}"#).status == 403)
                let list = try await http.call("GET", "/notifications?limit=5&unread=true&since_ts=0.5")
                #expect(list.status == 200 && list.json["count"].number == 0, "\(list)")
                #expect(try await http.call("GET", "/notifications/unread_count").json["unread"].number == 0)
                #expect(
                    try await http.call("POST", "/notifications/mark_read", #"{"ids":["none"]}"#).json["updated"].number
                        == 0)

                // Zones are made anew, the same for every caller.
                let zones = try await http.call("GET", "/zones")
                #expect(zones.status == 200 && zones.json["zones"].items.count > 1, "\(zones)")
                #expect(
                    ["bounds", "charge_points", "no_fly", "zones"].allSatisfy(zones.json.names.contains),
                    "\(zones.json.names)")
                #expect(try await http.call("DELETE", "/kv/zones_config").status == 204)
                let answers = try await withThrowingTaskGroup(of: JSON.self) { group in
                    for index in 0..<6 {
                        let caller = index % 2 == 0 ? http : guarded
                        group.addTask { try await caller.call("GET", "/zones").json }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(Set(answers) == [zones.json])
                #expect(try await client.get(Key("zones_config")) != nil)

                // Service.
                let health = try await http.call("GET", "/health").json
                #expect(
                    health["status"].text == "ok" && health["nodes"]["alive"].number == 3
                        && health["nodes"]["total"].number == 3, "\(health)")
                let metrics = try await http.call("GET", "/metrics")
                #expect(metrics.status == 200 && metrics.headers["content-type"]?.hasPrefix("text/plain") ?? false)
                for line in metrics.text.split(separator: "\n") where !line.hasPrefix("#") {
                    #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "\(line)")
                }
                let stats = try await http.call("GET", "/stats").json
                #expect(stats["nodes"].items.count == 3, "\(stats)")
                for name in [
                    "storage_keys_approximate", "storage_cache_items", "storage_cache_hits_total",
                    "storage_journal_bytes_total", "hints_pending", "hints_bytes", "hints_oldest_ms",
                    "hints_replayed_total", "hints_dropped_total", "repair_ranges_total",
                    "repair_leaves_differing_total", "repair_keys_repaired_total", "tombstones_dropped_total",
                    "transfer_ranges_total", "transfer_ranges_done", "amnesia", "amnesia_ranges_total",
                    "registers_damaged", "registers_mended_total", "ring_joint",
                ] {
                    for node in stats["nodes"].items {
                        #expect(node["stats"][name].number != nil, "\(name) of \(node["name"])")
                    }
                    #expect(metrics.text.contains("\nstormo_node_\(name){node=\"n1\"} "), "\(name)")
                }
                let info = try await http.call("GET", "/sharding/info").json
                #expect(info["nodes"].items.count == 3 && info["replication_factor"].number == 3, "\(info)")
                #expect(try await http.call("GET", "/sharding/locate?key=a").json["replicas"].items.count == 3)
            }
        }

        @Test func `who signs in at one gateway is known to the other`() async throws {
            try await withGateways(guarded: [true, true]) { first, second, _ in
                let stranger = HTTPCaller(port: first.port)
                #expect(try await stranger.call("GET", "/kv").status == 401)
                #expect(try await stranger.call("GET", "/health").status == 200)
                let refused = try await stranger.call("POST", "/login", #"{"username":"ada","password":"wrong"}"#)
                #expect(refused.status == 401 && refused.code == "wrong_credentials", "\(refused)")
                let signedIn = try await stranger.call(
                    "POST", "/login", #"{"username":"ada","password":"correct horse battery"}"#)
                let token = try #require(signedIn.json["token"].text)
                #expect(signedIn.status == 200 && signedIn.json["token_type"].text == "Bearer", "\(signedIn)")
                #expect(
                    signedIn.json["role"].text == "admin" && signedIn.json["expires_in"].number ?? 0 > 0, "\(signedIn)")
                // The key that signs is the cluster's.
                for port in [first.port, second.port] {
                    let caller = HTTPCaller(port: port, headers: ["Authorization": "Bearer \(token)"])
                    #expect(try await caller.call("GET", "/kv").status == 200)
                    #expect(try await caller.call("PUT", "/kv/a", #"{"value":1}"#).status == 200)
                    let forged = try await caller.call(
                        "GET", "/kv", headers: ["Authorization": "Bearer \(token.dropLast(4))AAAA"])
                    #expect(forged.status == 401, "\(forged)")
                }
                let cookie = try #require(signedIn.headers["set-cookie"])
                for part in ["HttpOnly", "SameSite=Strict"] { #expect(cookie.contains(part)) }
                let session = String(cookie.prefix { $0 != ";" })
                #expect(
                    try await HTTPCaller(port: second.port, headers: ["Cookie": session]).call("GET", "/kv").status
                        == 200)
            }
        }
    }
}
