import Testing
import Wire

@testable import Stormo
@testable import StormoClient

extension ProcessTests {
    /// What nobody may send, by the wire protocol, over HTTP and on the command line: each is refused with its reason, and
    /// nothing is lost by it.
    @Suite struct BadInputTests {
        /// A mistake, and what is said to it by each way that it can be made.
        private struct Mistake {
            let what: String
            /// By the wire protocol, past the client's own checks.
            var wire: (message: Message, code: ErrorCode, says: String)?
            /// Over HTTP.
            var http: (method: String, path: String, json: String?, status: Int, code: String)?
            /// On the command line.
            var command: (arguments: [String], code: Int32, says: String)?
        }

        private static func put(_ key: Key, _ value: [UInt8] = [1], ttlMs: UInt64? = nil) -> Message {
            .writeRequest(
                WriteRequest(
                    key: key, consistency: .quorum, change: .put(value: value, ttlMs: ttlMs, condition: .none)))
        }

        private static func lock(ttlMs: UInt64) -> Message {
            .writeRequest(
                WriteRequest(key: Key("l"), consistency: .serial, change: .acquire(owner: "o", ttlMs: ttlMs)))
        }

        private static func ring(_ change: RingChange) -> Message {
            .changeRing(ChangeRing(change: change, dryRun: false))
        }

        private static let long = String(repeating: "k", count: WireLimits.keyBytesMax + 1)
        private static let tenYears = WireLimits.ttlMsRange.upperBound

