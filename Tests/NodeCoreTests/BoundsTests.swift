import NodeCore
import Testing
import Wire

/// Bounds and clocks at their edges.
@Suite struct BoundsTests {
    private func put(_ key: String) -> Message {
        .writeRequest(WriteRequest(key: Key(key), consistency: .quorum, change: .put(value: [1], ttlMs: nil, condition: .none)))
    }

    @Test func theBallotCeilingIsNotLoweredByAClockThatWasSetBack() throws {
        let former = HybridTime(milliseconds: LoneNode.wallOffsetMs + 2_000_000)
        var writer = ByteWriter()
        writer.integer(former.rawValue)
        var lone = LoneNode(facts: [(.ballotCeiling, writer.bytes)])
        lone.request(1, put("k"))
        lone.run(forMs: 3_000)
        let bytes = try #require(lone.store.fact(.ballotCeiling))
        let ceiling = HybridTime(bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
        #expect(ceiling.milliseconds >= former.milliseconds)
    }

    @Test func aLongQueueEndsWithoutDepth() {
        var limits = CoreLimits()
        limits.operationsMax = 16_384
        var lone = LoneNode(limits: limits)
        for client in 1...8_000 as ClosedRange<UInt32> { lone.request(client, put("k")) }
        #expect(lone.answers.isEmpty)
        // The first ends by its acknowledgement, all behind it as soon as they run, since no majority can be reached.
        let request = lone.takeSent()[0].request
        lone.input(.peerDown(NodeID(3)))
        lone.answer(request, from: NodeID(2), .accepted(AcceptedReply(nextPromised: false)))
        lone.input(.peerDown(NodeID(2)))
        lone.run(forMs: 3_000)
        #expect(lone.answers.count == 8_000)
        #expect(lone.node.load.operations == 0)
    }
}
