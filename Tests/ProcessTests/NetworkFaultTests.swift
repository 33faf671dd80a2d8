import StormoClient
import Testing
import Wire

extension ProcessTests {
    /// Keys on hosts of their own while the network between them fails. The callers of the wire protocol are on one host
    /// (0), the nodes on the next three, the gateway on the last.
    @Suite(.enabled(if: VirtualNetwork.obstacle == nil, Comment(rawValue: VirtualNetwork.obstacle ?? "")))
    struct NetworkFaultTests {
        private func withNetwork(_ body: (KeyScene, VirtualNetwork) async throws -> Void) async throws {
            let directory = try TestDirectory()
            let network = try await VirtualNetwork(hosts: 4, in: directory)
            var places = NodePlace.hosts(of: network)
            let gateway = places.removeLast()
            try await KeyScene.with(places, gateway: gateway, in: directory) { try await body($0, network) }
        }

        @Test func `a minority that is cut off refuses, the majority goes on, both agree once it heals`() async throws {
            try await withNetwork { scene, network in
                let history = scene.load.history
                // The gateway is on the side of n1.
                history.resetGaps()
                network.sever([1, 4], from: [2, 3])
                network.sever([0], from: [1])
                try await scene.expectRecovery(after: "a partition, on the majority's side", of: KeyScene.wireCallers)
                try await eventually("both callers on the minority's side have been refused", scene.cluster.running) {
                    KeyScene.httpCallers.allSatisfy { history.counts[$0]?.failed ?? 0 >= 2 }
                }
                // What was answered just before the cut has been written down by now.
                let before = history.counts
                try await scene.load.progress(
                    scene.cluster, TestLength.rounds(30, long: 500), of: KeyScene.wireCallers, within: 90)
                let after = history.counts
                for name in KeyScene.httpCallers {
                    #expect(after[name]?.writes == before[name]?.writes && after[name]?.reads == before[name]?.reads)
                }
                #expect(network.packets.counts.severed > 0)
                history.resetGaps()
                network.heal()
                try await scene.expectRecovery(after: "the partition healed", within: 60)
                try await scene.cluster.waitUntilWhole(scene.client, within: 60)
            }
        }

        @Test func `a node that only clients reach keeps nobody from the others`() async throws {
            try await withNetwork { scene, network in
                for node in 1...TestLength.rounds(1, long: 3) {
                    scene.load.history.resetGaps()
                    network.sever([node], from: [1, 2, 3].filter { $0 != node })
                    try await scene.expectRecovery(after: "a cut between n\(node) and the other nodes")
                    // Whoever had asked that node last would still be with it.
                    try await eventually("everybody has heard of it", scene.cluster.running) {
                        scene.client.cluster?.members.contains {
                            $0.identity.name == "n\(node)" && $0.state == .dead
                        } ?? false
                    }
                    try await scene.load.progress(scene.cluster, 20, within: 20)
                    network.heal()
                    try await scene.cluster.waitUntilWhole(scene.client)
                }
            }
        }

        @Test func `two nodes that do not reach each other serve everybody by the third`() async throws {
            try await withNetwork { scene, network in
                let history = scene.load.history
                for isOneWay in [false, true] {
                    let what = isOneWay ? "n1 is not heard by n2" : "n1 and n2 do not reach each other"
                    history.resetGaps()
                    network.sever(from: 1, to: 2)
                    if !isOneWay { network.sever(from: 2, to: 1) }
                    try await scene.expectRecovery(after: what)
                    // Callers of each node, and the gateway's, go on for longer than it takes to call a node dead.
                    try await scene.load.progress(scene.cluster, TestLength.rounds(100, long: 1_000), within: 60)
                    #expect(network.packets.counts.severed > 0)
                    history.resetGaps()
                    network.heal()
                    try await scene.expectRecovery(after: "\(what), healed")
                    try await scene.cluster.waitUntilWhole(scene.client, within: 60)
                }
            }
        }

        @Test func `keys stay right when an answer takes 200 ms, and 400 ms`() async throws {
            try await withNetwork { scene, network in
                for delayMs in TestLength.isLong ? [100, 200] : [100] {
                    scene.load.history.resetGaps()
                    network.packets.conditions.delayMs = UInt64(delayMs)
                    try await scene.expectRecovery(after: "a delay of \(delayMs) ms each way", within: 120)
                }
                network.heal()
            }
        }

        @Test func `keys stay right when one packet in twenty is lost`() async throws {
            try await withNetwork { scene, network in
                scene.load.history.resetGaps()
                network.packets.conditions.loss = 0.05
                try await scene.expectRecovery(after: "a loss of 5 %")
                try await scene.load.progress(scene.cluster, 15, within: 60)
                #expect(network.packets.counts.lost > 100)
                network.heal()
            }
        }
    }
}
