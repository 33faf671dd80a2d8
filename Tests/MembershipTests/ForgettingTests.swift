import Testing
import Wire

@testable import Membership

@Suite struct ForgettingTests {
    private func cluster(_ count: Int, seed: UInt64, configuration: MembershipConfiguration = MembershipConfiguration())
        -> VirtualNetwork
    {
        let network = VirtualNetwork(seed: seed)
        network.addCluster(count, configuration: configuration)
        let joined = network.run(forMs: 5_000) { $0.agrees }
        precondition(joined, "the cluster did not come together")
        return network
    }

    /// Kills a node and waits until the others know.
    private func bury(_ index: Int, in network: VirtualNetwork) {
        let id = network.nodes[index].swim.local.id
        network.kill(index, hint: true)
        let isKnown = network.run(forMs: 20_000) { network in
            network.nodes.allSatisfy { !$0.isUp || $0.swim.state(of: id) == .dead }
        }
        precondition(isKnown, "the death was not noticed")
        // Pings on behalf of others are still under way for a moment.
        network.run(forMs: 1_000)
    }

    private func isUnknown(_ number: Int, in network: VirtualNetwork) -> Bool {
        network.nodes.indices.allSatisfy { !network.nodes[$0].isUp || network.state(of: number, at: $0) == nil }
    }

