import Membership
import Testing
import Wire

@Suite struct HealingTests {
    private func cluster(_ count: Int, seed: UInt64) -> VirtualNetwork {
        let network = VirtualNetwork(seed: seed)
        network.addCluster(count)
        let joined = network.run(forMs: 5_000) { $0.agrees }
        precondition(joined, "the cluster did not come together")
        return network
    }

    private static func half(_ address: String) -> Bool {
        (Int(address.dropFirst().prefix { $0 != ":" }) ?? 0) % 2 == 0
    }

    /// Both halves have declared the other dead; afterwards they find each other, and on the way nobody is buried by its
    /// own half.
    @Test(arguments: [4, 10], [UInt64(1), 2, 3]) func halvesOfAHealedPartitionMeet(count: Int, seed: UInt64) {
        let network = cluster(count, seed: seed)
        network.isCut = { Self.half($0) != Self.half($1) }
        #expect(
            network.run(forMs: 60_000) { network in
                network.nodes.indices.allSatisfy { at in
                    network.nodes.indices.allSatisfy { other in
                        network.state(of: other + 1, at: at) == ((at - other) % 2 == 0 ? .alive : .dead)
                    }
                }
            })
        network.run(forMs: 120_000)
        let healedMs = network.nowMs
        network.isCut = { _, _ in false }
        #expect(network.run(forMs: 5_000) { $0.agrees })
        for (at, node) in network.nodes.enumerated() {
            let buried = node.changes.filter { $0.atMs >= healedMs && $0.member.state == .dead }
            #expect(buried.isEmpty, "node \(at + 1) buried \(buried.map { $0.member.identity.name }) after healing")
        }
    }

    /// Long after both halves have given each other up; also when messages are lost.
    @Test(arguments: [(8, 0), (8, 200)]) func halvesMeetAfterTenMinutes(count: Int, lossPerMille: Int) {
        let network = cluster(count, seed: 12)
        network.lossPerMille = lossPerMille
        network.isCut = { Self.half($0) != Self.half($1) }
        network.run(forMs: 600_000)
        for (at, node) in network.nodes.enumerated() {
            let present = node.swim.members.filter(\.isPresent).map { Int($0.identity.id.rawValue) }
            #expect(present.allSatisfy { ($0 - 1 - at) % 2 == 0 }, "node \(at + 1) sees \(present)")
        }
        let healedMs = network.nowMs
        network.isCut = { _, _ in false }
        // One round of tries at the dead, by many at once; losses may cost a few more.
        #expect(network.run(forMs: lossPerMille == 0 ? 2_000 : 10_000) { $0.agrees })
        for node in network.nodes {
            #expect(!node.changes.contains { $0.atMs >= healedMs && $0.member.state == .dead })
        }
    }

    @Test func theDeadAreNotSoughtWhereAnotherLives() {
        let network = cluster(3, seed: 13)
        network.kill(2, hint: true)
        _ = network.add(VirtualNetwork.identity(33, address: "n3:7000", name: "n3"), seeds: ["n1:7000"])
        #expect(network.run(forMs: 20_000) { $0.state(of: 3, at: 0) == .dead && $0.agrees })
        let startMs = network.nowMs
        network.run(forMs: 30_000)
        let pulls = network.nodes[0].sentTo.filter { $0.atMs > startMs && $0.address == "n3:7000" && $0.kind == 6 }
        #expect(pulls.isEmpty)
    }

    @Test func theLongestGoneMakesRoomForALivingOne() {
        var configuration = MembershipConfiguration()
        configuration.membersMax = 3
        let network = VirtualNetwork(seed: 14)
        network.addCluster(3, configuration: configuration)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        network.kill(2, hint: true)
        #expect(network.run(forMs: 5_000) { $0.state(of: 3, at: 0) == .dead && $0.state(of: 3, at: 1) == .dead })
        _ = network.add(VirtualNetwork.identity(4), seeds: ["n1:7000"], configuration: configuration)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        #expect(network.nodes[0].forgotten.map(\.identity.id) == [NodeID(3)])
        #expect(network.nodes[0].swim.statistics.membersRefused == 0)
    }

    @Test func halvesWithoutASeedOnOneSideMeetToo() {
        // Nodes 2 and 4 know node 1 as seed; node 1 and 3 know nobody of the other half but by the membership.
        let network = cluster(4, seed: 4)
        network.isCut = { Self.half($0) != Self.half($1) }
        network.run(forMs: 30_000)
        // Node 1 cannot be dialled by the other half: only the half without outside seeds can make the first step.
        network.isCut = { from, to in Self.half(from) && !Self.half(to) && to == "n1:7000" }
        #expect(
            network.run(forMs: 10_000) { network in
                [1, 2, 3].allSatisfy { at in [2, 3, 4].allSatisfy { network.state(of: $0, at: at) == .alive } }
            })
    }

    @Test func theDeadAreTriedForEver() {
        let network = cluster(3, seed: 5)
        network.kill(2, hint: true)
        network.run(forMs: 600_000)
        let lastTries = network.nodes[0].sentTo.filter { $0.address == "n3:7000" && $0.atMs > network.nowMs - 3_000 }
        #expect(lastTries.count >= 2)
    }

    @Test func aRestartTakesOverAtANewAddress() {
        let network = cluster(4, seed: 6)
        network.kill(1, hint: true)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        let back = network.add(
            VirtualNetwork.identity(2, incarnation: 900, address: "n2b:7001"), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { $0.agrees })
        let seen = network.nodes[3].swim.members[1]
        #expect(seen.identity.address == "n2b:7001" && seen.identity.incarnation == 900 && seen.state == .alive)
        #expect(network.nodes.allSatisfy { $0.conflicts.isEmpty })
        #expect(network.nodes[back].swim.local.incarnation == 900)
    }

    @Test func aRestartBeforeDetectionIsSeenAsAChangeOfIdentity() {
        let network = cluster(4, seed: 7)
        network.kill(1, hint: false)
        _ = network.add(VirtualNetwork.identity(2, incarnation: 77), seeds: ["n1:7000"])
        #expect(network.run(forMs: 1_000) { $0.agrees })
        let last = network.nodes[2].changes.last { $0.member.identity.id == NodeID(2) }
        #expect(last?.from == .alive && last?.member.state == .alive && last?.member.identity.incarnation == 77)
        network.run(forMs: 20_000)
        #expect(network.accusations([.dead]) == 0)
    }

    @Test func aRestartWithAClockSetBackStillComesBack() {
        let network = VirtualNetwork(seed: 8)
        for number in 1...3 { _ = network.add(VirtualNetwork.identity(number, incarnation: 1_000), seeds: ["n1:7000"]) }
        #expect(network.run(forMs: 2_000) { $0.agrees })
        network.kill(1, hint: true)
        #expect(network.run(forMs: 2_000) { $0.state(of: 2, at: 0) == .dead })
        _ = network.add(VirtualNetwork.identity(2, incarnation: 3), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { $0.agrees })
        #expect(network.nodes.last?.swim.local.incarnation ?? 0 > 1_000, "it raised itself above its former life")
        #expect(network.nodes.last?.swim.statistics.refutations ?? 0 <= 3, "in one step, not one by one")
    }

    @Test func aFalseRumourIsRefuted() {
        let network = cluster(5, seed: 9)
        let victim = network.nodes[3].swim.local
        let rumour = MembershipMessage(
            sender: network.nodes[1].swim.local, content: .gossip,
            updates: [MembershipUpdate(state: .suspect, identity: victim, source: NodeID(2))])
        network.give(.received(from: NodeID(2), bytes: rumour.encoded()), to: 0)
        #expect(network.state(of: 4, at: 0) == .suspect)
        #expect(network.run(forMs: 500) { $0.agrees })
        #expect(network.nodes[3].swim.local.incarnation == victim.incarnation + 1)
        #expect(network.accusations([.dead]) == 0)
    }

    @Test func evenAFalseDeathIsRefuted() {
        let network = cluster(5, seed: 10)
        let victim = network.nodes[3].swim.local
        let rumour = MembershipMessage(
            sender: network.nodes[1].swim.local, content: .gossip,
            updates: [MembershipUpdate(state: .dead, identity: victim, source: NodeID(2))])
        network.give(.received(from: NodeID(2), bytes: rumour.encoded()), to: 0)
        #expect(network.state(of: 4, at: 0) == .dead)
        #expect(network.run(forMs: 2_000) { $0.agrees })
    }

    @Test func theLongestGoneIsForgottenBeyondTheBound() {
        var configuration = MembershipConfiguration()
        configuration.goneMembersMax = 2
        let network = VirtualNetwork(seed: 11)
        network.addCluster(5, configuration: configuration)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        for index in [4, 3, 2] {
            network.kill(index, hint: true)
            network.run(forMs: 8_000)
        }
        #expect(network.nodes[0].swim.members.map(\.identity.id.rawValue) == [1, 2, 3, 4])
        #expect(network.nodes[0].swim.statistics.goneDropped == 1)
    }
}
