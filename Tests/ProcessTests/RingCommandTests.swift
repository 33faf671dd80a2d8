import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// The commands of operators against a cluster: what they print and with which code they end.
    @Suite struct RingCommandTests {
        private func run(
            _ cluster: TestCluster, _ arguments: String..., within seconds: Double = 60
        ) async throws -> (code: Int32, output: String) {
            try await runStormo(
                arguments.flatMap { $0.split(separator: " ").map(String.init) } + [
                    "--seeds", cluster.seeds.joined(separator: ","),
                ], in: cluster.directory, within: seconds)
        }

        /// What a command has printed, behind the lines of progress that it writes to standard error.
        private func json(_ ended: (code: Int32, output: String)) throws -> JSON {
            do { return try JSON(Array(ended.output.drop { $0 != "{" }.utf8)) } catch {
                throw WaitedInVain(description: "this is no JSON (\(error)):\n\(ended.output)")
            }
        }

        /// Starts the node beyond the founders and waits until all know it.
        private func startFourth(_ cluster: TestCluster, _ client: StormoClient) async throws {
            try cluster.start(3)
            try await eventually("n4 is known", cluster.running) {
                client.cluster?.members.contains { $0.identity.name == "n4" && $0.state == .alive } ?? false
            }
        }

        @Test func `operators add, watch, repair, remove and forget`() async throws {
            try await TestCluster.with(NodePlace.loopback(4), founders: 3, in: TestDirectory()) { cluster, client in
                try await cluster.waitUntilWhole(client)
                for number in 0..<50 { try await client.put(Key("k/\(number)"), Array("value".utf8)) }
                try await startFourth(cluster, client)

                let shown = try await run(cluster, "ring")
                #expect(shown.code == 0 && shown.output.contains("at rest"), "\(shown)")
                let members = try await run(cluster, "member list -o json")
                let listed = try json(members)["members"].items
                #expect(
                    listed.filter { $0["role"].text == "node" }.map { $0["is_in_ring"] }
                        == [.bool(true), .bool(true), .bool(true), .bool(false)], "\(members)")

                #expect(try await run(cluster, "topic create t --partitions 8").code == 0)
                func replicas() async throws -> [String: Int] {
                    let topic = try json(try await run(cluster, "topic describe t -o json"))
                    let all = topic["partitions"].items.flatMap { $0["replicas"].items.compactMap(\.text) }
                    return Dictionary(grouping: all) { $0 }.mapValues(\.count)
                }

                let planned = try await run(cluster, "ring add n4 --dry-run -o json")
                let plan = try json(planned)
                #expect((4...8).contains(plan["partitions_to_move"].number ?? 0), "\(planned)")
                #expect(planned.code == 0 && plan["dry_run"] == .bool(true) && plan["epoch"].number == 1, "\(planned)")
                #expect(plan["nodes"].items.count == 4 && plan["dangers"].items.isEmpty, "\(planned)")

                let added = try await run(cluster, "ring add n4 --wait")
                #expect(added.code == 0 && added.output.contains("done: ring 3 is in force"), "\(added)")
                #expect(added.output.contains("partitions of topics are where they should be"), "\(added)")
                let spread = try await replicas()
                #expect(spread.values.allSatisfy { (5...7).contains($0) } && spread.count == 4, "\(spread)")
                let ring = try await run(cluster, "ring show -o json")
                #expect(try json(ring)["members"].items.count == 4, "\(ring)")
                let repaired = try await run(cluster, "repair -o json")
                let nodes = try json(repaired)["nodes"].items
                #expect(repaired.code == 0 && nodes.count == 4, "\(repaired)")
                #expect(nodes.allSatisfy { $0["ranges_total"].number ?? 0 > 0 && $0["ranges_failed"].number == 0 })
                let told = try await run(cluster, "repair --status --node n2")
                #expect(told.code == 0 && told.output.contains("n2") && !told.output.contains("n1"), "\(told)")

                let watched = try await run(cluster, "kv watch k/1 --limit 11")
                #expect(watched.code == 0 && watched.output.contains("put\tk/19\tvalue"), "\(watched)")

                let status = try await run(cluster, "status")
                #expect(status.code == 0 && status.output.contains("4 of 4 nodes alive"), "\(status)")
                let figures = try await run(cluster, "status --figures")
                for name in [
                    "hints_pending", "hints_bytes", "hints_oldest_ms", "hints_replayed_total", "hints_dropped_total",
                    "repair_ranges_total", "repair_leaves_differing_total", "repair_keys_repaired_total",
                    "tombstones_dropped_total", "transfer_ranges_done", "amnesia_ranges_total", "registers_damaged",
                ] { #expect(figures.output.contains(name), "\(name): \(figures.output)") }

                let removed = try await run(cluster, "ring remove n4 --wait -o json")
                #expect(
                    try removed.code == 0 && json(removed)["outcome"].text == "done", "\(removed)")
                #expect(try json(removed)["partitions_to_move"].number == 0, "\(removed)")
                #expect(try await replicas() == ["n1": 8, "n2": 8, "n3": 8])
                let early = try await run(cluster, "member forget n4")
                #expect(early.code == 1 && early.output.contains("stormo: "), "\(early)")
                cluster[3].signal(SIGTERM)
                #expect(try await cluster[3].waitForExit() == .code(0))
                try await eventually("n4 is forgotten", cluster.running) {
                    try await run(cluster, "member forget n4").code == 0
                }
                let rest = try await run(cluster, "member")
                #expect(rest.code == 0 && !rest.output.contains("n4"), "\(rest)")
            }
        }

        @Test func `of two operators one is told that the other was first`() async throws {
            var places = try NodePlace.loopback(4)
            places[3].arguments = ["--copy-bytes-per-second", "64KiB"]
            try await TestCluster.with(places, founders: 3, in: TestDirectory()) { cluster, client in
                try await cluster.waitUntilWhole(client)
                // Enough that the copying takes far longer than what follows.
                for number in 0..<80 { try await client.put(Key("k/\(number)"), Array(repeating: 1, count: 100_000)) }
                try await startFourth(cluster, client)
                let place = try NodePlace.loopback(1)[0]
                try await cluster.waitUntilReady(try cluster.startGateway(place), at: place)
                let http = cluster.http(place)

                let first = try await run(cluster, "ring add n4")
                #expect(first.code == 0 && first.output.contains("begun as ring 2"), "\(first)")
                let second = try await run(cluster, "ring set-replicas 2")
                #expect(second.code == 1 && second.output.contains("epoch 2 is a change under way"), "\(second)")
                let third = try await http.call("POST", "/sharding/remove-node", #"{"node":"n1"}"#)
                #expect(third.status == 409 && third.code == "ring_busy", "\(third)")
                await #expect(throws: ClientError.self) { try await client.changeRing(.remove("n2")) }
                let shown = try await run(cluster, "ring")
                #expect(shown.code == 0 && shown.output.contains("n4 joins"), "\(shown)")
                #expect(try await http.call("GET", "/sharding/info").json["transition"]["kind"].text == "add-node")

                let aborted = try await run(cluster, "ring abort")
                #expect(aborted.code == 0 && aborted.output.contains("taken back"), "\(aborted)")
                try await cluster.waitUntilWhole(client)
                for number in 0..<80 {
                    #expect(try await client.get(Key("k/\(number)"))?.value.count == 100_000, "k/\(number)")
                }
            }
        }

        @Test func `a node removed while it was dead comes back without a say`() async throws {
            try await TestCluster.with(NodePlace.loopback(4), in: TestDirectory()) { cluster, client in
                try await cluster.waitUntilWhole(client)
                for number in 0..<50 { try await client.put(Key("k/\(number)"), Array("old".utf8)) }
                try await cluster[3].killNow()
                try await eventually("n4 is called dead", cluster.running) {
                    client.cluster?.members.contains { $0.identity.name == "n4" && $0.state == .dead } ?? false
                }
                let removed = try await run(cluster, "ring remove n4 --wait")
                #expect(removed.code == 0, "\(removed)")
                let rest = ["n1", "n2", "n3"]
                try await cluster.waitUntilWhole(client, nodes: rest)
                for number in 0..<50 { try await client.put(Key("k/\(number)"), Array("new".utf8)) }

                try cluster.start(3)
                try await eventually("n4 is here again, and knows the ring without it", cluster.running) {
                    try await cluster.figure("ring_epoch", of: 3, by: client) == 3
                }
                try await cluster.waitUntilWhole(client, nodes: rest)
                let members = try await run(cluster, "member list -o json")
                let fourth = try json(members)["members"].items.first { $0["name"].text == "n4" }
                #expect(fourth?["state"].text == "alive" && fourth?["is_in_ring"] == .bool(false), "\(members)")
                // It answers for others, and what it says is theirs.
                let node = try #require(client.cluster?.members.first { $0.identity.name == "n4" }?.identity.id)
                let peer = try await WirePeer.connect(to: "127.0.0.1:\(cluster.ports[3])")
                peer.send(.readRequest(ReadRequest(key: Key("k/7"), consistency: .quorum)))
                try await eventually("n4 answers", cluster.running) { !peer.answers.isEmpty }
                guard case .readAnswer(let answer)? = peer.answers.first else {
                    Issue.record("\(peer.answers), \(node)")
                    return
                }
                #expect(answer.cell?.content == .value(Array("new".utf8)))
                for number in 0..<50 {
                    #expect(try await client.get(Key("k/\(number)"))?.value == Array("new".utf8), "k/\(number)")
                }
                let added = try await run(cluster, "ring add n4 --wait")
                #expect(added.code == 0, "\(added)")
                try await cluster.waitUntilWhole(client, nodes: rest + ["n4"])
            }
        }

        @Test func `a cluster that is not there is told within the timeout`() async throws {
            let directory = try TestDirectory()
            let seed = "127.0.0.1:\(try FreePorts.take(1)[0])"
            for command in [["ring"], ["ring", "add", "n4"], ["member"], ["repair"], ["kv", "watch"], ["status"]] {
                let ended = try await runStormo(
                    command + ["--seeds", seed, "--timeout", "200ms"], in: directory)
                #expect(ended.code == 1 && ended.output.contains(seed), "\(command): \(ended)")
            }
        }
    }
}
