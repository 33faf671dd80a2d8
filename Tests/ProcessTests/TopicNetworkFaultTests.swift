import StormoClient
import Testing
import Wire

extension ProcessTests {
    /// Topics on hosts of their own while the network between them fails. The producers and the reader are on one host
    /// (0), the nodes on the next three.
    @Suite(.enabled(if: VirtualNetwork.obstacle == nil, Comment(rawValue: VirtualNetwork.obstacle ?? "")))
    struct TopicNetworkFaultTests {
        private func withNetwork(_ body: (TopicScene, VirtualNetwork) async throws -> Void) async throws {
            let directory = try TestDirectory()
            let network = try await VirtualNetwork(hosts: 3, in: directory)
            try await TopicScene.with(NodePlace.hosts(of: network), in: directory) { try await body($0, network) }
        }

        /// The host of the node that is primary of the most partitions.
        private func busiestHost(_ scene: TopicScene) async throws -> Int {
            var led: [Int] = []
            for index in 0..<3 { led.append(try await scene.partitions(ledBy: index).count) }
            return 1 + (led.indices.max { led[$0] < led[$1] } ?? 0)
        }

        /// The nodes' hosts other than one.
        private func others(than host: Int) -> [Int] { [1, 2, 3].filter { $0 != host } }

        @Test func `partitions whose primary only clients reach are led by others soon`() async throws {
            try await withNetwork { scene, network in
                for _ in 1...TestLength.rounds(1, long: 5) {
                    let host = try await busiestHost(scene)
                    scene.load.reset()
                    network.sever([host], from: others(than: host))
                    try await scene.expectRecovery(after: "a cut between n\(host) and the other nodes")
                    #expect(try await scene.partitions(ledBy: host - 1).isEmpty)
                    #expect(network.packets.counts.severed > 0)
                    scene.load.reset()
                    network.heal()
                    try await scene.expectRecovery(after: "the cut, healed")
                    try await scene.waitUntilWhole()
                }
            }
        }

        @Test func `producers that are cut off go on where they were`() async throws {
            try await withNetwork { scene, network in
                for round in 1...TestLength.rounds(1, long: 10) {
                    let before = scene.load.producers.map(retries)
                    scene.load.reset()
                    network.sever([0], from: [1, 2, 3])
                    // Some batch of each was under way, and it is not known what became of it.
                    try await eventually("both producers have batches in doubt", scene.cluster.running) {
                        zip(scene.load.producers, before).allSatisfy { retries(of: $0) > $1 }
                    }
                    network.heal()
                    try await scene.expectRecovery(after: "producers were cut off, round \(round)")
                }
            }
        }

        @Test func `partitions take records while one direction between two nodes is lost`() async throws {
            try await withNetwork { scene, network in
                for isDeaf in [false, true] {
                    let host = try await busiestHost(scene)
                    let what = isDeaf ? "n\(host) hears no other node" : "no other node hears n\(host)"
                    scene.load.reset()
                    for other in others(than: host) {
                        network.sever(from: isDeaf ? other : host, to: isDeaf ? host : other)
                    }
                    try await scene.expectRecovery(after: what, within: 60)
                    #expect(network.packets.counts.severed > 0)
                    scene.load.reset()
                    network.heal()
                    try await scene.expectRecovery(after: "\(what), healed", within: 60)
                    try await scene.waitUntilWhole()
                }
            }
        }

        @Test func `partitions take records while one node does not hear another`() async throws {
            try await withNetwork { scene, network in
                scene.load.reset()
                network.sever(from: 1, to: 2)
                try await scene.expectRecovery(after: "n2 does not hear n1", within: 60)
                // For longer than it takes to call a node dead.
                try await scene.load.progress(scene.cluster, TestLength.rounds(30, long: 1_000), within: 120)
                #expect(network.packets.counts.severed > 0)
                network.heal()
                try await scene.waitUntilWhole()
            }
        }

        /// Batches that a client has sent again since it was not known what became of them.
        private func retries(of client: StormoClient) -> UInt64 {
            client.statistics.first { $0.name == "client_publish_retries_total" }?.value ?? 0
        }
    }
}