        private static let mistakes: [Mistake] = [
            Mistake(
                what: "an empty key", wire: (put(Key("")), .protocolViolation, "an empty key"),
                http: ("GET", "/kv/", nil, 422, "invalid_key"), command: (["kv", "get", ""], 64, "an empty key")),
            Mistake(
                what: "a key over 512 bytes", wire: (put(Key(long)), .protocolViolation, "513"),
                http: ("PUT", "/kv/\(long)", #"{"value":1}"#, 422, "invalid_key"),
                command: (["kv", "put", long, "v"], 64, "513 bytes")),
            Mistake(
                what: "a key of the nodes' own",
                wire: (put(Key([0, 0, 1])), .invalid, "each node's own"),
                http: ("PUT", "/kv/%00%00x", #"{"value":1}"#, 422, "invalid_key")),
            Mistake(what: "a key that is no text", http: ("PUT", "/kv/%ff", #"{"value":1}"#, 400, "malformed_path")),
            Mistake(
                what: "a value over 1 MiB",
                wire: (
                    put(Key("big"), Array(repeating: 1, count: WireLimits.valueBytesMax + 1)), .protocolViolation,
                    "1048576"
                ),
                http: (
                    "PUT", "/kv/big", #"{"value":""# + String(repeating: "a", count: 1 << 20) + #""}"#, 413,
                    "body_too_large"
                )),
            Mistake(
                what: "a time to live of nothing",
                http: ("PUT", "/kv/t", #"{"value":1,"ttl":0}"#, 422, "invalid_body"),
                command: (["kv", "put", "t", "v", "--ttl", "0"], 64, "--ttl is a time from 1s")),
            Mistake(
                what: "a time to live below a second",
                wire: (put(Key("t"), ttlMs: 999), .protocolViolation, "ttl"),
                http: ("PUT", "/kv/t", #"{"value":1,"ttl":0.999}"#, 422, "invalid_body"),
                command: (["kv", "put", "t", "v", "--ttl", "999ms"], 64, "--ttl is a time from 1s")),
            Mistake(
                what: "a time to live beyond ten years",
                wire: (put(Key("t"), ttlMs: tenYears + 1), .protocolViolation, "ttl"),
                http: ("PUT", "/kv/t", #"{"value":1,"ttl":\#(tenYears / 1_000 + 1)}"#, 422, "invalid_body"),
                command: (["kv", "put", "t", "v", "--ttl", "3654d"], 64, "to 3653d")),
            Mistake(
                what: "a lease of nothing", wire: (lock(ttlMs: 0), .protocolViolation, "lease"),
                http: ("POST", "/lock/acquire", #"{"name":"l","owner":"o","ttl_sec":0}"#, 422, "invalid_body")),
            Mistake(
                what: "a lease beyond an hour", wire: (lock(ttlMs: 3_600_001), .protocolViolation, "lease"),
                http: ("POST", "/lock/acquire", #"{"name":"l","owner":"o","ttl_sec":3600.001}"#, 422, "invalid_body")),
            Mistake(
                what: "a prefix over 512 bytes",
                wire: (
                    .scanRequest(
                        ScanRequest(
                            prefix: Array(long.utf8), after: [], limit: 1, keysOnly: false)), .protocolViolation, "513"
                ),
                http: ("GET", "/kv?prefix=\(long)", nil, 422, "invalid_parameter"),
                command: (["kv", "watch", long], 64, "at most 512 bytes")),
            Mistake(
                what: "no copies at all",
                wire: (ring(.replicationFactor(0)), .ringRefused, "1 to 64"),
                http: ("POST", "/sharding/reconfigure", #"{"replication_factor":0}"#, 422, "invalid_body"),
                command: (["ring", "set-replicas", "0"], 64, "1 to 64")),
            Mistake(
                what: "more copies than a ring may have nodes",
                wire: (ring(.replicationFactor(65)), .ringRefused, "1 to 64"),
                http: ("POST", "/sharding/reconfigure", #"{"replication_factor":65}"#, 422, "invalid_body"),
                command: (["ring", "set-replicas", "65"], 64, "1 to 64")),
            Mistake(
                what: "as many copies as there are", wire: (ring(.replicationFactor(3)), .ringRefused, "already"),
                http: ("POST", "/sharding/reconfigure", #"{"replication_factor":3}"#, 422, "ring_refused"),
                command: (["ring", "set-replicas", "3"], 1, "is 3 already")),
            Mistake(
                what: "a node that nobody knows", wire: (ring(.add("n9")), .ringRefused, "no node 'n9'"),
                http: ("POST", "/sharding/add-node", #"{"node":"n9"}"#, 422, "ring_refused"),
                command: (["ring", "add", "n9"], 1, "start it with this cluster's name")),
            Mistake(
                what: "a member that is one already", wire: (ring(.add("n1")), .ringRefused, "already"),
                http: ("POST", "/sharding/add-node", #"{"node":"n1"}"#, 422, "ring_refused"),
                command: (["ring", "add", "n1", "--wait"], 1, "a member of the ring already")),
            Mistake(
                what: "a replacement by oneself", wire: (ring(.replace("n1", with: "n1")), .ringRefused, "already"),
                http: ("POST", "/sharding/replace-node", #"{"node":"n1","with":"n1"}"#, 422, "ring_refused"),
                command: (["ring", "replace", "n1", "n1"], 1, "already")),
            Mistake(
                what: "taking back what was not begun", wire: (ring(.abort), .ringRefused, "no change"),
                http: ("POST", "/sharding/abort", "{}", 422, "ring_refused"),
                command: (["ring", "abort"], 1, "no change of the ring is under way")),
            Mistake(
                what: "forgetting a node of the ring",
                wire: (.forgetMember(ForgetMember(node: "n1")), .ringRefused, "ring"),
                command: (["member", "forget", "n1"], 1, "remove")),
            Mistake(
                what: "a repair of nobody", command: (["repair", "--node", "n9"], 64, "the ring has no node 'n9'")),
        ]

        @Test func `every mistake is refused with its reason, whichever way it is made`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                try await client.put(Key("kept"), Array("value".utf8))
                let place = try NodePlace.loopback(1)[0]
                try await cluster.waitUntilReady(try cluster.startGateway(place), at: place)
                let http = cluster.http(place)
                for (index, mistake) in Self.mistakes.enumerated() {
                    if let (message, code, says) = mistake.wire {
                        let peer = try await WirePeer.connect(to: cluster.seeds[index % 3])
                        peer.send(message)
                        try await eventually("\(mistake.what) is refused by the wire", within: 10, cluster.running) {
                            peer.refusal != nil
                        }
                        let refusal = try #require(peer.refusal)
                        #expect(refusal.code == code, "\(mistake.what): \(refusal)")
                        #expect(refusal.detail.contains(says), "\(mistake.what): \(refusal)")
                        peer.close()
                    }
                    if let (method, path, json, status, code) = mistake.http {
                        let answer = try await http.call(method, path, json)
                        #expect(answer.status == status && answer.code == code, "\(mistake.what): \(answer)")
                        #expect(answer.json["detail"].text?.isEmpty == false, "\(mistake.what): \(answer)")
                    }
                    if let (arguments, code, says) = mistake.command {
                        let ended = try await runStormo(
                            arguments + ["--seeds", cluster.seeds.joined(separator: ",")], in: cluster.directory)
                        #expect(ended.code == code, "\(mistake.what): \(ended)")
                        #expect(ended.output.contains(says), "\(mistake.what): \(ended)")
                    }
                }
                try await expectUnharmed(cluster, client, http)
            }
        }

        @Test func `a clock ahead beyond the bound is refused with both named`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                try await client.put(Key("kept"), Array("value".utf8))
                let peer = try await WirePeer.connect(to: cluster.seeds[0], aheadMs: 60_000)
                peer.send(Self.put(Key("kept"), [9]))
                try await eventually("the frame is refused", within: 10, cluster.running) { peer.refusal != nil }
                let refusal = try #require(peer.refusal)
                #expect(refusal.code == .clockDrift && refusal.detail.contains("ms ahead of n1's"), "\(refusal)")
                #expect(try await cluster.figure("clock_drift_refused_total", of: 0, by: client) == 1)
                // The node's own clock has not followed.
                let answer = try await client.put(Key("kept"), Array("value".utf8))
                let version = try #require(answer.version)
                #expect(version.time.milliseconds < ClientClock.physicalMs() + 30_000)
                #expect(try await client.get(Key("kept"))?.value == Array("value".utf8))
            }
        }

        @Test func `values too large for the command line are refused before anything is asked`() async throws {
            let directory = try TestDirectory()
            let process = try StormoProcess(
                "a large value",
                command: [
                    "/bin/sh", "-c",
                    "head -c 1048577 /dev/zero | \(StormoProcess.binary) kv put big - --seeds 127.0.0.1:1",
                ], log: directory.newPath("log"))
            #expect(try await process.waitForExit() != .code(0))
            #expect(process.log.contains("1048576"), "\(process.log)")
        }

        @Test func `arguments that are no text are refused`() async throws {
            let directory = try TestDirectory()
            let process = try StormoProcess(
                "bytes",
                command: [
                    "/bin/sh", "-c", "\(StormoProcess.binary) kv get \"$(printf 'a\\377')\" --seeds 127.0.0.1:1",
                ],
                log: directory.newPath("log"))
            #expect(try await process.waitForExit() == .code(64))
            #expect(process.log.contains("argument 3 is not UTF-8"), "\(process.log)")
        }

        /// Everything is as it was: the ring, the nodes, and what is kept.
        private func expectUnharmed(_ cluster: TestCluster, _ client: StormoClient, _ http: HTTPCaller) async throws {
            #expect(client.cluster?.ring?.epoch == Epoch(1) && client.cluster?.ring?.replicationFactor == 3)
            for process in cluster.running { #expect(process.exit == nil, "\(process.logTail())") }
            #expect(try await client.get(Key("kept"))?.value == Array("value".utf8))
            for name in ["t", "big", "l", Self.long.dropLast().description] {
                #expect(try await client.get(Key(name)) == nil, "\(name)")
            }
            #expect(try await http.call("GET", "/health").json["status"].text == "ok")
            try await client.put(Key("kept"), Array("later".utf8))
            #expect(try await client.get(Key("kept"))?.value == Array("later".utf8))
        }
    }
}