    @Test(arguments: [0, 200]) func aDeadMemberIsForgottenEverywhere(lossPerMille: Int) {
        let network = cluster(6, seed: 1)
        bury(5, in: network)
        network.lossPerMille = lossPerMille
        network.give(.forget(NodeID(6)), to: 0)
        #expect(network.state(of: 6, at: 0) == nil)
        // At once where nothing is lost; with the next exchange of states where everything about it was.
        #expect(network.run(forMs: lossPerMille == 0 ? 10 : 60_000) { isUnknown(6, in: $0) })
        let forgottenMs = network.nowMs
        for index in 0..<5 {
            #expect(network.nodes[index].forgotten.map(\.identity.id) == [NodeID(6)])
            #expect(network.nodes[index].swim.statistics.forgotten == 1)
        }
        network.run(forMs: 60_000)
        #expect(isUnknown(6, in: network), "full states do not bring it back")
        #expect(
            network.nodes[0..<5].allSatisfy { node in
                !node.sentTo.contains { $0.address == "n6:7000" && $0.atMs > forgottenMs }
            }, "and nobody tries it any more")
    }

    @Test func aMemberThatLeftIsForgotten() {
        let network = cluster(3, seed: 2)
        network.give(.leave, to: 2)
        network.run(forMs: 20)
        #expect(network.state(of: 3, at: 0) == .left)
        network.give(.forget(NodeID(3)), to: 1)
        #expect(network.run(forMs: 10) { $0.state(of: 3, at: 0) == nil && $0.state(of: 3, at: 1) == nil })
    }

    @Test func oldGossipDoesNotBringAMemberBack() {
        let network = cluster(5, seed: 3)
        bury(4, in: network)
        // Node 4 is cut off while the word is given, and comes back with its old table.
        network.isCut = { from, to in (from == "n4:7000") != (to == "n4:7000") }
        network.give(.forget(NodeID(5)), to: 0)
        network.run(forMs: 30_000)
        #expect(network.state(of: 5, at: 3) == .dead && network.state(of: 4, at: 0) == .dead)
        let healedMs = network.nowMs
        network.isCut = { _, _ in false }
        #expect(network.run(forMs: 5_000) { isUnknown(5, in: $0) && $0.agrees })
        network.run(forMs: 60_000)
        #expect(isUnknown(5, in: network))
        for index in 0..<3 {
            #expect(
                !network.nodes[index].changes.contains { $0.member.identity.id == NodeID(5) && $0.atMs > healedMs })
        }
    }

    @Test func whoeverLivesIsNotForgotten() {
        let network = cluster(3, seed: 4)
        network.give(.forget(NodeID(2)), to: 0)
        network.pause(2)
        #expect(network.run(forMs: 3_000) { $0.state(of: 3, at: 0) == .suspect })
        network.give(.forget(NodeID(3)), to: 0)
        network.give(.forget(NodeID(1)), to: 0)
        network.give(.forget(NodeID(77)), to: 0)
        let refusals = network.nodes[0].refusals
        guard refusals.count == 4, case .present(let alive) = refusals[0], case .present(let suspect) = refusals[1]
        else {
            Issue.record("\(refusals)")
            return
        }
        #expect(alive.identity.id == NodeID(2) && alive.state == .alive)
        #expect(suspect.identity.id == NodeID(3) && suspect.state == .suspect)
        #expect(refusals[2] == .local(name: "n1") && refusals[3] == .unknown(NodeID(77)))
        #expect("\(refusals[0])".contains("n2") && "\(refusals[0])".contains("is alive"))
        #expect("\(refusals[0])".contains("stop it"), "it says what to do")
        #expect("\(refusals[3])".contains(NodeID(77).description))
        #expect(network.nodes[0].swim.statistics.forgetsRefused == 4)
        #expect(network.nodes.allSatisfy { $0.swim.members.count == 3 })
    }

    @Test func aForgottenMemberMayBeForgottenAgain() {
        let network = cluster(3, seed: 5)
        bury(2, in: network)
        for _ in 0..<2 { network.give(.forget(NodeID(3)), to: 0) }
        #expect(network.nodes[0].refusals.isEmpty && network.nodes[0].forgotten.count == 1)
    }

    @Test func aForgottenNodeThatStartsAgainIsTakenIn() {
        let network = cluster(4, seed: 6)
        bury(3, in: network)
        network.give(.forget(NodeID(4)), to: 0)
        #expect(network.run(forMs: 1_000) { isUnknown(4, in: $0) })
        let back = network.add(VirtualNetwork.identity(4, incarnation: 2), seeds: ["n1:7000"])
        #expect(network.run(forMs: 2_000) { $0.agrees })
        network.run(forMs: 60_000)
        #expect(network.agrees, "the word has ended")
        bury(back, in: network)
        network.give(.forget(NodeID(4)), to: 1)
        #expect(network.run(forMs: 1_000) { isUnknown(4, in: $0) }, "and can be given again")
    }

    /// It never stopped: nobody could have known. It hears the word, raises its incarnation, and is a member again.
    @Test func aForgottenNodeThatWasOnlyCutOffComesBack() {
        let network = cluster(4, seed: 7)
        network.isCut = { from, to in (from == "n4:7000") != (to == "n4:7000") }
        #expect(network.run(forMs: 20_000) { network in (0...2).allSatisfy { network.state(of: 4, at: $0) == .dead } })
        network.give(.forget(NodeID(4)), to: 0)
        #expect(network.run(forMs: 1_000) { network in (0...2).allSatisfy { network.state(of: 4, at: $0) == nil } })
        network.isCut = { _, _ in false }
        #expect(network.run(forMs: 5_000) { $0.agrees })
        #expect(network.nodes[3].swim.local.incarnation > 1)
    }

    @Test func aWordAboutALivingMemberIsRefuted() {
        let network = cluster(5, seed: 8)
        let word = MembershipMessage(
            sender: network.nodes[1].swim.local,
            content: .forget([ForgottenMember(id: NodeID(4), incarnation: 1, ageMs: 0)]), updates: [])
        network.give(.received(from: NodeID(2), bytes: word.encoded()), to: 0)
        #expect(network.state(of: 4, at: 0) == .suspect)
        #expect(network.run(forMs: 1_000) { $0.agrees })
        network.run(forMs: 20_000)
        #expect(network.agrees && network.accusations([.dead]) == 0)
    }

    @Test func aWordAboutOneThatIsNotYetKnownToBeDeadEndsWithItsDeath() {
        let network = cluster(5, seed: 9)
        network.kill(3, hint: false)
        let word = MembershipMessage(
            sender: network.nodes[1].swim.local,
            content: .forget([ForgottenMember(id: NodeID(4), incarnation: 1, ageMs: 0)]), updates: [])
        network.give(.received(from: NodeID(2), bytes: word.encoded()), to: 0)
        #expect(network.run(forMs: 20_000) { isUnknown(4, in: $0) })
    }

    @Test func aWordAboutAnOlderLifeIsPassedOver() {
        let network = VirtualNetwork(seed: 10)
        for number in 1...3 { _ = network.add(VirtualNetwork.identity(number, incarnation: 9), seeds: ["n1:7000"]) }
        #expect(network.run(forMs: 2_000) { $0.agrees })
        let word = MembershipMessage(
            sender: network.nodes[1].swim.local,
            content: .forget([ForgottenMember(id: NodeID(3), incarnation: 8, ageMs: 0)]), updates: [])
        network.give(.received(from: NodeID(2), bytes: word.encoded()), to: 0)
        network.run(forMs: 1_000)
        #expect(network.agrees && network.accusations([.suspect]) == 0)
    }

    @Test func aWordDoesNotLiveForEver() {
        var configuration = MembershipConfiguration()
        configuration.forgottenKeepMs = 30_000
        let network = cluster(3, seed: 11, configuration: configuration)
        bury(2, in: network)
        network.give(.forget(NodeID(3)), to: 0)
        let claim = MembershipMessage(
            sender: network.nodes[1].swim.local, content: .gossip,
            updates: [MembershipUpdate(state: .alive, identity: VirtualNetwork.identity(3), source: NodeID(3))])
        network.run(forMs: 25_000)
        network.give(.received(from: NodeID(2), bytes: claim.encoded()), to: 0)
        #expect(network.state(of: 3, at: 0) == nil)
        // The exchanges of states in between have not made it younger.
        network.run(forMs: 20_000)
        network.give(.received(from: NodeID(2), bytes: claim.encoded()), to: 0)
        #expect(network.state(of: 3, at: 0) != nil)
        #expect(network.nodes[0].swim.statistics.forgottenDropped == 0)
    }

    @Test func wordsBeyondTheBoundAreDroppedAndCounted() {
        var configuration = MembershipConfiguration()
        configuration.forgottenMax = 2
        let network = cluster(5, seed: 12, configuration: configuration)
        for index in [4, 3, 2] {
            bury(index, in: network)
            network.give(.forget(NodeID(UInt64(index + 1))), to: 0)
        }
        #expect(network.run(forMs: 100) { isUnknown(3, in: $0) })
        #expect(network.nodes[0].swim.statistics.forgottenDropped == 1)
        #expect(network.nodes[1].swim.statistics.forgottenDropped == 1)
        #expect(network.nodes[0].swim.forgotten.incarnation(of: NodeID(5)) == nil, "the oldest")
        #expect(network.nodes[0].swim.forgotten.incarnation(of: NodeID(4)) == 1)
    }

    @Test func aKnownPeerThatIsForgottenIsNotTriedAnyMore() {
        let network = VirtualNetwork(seed: 13)
        _ = network.add(VirtualNetwork.identity(1), seeds: [], known: ["n2:7000", "n3:7000"])
        _ = network.add(VirtualNetwork.identity(2), seeds: [])
        _ = network.add(VirtualNetwork.identity(3), seeds: [])
        #expect(network.run(forMs: 2_000) { $0.agrees })
        bury(2, in: network)
        network.give(.forget(NodeID(3)), to: 0)
        let startMs = network.nowMs
        network.run(forMs: 30_000)
        #expect(!network.nodes[0].sentTo.contains { $0.address == "n3:7000" && $0.atMs > startMs })
    }

    @Test func wordsKeepTheirAgeOnTheWay() {
        var words = ForgottenMembers()
        func add(_ id: UInt64, incarnation: UInt64, ageMs: UInt64, nowMs: UInt64 = 2_000) -> Bool {
            words.add(
                ForgottenMember(id: NodeID(id), incarnation: incarnation, ageMs: ageMs), keepMs: 1_000, nowMs: nowMs)
        }
        func trim(to count: Int, nowMs: UInt64) -> Int { words.trim(to: count, nowMs: nowMs) }
        #expect(add(1, incarnation: 5, ageMs: 400))
        #expect(!add(1, incarnation: 5, ageMs: 0))
        #expect(!add(2, incarnation: 5, ageMs: 1_000))
        #expect(add(3, incarnation: 1, ageMs: 900))
        let told = words.travelling(keepMs: 1_000, nowMs: 2_050)
        #expect(told.map(\.id.rawValue) == [3, 1], "those that end first come first")
        #expect(told.map(\.ageMs) == [950, 450])
        #expect(trim(to: 9, nowMs: 2_100) == 0)
        #expect(words.incarnation(of: NodeID(3)) == nil)
        #expect(add(1, incarnation: 6, ageMs: 0, nowMs: 2_200))
        #expect(words.travelling(keepMs: 1_000, nowMs: 2_200, only: NodeID(1)).map(\.incarnation) == [6])
        #expect(trim(to: 0, nowMs: 2_200) == 1)
        #expect(words.isEmpty)
    }
}
