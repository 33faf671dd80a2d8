import Membership
import Testing
import Wire

@Suite struct DetectionTests {
    private func cluster(_ count: Int, seed: UInt64, lossPerMille: Int = 0) -> VirtualNetwork {
        let network = VirtualNetwork(seed: seed)
        network.addCluster(count)
        let joined = network.run(forMs: 5_000) { $0.agrees }
        precondition(joined, "the cluster did not come together")
        network.run(forMs: 3_000)
        network.lossPerMille = lossPerMille
        return network
    }

    /// The goal for failover: everybody knows within 0.7 s when the connections of the killed node close.
    @Test(arguments: 1...20) func aKilledNodeOfThreeIsDeadWithin700Ms(seed: UInt64) {
        let network = cluster(3, seed: seed)
        let startMs = network.nowMs
        network.kill(1, hint: true)
        #expect(network.run(forMs: 700) { $0.state(of: 2, at: 0) == .dead && $0.state(of: 2, at: 2) == .dead })
        let tookMs = network.nowMs - startMs
        #expect(tookMs >= MembershipConfiguration().suspicionMinMs(members: 3), "it had its time to refute")
        #expect(tookMs <= 600, "a closed connection saves half a probe: \(tookMs) ms")
        #expect(network.agrees)
    }

    /// Without hints: two rounds of probes (it may have just been probed, and be last in the next round), the probe
    /// itself, the longest suspicion, and a second for the news.
    @Test(arguments: [2, 3, 5, 8, 16], [UInt64(1), 2, 3]) func aSilentNodeIsDeadWithinTheBound(count: Int, seed: UInt64)
    {
        let configuration = MembershipConfiguration()
        let network = cluster(count, seed: seed)
        network.kill(count - 1, hint: false)
        let boundMs =
            UInt64(2 * count) * configuration.probeIntervalMs + configuration.suspicionMaxMs(members: count) + 1_000
        #expect(
            network.run(forMs: boundMs) { network in
                (0..<count - 1).allSatisfy { network.state(of: count, at: $0) == .dead }
            })
        #expect(network.agrees, "and nobody else is")
    }

    @Test func aSilentNodeOf64IsSoonDead() {
        let network = cluster(64, seed: 3)
        let startMs = network.nowMs
        network.kill(40, hint: false)
        #expect(
            network.run(forMs: 10_000) { network in
                network.nodes.indices.allSatisfy { !network.nodes[$0].isUp || network.state(of: 41, at: $0) == .dead }
            })
        #expect(network.nowMs - startMs < 4_000, "accusers confirm each other: \(network.nowMs - startMs) ms")
    }

    /// Nobody but node 1 loses its connection, so the others hear of the suspicion before they would have probed.
    @Test(arguments: [UInt64(1), 2, 3, 4]) func thoseWhoHearOfASuspicionConfirmIt(seed: UInt64) {
        let network = cluster(9, seed: seed)
        network.kill(8, hint: false)
        network.give(.disconnected(NodeID(9)), to: 0)
        let startMs = network.nowMs
        #expect(network.run(forMs: 20_000) { $0.state(of: 9, at: 0) == .dead })
        // Its own probe, the probes of those that checked, the shortest suspicion, and some rounds of news.
        let tookMs = network.nowMs - startMs
        #expect(tookMs <= 100 + 200 + MembershipConfiguration().suspicionMinMs(members: 9) + 200, "\(tookMs) ms")
    }

    @Test func newsReachesEveryoneInAFewRoundsOfGossip() {
        let network = cluster(24, seed: 12)
        let change = PeerIdentity(
            role: .node, id: NodeID(5), name: "n5", incarnation: 40, address: "n5:7000")
        network.give(.connected(change, address: "n5:7000"), to: 0)
        let reached = network.run(forMs: 350) { network in
            network.nodes.indices.allSatisfy { network.nodes[$0].swim.members[4].identity.incarnation >= 40 }
        }
        #expect(reached, "log10(25) × 4 repetitions by each in rounds of 50 ms")
    }

    @Test func nobodyIsAccusedWithoutLoss() {
        let network = cluster(16, seed: 4)
        network.latencyMs = 1...20
        network.run(forMs: 300_000)
        #expect(network.accusations([.suspect, .dead]) == 0)
        #expect(network.nodes.allSatisfy { $0.swim.statistics.probesFailed == 0 && $0.swim.localHealthScore == 0 })
    }

    @Test(arguments: [3, 8, 16]) func nobodyIsBuriedWhenAFifthIsLost(count: Int) {
        let network = cluster(count, seed: 5, lossPerMille: 200)
        network.run(forMs: 300_000)
        #expect(network.lostCount > 500 * count)
        #expect(network.accusations([.dead]) == 0)
        let failed = network.nodes.reduce(0) { $0 + $1.swim.statistics.probesFailed }
        let probes = network.nodes.reduce(0) { $0 + $1.swim.statistics.probes }
        #expect(failed < probes / 1_000, "\(failed) of \(probes): what was lost is sent again")
    }

    @Test func aShortInterruptionIsBridged() {
        let network = cluster(5, seed: 13)
        for _ in 0..<30 {
            network.isCut = { _, _ in true }
            network.run(forMs: 120)
            network.isCut = { _, _ in false }
            network.run(forMs: 880)
        }
        #expect(network.accusations([.suspect, .dead]) == 0, "shorter than a probe")
    }

    /// Everybody loses its connection to the killed node and accuses it at once; what is left is the time to refute.
    @Test(arguments: [4, 5, 6, 7, 8], [UInt64(1), 2, 3, 4]) func aKilledNodeOfAFewIsDeadWithin900Ms(
        count: Int, seed: UInt64
    ) {
        let network = cluster(count, seed: seed)
        let startMs = network.nowMs
        network.kill(1, hint: true)
        #expect(
            network.run(forMs: 2_000) { network in
                network.nodes.indices.allSatisfy { $0 == 1 || network.state(of: 2, at: $0) == .dead }
            })
        let tookMs = network.nowMs - startMs
        #expect(tookMs <= 900, "\(tookMs) ms")
        #expect(tookMs >= MembershipConfiguration().suspicionMinMs(members: count))
    }

    @Test func oneBadLinkAccusesNobody() {
        let network = cluster(5, seed: 6)
        network.isCut = { from, to in [from, to].sorted() == ["n2:7000", "n3:7000"] }
        network.run(forMs: 60_000)
        #expect(network.accusations([.suspect, .dead]) == 0, "the others reach it on its behalf")
    }

    @Test func aClosedConnectionOfALivingNodeIsNoDeath() {
        let network = cluster(3, seed: 7)
        for _ in 0..<20 {
            network.give(.disconnected(NodeID(2)), to: 0)
            network.run(forMs: 50)
        }
        #expect(network.accusations([.suspect, .dead]) == 0)
    }

    @Test func aPausedNodeBuriesNobodyWhenItGoesOn() {
        let network = cluster(5, seed: 8)
        network.pause(2)
        network.run(forMs: 20_000)
        #expect(network.state(of: 3, at: 0) == .dead)
        network.resume(2)
        #expect(network.nodes[2].swim.statistics.pauses == 1)
        #expect(network.run(forMs: 3_000) { $0.agrees })
        #expect(network.nodes[2].changes.allSatisfy { $0.member.state != .dead })
    }

    @Test func suspectsKeepTheirTimeThroughAPauseOfTheAccuser() {
        let network = cluster(3, seed: 11)
        network.pause(2)
        #expect(network.run(forMs: 3_000) { $0.state(of: 3, at: 0) == .suspect && $0.state(of: 3, at: 1) == .suspect })
        network.pause(0)
        network.pause(1)
        network.run(forMs: 10_000)
        for index in network.nodes.indices { network.resume(index) }
        #expect(network.run(forMs: 1_000) { $0.agrees })
        #expect(network.accusations([.dead]) == 0)
    }

    @Test func aShortPauseIsRefuted() {
        let network = cluster(5, seed: 9)
        network.pause(2)
        #expect(network.run(forMs: 3_000) { $0.state(of: 3, at: 0) == .suspect })
        network.resume(2)
        #expect(network.run(forMs: 1_000) { $0.agrees })
        #expect(network.nodes[2].swim.local.incarnation > 1)
        #expect(network.nodes[2].swim.statistics.refutations >= 1)
        #expect(network.accusations([.dead]) == 0)
    }

    @Test func aLeavingNodeHasLeftAtOnce() {
        let network = cluster(4, seed: 10)
        network.give(.leave, to: 2)
        network.run(forMs: 20)
        #expect([0, 1, 3].allSatisfy { network.state(of: 3, at: $0) == .left })
        #expect(network.state(of: 3, at: 2) == .left)
        let sent = network.nodes[2].sentTo.count
        network.give(.tick, to: 2)
        network.give(.connected(VirtualNetwork.identity(1), address: "n1:7000"), to: 2)
        #expect(network.nodes[2].sentTo.count == sent, "it handles nothing any more")
        network.kill(2, hint: true)
        network.run(forMs: 30_000)
        #expect(network.accusations([.suspect, .dead]) == 0)
        let back = network.add(VirtualNetwork.identity(3, incarnation: 50), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { $0.agrees })
        #expect(network.state(of: 3, at: back) == .alive)
    }
}
