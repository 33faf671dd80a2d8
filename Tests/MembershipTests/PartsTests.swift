import Testing
import Wire

@testable import Membership

@Suite struct PartsTests {
    @Test func logarithmsAreRight() {
        // log2 in 65,536ths, by hand: exact for powers of two, cut (not rounded) for others.
        #expect(binaryLogarithm(1) == 0)
        #expect(binaryLogarithm(2) == 65_536)
        #expect(binaryLogarithm(1_024) == 655_360)
        #expect(binaryLogarithm(3) == 103_872)  // 1.5849625 × 65,536 = 103,872.1
        #expect(binaryLogarithm(10) == 217_705)  // 3.3219281 × 65,536 = 217,705.9
        #expect(binaryLogarithm(.max) >> 16 == 62)
    }

    @Test func theShortestSuspicionIsFourTimesTheLogarithmInProbes() {
        let configuration = MembershipConfiguration()
        // 4 × log10(n + 1) × 200 ms, by hand.
        for (members, expected) in [(2, 381.7), (3, 481.6), (9, 800.0), (99, 1_600.0), (999, 2_400.0)] {
            let found = Double(configuration.suspicionMinMs(members: members))
            #expect(abs(found - expected) < 1, "\(members): \(found)")
        }
        #expect(configuration.suspicionMaxMs(members: 4) == configuration.suspicionMinMs(members: 4))
        #expect(configuration.suspicionMaxMs(members: 5) == 6 * configuration.suspicionMinMs(members: 5))
    }

    @Test func largeClustersExchangeStatesMoreSeldom() {
        let configuration = MembershipConfiguration()
        for (members, seconds) in [(1, 10), (32, 10), (33, 20), (64, 20), (65, 30), (1_000, 60)] as [(Int, UInt64)] {
            #expect(configuration.pushPullMs(members: members) == seconds * 1_000, "\(members)")
        }
    }

    @Test func randomMembersAreDistinctAndFoundHoweverRare() {
        var swim = Swim(local: VirtualNetwork.identity(1), seeds: [], randomSeed: 7)
        for number in 2...200 {
            let state: MemberState = [50, 90, 130].contains(number) ? .alive : .dead
            swim.table.set(MembershipMember(identity: VirtualNetwork.identity(number), state: state, sinceMs: 0))
        }
        func draw(_ count: Int, where isWanted: (MembershipMember) -> Bool) -> [UInt64] {
            swim.randomMembers(count, where: isWanted).map(\.identity.id.rawValue)
        }
        for count in 0...4 {
            let found = draw(count) { $0.state == .alive }
            #expect(Set(found).count == min(count, 3) && Set(found).isSubset(of: [50, 90, 130]))
            #expect(found.count == min(count, 3))
        }
        var times: [UInt64: Int] = [:]
        for _ in 0..<3_000 { for id in draw(1, where: { $0.state == .alive }) { times[id, default: 0] += 1 } }
        #expect([50, 90, 130].allSatisfy { (900...1_100).contains(times[$0] ?? 0) }, "\(times)")
    }

    @Test func confirmationsShortenASuspicion() {
        let configuration = MembershipConfiguration()
        var suspicion = Suspicion(of: NodeID(9), by: NodeID(1), members: 9, configuration: configuration, nowMs: 1_000)
        let minMs = configuration.suspicionMinMs(members: 9)
        #expect(suspicion.deadlineMs == 1_000 + 6 * minMs)
        func confirm(_ accuser: UInt64) -> Bool { suspicion.confirm(by: NodeID(accuser)) }
        #expect(!confirm(1), "the first accuser confirms nothing")
        #expect(confirm(2))
        // One of three: log(2) / log(4) is a half.
        #expect(abs(Int(suspicion.deadlineMs) - Int(1_000 + minMs * 7 / 2)) <= 1)
        #expect(!confirm(2))
        #expect(confirm(3))
        #expect(confirm(4))
        #expect(suspicion.deadlineMs == 1_000 + minMs)
        #expect(!confirm(5), "there are enough")
    }

    @Test func newsIsRepeatedToItsLimitNewestFirst() {
        var members = MemberTable()
        for number in 1...3 {
            members.set(MembershipMember(identity: VirtualNetwork.identity(number), state: .alive, sinceMs: 0))
        }
        var queue = GossipQueue()
        queue.add(NodeID(1), source: NodeID(1))
        queue.add(NodeID(2), source: NodeID(2))
        queue.add(NodeID(1), source: NodeID(1))
        let one = 32 + 2 + 7
        func takeUpdates(_ bytes: Int, limit: Int) -> [MembershipUpdate] {
            queue.take(bytesMax: bytes, limit: limit, members: members)
        }
        func take(_ bytes: Int) -> [UInt64] { takeUpdates(bytes, limit: 2).map(\.identity.id.rawValue) }
        #expect(take(one) == [1])
        #expect(take(one) == [2])
        #expect(take(2 * one) == [1, 2])
        #expect(queue.isEmpty)
        queue.add(NodeID(3), source: NodeID(1))
        queue.add(NodeID(3), source: NodeID(2), isConfirmation: true)
        #expect(takeUpdates(1_000, limit: 1).map(\.source.rawValue) == [2, 1])
        queue.add(NodeID(3), source: NodeID(1))
        queue.add(NodeID(3), source: NodeID(2))
        #expect(takeUpdates(1_000, limit: 1).map(\.source.rawValue) == [2])
    }

    @Test func localHealthStaysWithinItsBounds() {
        var health = LocalHealth(max: 3)
        health.better()
        #expect(health.factor == 1)
        health.worse(by: 2)
        health.worse(by: 2)
        #expect(health.score == 3 && health.factor == 4)
        health.better()
        #expect(health.score == 2)
    }

    @Test func aTroubledNodeDoubtsItself() {
        let network = VirtualNetwork(seed: 1)
        network.addCluster(6)
        #expect(network.run(forMs: 2_000) { $0.agrees })
        // Node 1 hears nobody any more.
        network.isCut = { _, to in to == "n1:7000" }
        network.run(forMs: 2_000)
        #expect(network.nodes[0].swim.localHealthScore >= 4)
        #expect(network.nodes[1].swim.localHealthScore == 0)
        network.isCut = { _, _ in false }
        #expect(network.run(forMs: 30_000) { $0.agrees && $0.nodes[0].swim.localHealthScore == 0 })
    }

    @Test func membersAreFoundByID() {
        var table = MemberTable()
        for number in [5, 1, 9, 3] {
            table.set(MembershipMember(identity: VirtualNetwork.identity(number), state: .alive, sinceMs: 0))
        }
        #expect(table.members.map(\.identity.id.rawValue) == [1, 3, 5, 9])
        table.set(MembershipMember(identity: VirtualNetwork.identity(3), state: .dead, sinceMs: 0))
        #expect(table.presentCount == 3 && table.members.count == 4)
        #expect(table[NodeID(4)] == nil && table[NodeID(3)]?.state == .dead)
        table.remove(NodeID(3))
        table.remove(NodeID(4))
        #expect(table.presentCount == 3 && table.members.count == 3)
    }
}
