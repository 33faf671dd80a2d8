import Membership
import Testing
import Wire

@Suite struct JoiningTests {
    @Test(arguments: [2, 3, 8, 32]) func allMeetThroughOneSeed(count: Int) {
        let network = VirtualNetwork(seed: UInt64(count))
        network.addCluster(count)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        #expect(network.nodes[0].swim.members.count == count)
        #expect(network.nodes[0].swim.members.map(\.identity.id) == (1...count).map { NodeID(UInt64($0)) })
    }

    @Test func oneNodeIsAClusterOfOne() {
        let network = VirtualNetwork(seed: 1)
        _ = network.add(VirtualNetwork.identity(1), seeds: ["n1:7000"])
        network.run(forMs: 10_000)
        #expect(network.nodes[0].swim.members.map(\.state) == [.alive])
        #expect(network.nodes[0].sentTo.isEmpty, "its own address among the seeds is not tried")
        #expect(network.nodes[0].changes.isEmpty)
    }

    @Test func aSeedThatComesLateIsFound() {
        let network = VirtualNetwork(seed: 2)
        _ = network.add(VirtualNetwork.identity(2), seeds: ["n1:7000"])
        network.run(forMs: 60_000)
        #expect(network.nodes[0].swim.members.count == 1)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        #expect(network.run(forMs: 1_200) { $0.agrees }, "a seed is tried every second, for ever")
    }

    @Test func knownPeersAreTriedAsSeedsAre() {
        let network = VirtualNetwork(seed: 3)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        _ = network.add(VirtualNetwork.identity(2), seeds: ["gone:7000"], known: ["n1:7000"])
        #expect(network.run(forMs: 1_000) { $0.agrees })
    }

    @Test func aSeedUnderAnotherNameIsNotTriedOnceItsMemberIsKnown() {
        let network = VirtualNetwork(seed: 4)
        network.aliases = [
            (alias: "seed.example:7000", address: "n1:7000"), (alias: "self.example:7000", address: "n2:7000"),
        ]
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        _ = network.add(VirtualNetwork.identity(2), seeds: ["seed.example:7000", "self.example:7000"])
        #expect(network.run(forMs: 1_000) { $0.agrees })
        network.run(forMs: 5_000)
        let tries = network.nodes[1].sentTo.filter { $0.address.hasSuffix("example:7000") }
        #expect(tries.count == 2, "each name is tried once, then known: \(tries)")
    }

    @Test func aDialledSeedIsKnownByItsHandshake() {
        let network = VirtualNetwork(seed: 14)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        _ = network.add(VirtualNetwork.identity(2), seeds: ["seed.example:7000"])
        network.give(.connected(VirtualNetwork.identity(1), address: "seed.example:7000"), to: 1)
        network.run(forMs: 5_000)
        #expect(network.agrees)
        #expect(network.nodes[1].sentTo.filter { $0.address == "seed.example:7000" }.count == 1, "the first try only")
    }

    @Test func gatewaysAndAgentsAreMembersOfTheirRole() {
        let network = VirtualNetwork(seed: 5)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        _ = network.add(VirtualNetwork.identity(2, role: .gateway), seeds: ["n1:7000"])
        #expect(network.run(forMs: 1_000) { $0.agrees })
        #expect(network.nodes[0].swim.members.map(\.identity.role) == [.node, .gateway])
    }

    @Test func aConnectionIsAnIntroduction() {
        let network = VirtualNetwork(seed: 6)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        _ = network.add(VirtualNetwork.identity(2), seeds: [])
        network.give(.connected(VirtualNetwork.identity(2), address: "n2:7000"), to: 0)
        #expect(network.state(of: 2, at: 0) == .alive)
        #expect(network.run(forMs: 100) { $0.agrees })
    }

    @Test func peersWithoutIDOrAddressAreNoMembers() {
        let network = VirtualNetwork(seed: 7)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        network.give(.connected(VirtualNetwork.identity(0), address: "x:1"), to: 0)
        network.give(.connected(VirtualNetwork.identity(5, address: ""), address: "x:1"), to: 0)
        #expect(network.nodes[0].swim.members.count == 1)
    }

    @Test func fullStatesAloneBringEveryoneTogether() {
        var configuration = MembershipConfiguration()
        configuration.gossipPayloadBytesMax = 0
        configuration.gossipFanout = 0
        configuration.pushPullIntervalMs = 1_000
        let network = VirtualNetwork(seed: 8)
        network.addCluster(12, configuration: configuration)
        #expect(network.run(forMs: 30_000) { $0.agrees })
    }

    @Test func aFullTableTakesNoMoreAndCounts() {
        var configuration = MembershipConfiguration()
        configuration.membersMax = 3
        let network = VirtualNetwork(seed: 9)
        _ = network.add(VirtualNetwork.identity(1), seeds: [], configuration: configuration)
        for number in 2...6 {
            network.give(.connected(VirtualNetwork.identity(number), address: "n\(number):7000"), to: 0)
        }
        #expect(network.nodes[0].swim.members.count == 3)
        #expect(network.nodes[0].swim.statistics.membersRefused == 3)
    }

    @Test func seedsBeyondTheBoundAreCounted() {
        var configuration = MembershipConfiguration()
        configuration.seedsMax = 2
        var swim = Swim(
            local: VirtualNetwork.identity(1), configuration: configuration, seeds: ["a:1", "b:1", "c:1"],
            knownPeers: ["d:1"],
            randomSeed: 1)
        let tried = swim.handle(.tick, nowMs: 5).compactMap { output -> String? in
            if case .send(let address, _) = output { address } else { nil }
        }
        #expect(tried == ["a:1", "b:1", "d:1"])
        #expect(swim.statistics.seedsRefused == 1)
    }
}
