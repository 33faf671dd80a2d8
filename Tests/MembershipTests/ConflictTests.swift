import Membership
import Testing
import Wire

@Suite struct ConflictTests {
    @Test func twoNodesOfOneIDBothReport() {
        let network = VirtualNetwork(seed: 1)
        network.addCluster(3)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        let twin = network.add(
            VirtualNetwork.identity(3, incarnation: 500, address: "other:7000", name: "copy"), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { !$0.nodes[2].conflicts.isEmpty && !$0.nodes[twin].conflicts.isEmpty })
        network.run(forMs: 30_000)
        for index in [2, twin] {
            #expect(network.nodes[index].conflicts.count == 1, "one line: \(network.nodes[index].conflicts)")
            let line = network.nodes[index].conflicts.first ?? ""
            #expect(line.contains(NodeID(3).description) && line.contains("n3:7000") && line.contains("other:7000"))
            #expect(!line.contains("\n"))
        }
        #expect(network.nodes[0].conflicts.isEmpty && network.nodes[1].conflicts.isEmpty)
    }

    @Test func twoNodesOfOneNameBothReport() {
        let network = VirtualNetwork(seed: 2)
        network.addCluster(3)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        let twin = network.add(VirtualNetwork.identity(9, name: "n3"), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { !$0.nodes[2].conflicts.isEmpty && !$0.nodes[twin].conflicts.isEmpty })
        network.run(forMs: 30_000)
        #expect(network.nodes.map(\.conflicts.count) == [0, 0, 1, 1])
        #expect(network.nodes[2].conflicts[0].contains("name n3"))
    }

    @Test func aReplacementAtTheSameAddressIsNoConflict() {
        let network = VirtualNetwork(seed: 3)
        network.addCluster(3)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        network.kill(2, hint: false)
        // It lost its id with its disk: same name, same address, another id.
        _ = network.add(VirtualNetwork.identity(33, address: "n3:7000", name: "n3"), seeds: ["n1:7000"])
        #expect(network.run(forMs: 20_000) { $0.state(of: 3, at: 0) == .dead && $0.agrees })
        #expect(network.nodes.allSatisfy { $0.conflicts.isEmpty })
    }

    @Test func aSenderThatIsNotWhoTheHandshakeSaidIsRefused() {
        let network = VirtualNetwork(seed: 4)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        let message = MembershipMessage(sender: VirtualNetwork.identity(2), content: .gossip, updates: [])
        network.give(.received(from: NodeID(3), bytes: message.encoded()), to: 0)
        #expect(network.nodes[0].swim.members.count == 1)
        #expect(network.nodes[0].swim.statistics.sendersRefused == 1)
        network.give(.received(from: nil, bytes: message.encoded()), to: 0)
        #expect(network.nodes[0].swim.members.count == 2)
    }

    @Test func anUnanswerableIncarnationIsRefused() {
        let network = VirtualNetwork(seed: 5)
        _ = network.add(VirtualNetwork.identity(1), seeds: [])
        for incarnation in [MembershipUpdate.incarnationMax, .max] {
            let claim = MembershipUpdate(
                state: .dead, identity: VirtualNetwork.identity(1, incarnation: incarnation), source: NodeID(2))
            let message = MembershipMessage(sender: VirtualNetwork.identity(2), content: .gossip, updates: [claim])
            network.give(.received(from: nil, bytes: message.encoded()), to: 0)
        }
        #expect(network.nodes[0].swim.local.incarnation == 1)
        #expect(network.nodes[0].swim.statistics.decodeErrors == 1)
    }
}
