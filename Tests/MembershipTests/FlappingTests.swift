import Membership
import Testing
import Wire

@Suite struct FlappingTests {
    private func cluster(_ count: Int, seed: UInt64) -> VirtualNetwork {
        let network = VirtualNetwork(seed: seed)
        network.addCluster(count)
        let joined = network.run(forMs: 5_000) { $0.agrees }
        precondition(joined, "the cluster did not come together")
        return network
    }

    @Test func aMemberThatComesAndGoesIsCounted() {
        let network = cluster(3, seed: 1)
        for round in 1...3 as ClosedRange<UInt64> {
            network.pause(1)
            // Once only suspected, else given up.
            let away: MemberState = round == 1 ? .suspect : .dead
            #expect(network.run(forMs: 10_000) { $0.state(of: 2, at: 0) == away && $0.state(of: 2, at: 2) == away })
            #expect(network.nodes[0].swim.members[1].flaps == round - 1, "it is not back yet")
            network.resume(1)
            #expect(network.run(forMs: 5_000) { $0.agrees })
            #expect(network.nodes[0].swim.members.map(\.flaps) == [0, round, 0])
            #expect(network.nodes[2].swim.statistics.flaps == round)
        }
        let items = network.nodes[2].swim.statistics.items
        #expect(items.contains { $0.name == "membership_flaps_total" && $0.value == 3 })
    }

    @Test func aRestartCountsAndALeaveDoesNot() {
        let network = cluster(3, seed: 2)
        network.kill(2, hint: true)
        #expect(network.run(forMs: 5_000) { $0.state(of: 3, at: 0) == .dead })
        let back = network.add(VirtualNetwork.identity(3, incarnation: 2), seeds: ["n1:7000"])
        #expect(network.run(forMs: 5_000) { $0.agrees })
        #expect(network.nodes[0].swim.members[2].flaps == 1)
        network.give(.leave, to: back)
        network.run(forMs: 100)
        network.kill(back, hint: true)
        _ = network.add(VirtualNetwork.identity(3, incarnation: 3), seeds: ["n1:7000"])
        #expect(network.run(forMs: 5_000) { $0.agrees })
        #expect(network.nodes[0].swim.members[2].flaps == 1)
        #expect(network.nodes[0].swim.statistics.flaps == 1)
    }

    @Test func everyFigureHasANameOfItsOwn() {
        let items = Swim(local: VirtualNetwork.identity(1), seeds: [], randomSeed: 1).statistics.items
        #expect(Set(items.map(\.name)).count == items.count)
        #expect(items.allSatisfy { $0.name.hasPrefix("membership_") && $0.value == 0 })
    }
}
