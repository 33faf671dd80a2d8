import NodeCore
import Simulation
import Testing
import Wire

/// Votes that may be lost again are no votes, and a ring that is there is found.
@Suite struct FoundingTests {
    private func identity(_ id: UInt64) -> PeerIdentity {
        PeerIdentity(role: .node, id: NodeID(id), name: "n\(id)", incarnation: 1, address: "n\(id):1")
    }

    private func node(_ id: UInt64, expect: Int, sees: [UInt64]) -> (Node<MemoryStore>, MemoryStore) {
        let store = MemoryStore()
        var limits = CoreLimits()
        limits.bootstrapExpect = expect
        var node = Node(
            identity: identity(id), clusterName: "test", limits: limits, store: store, time: time(0), randomSeed: 1)
        for other in sees { node.handle(.member(MemberInfo(identity: identity(other), state: .alive)), at: time(0)) }
        for other in sees where other != id { node.handle(.peerUp(NodeID(other)), at: time(0)) }
        return (node, store)
    }

    private func time(_ ms: UInt64) -> NodeTime { NodeTime(wallMs: 1_700_000_000_000 + ms, monotonicMs: 1_000 + ms) }

    private func sent(_ node: inout Node<MemoryStore>) -> [(NodeID, Message)] {
        defer { node.outputs = [] }
        return node.outputs.compactMap { if case .send(let to, _, let message) = $0 { (to, message) } else { nil } }
    }

    private func request(_ message: Message) -> NodeInput {
        .request(
            ChannelID(1), peer: NodeID(1),
            FrameHeader(
                type: message.type, requestID: .oneWay, time: HybridTime(milliseconds: 1_700_000_000_000), epoch: .none),
            message)
    }

    @Test func aVoteIsToldWhenItIsDurableAlsoTheSecondTime() throws {
        var (first, firstStore) = node(1, expect: 2, sees: [1, 2])
        first.handle(.tick, at: time(0))
        #expect(first.ring == nil)
        first.handle(.durable(firstStore.sync()), at: time(1))
        first.handle(.tick, at: time(10))
        let found = try #require(sent(&first).first { if case .found = $0.1 { true } else { false } }?.1)
        var (second, store) = node(2, expect: 2, sees: [1, 2])
        second.handle(request(found), at: time(20))
        second.handle(request(found), at: time(21))
        #expect(sent(&second).isEmpty, "a vote left before its sync")
        second.handle(.durable(store.sync()), at: time(22))
        #expect(sent(&second).count == 2)
    }

    @Test func theCollectorCountsItsOwnVoteWhenItIsDurable() {
        var (lone, store) = node(1, expect: 1, sees: [1])
        lone.handle(.tick, at: time(0))
        lone.handle(.tick, at: time(300))
        #expect(lone.ring == nil)
        lone.handle(.durable(store.sync()), at: time(301))
        lone.handle(.tick, at: time(310))
        #expect(lone.ring != nil)
    }

    @Test func aNodeThatIsNoFounderAsksForTheRing() throws {
        var (founder, founderStore) = node(1, expect: 1, sees: [1])
        founder.handle(.tick, at: time(0))
        founder.handle(.durable(founderStore.sync()), at: time(1))
        founder.handle(.tick, at: time(10))
        _ = sent(&founder)
        // Node 9 expects three founders and sees only two nodes.
        var (late, _) = node(9, expect: 3, sees: [1, 9])
        late.handle(.tick, at: time(20))
        let question = try #require(sent(&late).first { $0.0 == NodeID(1) }?.1)
        founder.handle(request(question), at: time(21))
        let answer = try #require(sent(&founder).first?.1)
        late.handle(request(answer), at: time(22))
        #expect(late.ring != nil)
        #expect(late.ring == founder.ring)
    }
}
