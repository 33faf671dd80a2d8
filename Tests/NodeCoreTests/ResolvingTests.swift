import NodeCore
import Testing
import Wire

/// What a coordinator does about a write whose acceptance is in doubt, with both peers played by the test.
@Suite struct ResolvingTests {
    private let key = Key("k")

    private func ballot(_ lone: LoneNode, inMs ms: UInt64, node: UInt64 = 2) -> Ballot {
        Ballot(time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs + ms), node: NodeID(node))
    }

    private func put(_ condition: Condition, _ consistency: Consistency = .quorum) -> Message {
        .writeRequest(
            WriteRequest(key: key, consistency: consistency, change: .put(value: [7], ttlMs: nil, condition: condition))
        )
    }

    private func refused(_ promised: Ballot, accepted: Ballot = .zero) -> Message {
        .refused(RefusedReply(promised: promised, acceptedBallot: accepted))
    }

    /// The prepare or accept that was sent to a peer last, after letting time pass until there is one.
    private func next(_ lone: inout LoneNode, to peer: UInt64) throws -> (request: RequestID, message: Message) {
        for _ in 0..<100 where !lone.sent.contains(where: { $0.to == NodeID(peer) }) { lone.run(forMs: 10) }
        let entry = try #require(lone.sent.last { $0.to == NodeID(peer) })
        return (entry.request, entry.message)
    }

    @Test func aConditionIsNotRefusedWhileOursMayStillSurface() throws {
        var lone = LoneNode()
        let old = Cell(version: ballot(lone, inMs: 0), base: nil, content: .value([1]), expiryMs: nil)
        // Only this node has a copy of a write that was given up.
        lone.message(from: NodeID(2), .accept(Accept(key: key, ballot: old.version, cell: old, next: nil)))
        lone.run(forMs: 10)
        lone.request(1, put(.version(old.version)))
        let first = try next(&lone, to: 2)
        guard case .prepare(let prepare) = first.message else { throw Unexpected(first.message) }
        lone.sent = []
        lone.answer(first.request, from: NodeID(2), .promise(ReplicaState(accepted: nil, promised: prepare.ballot)))
        // This node takes the new value; the others refuse it.
        let second = try next(&lone, to: 2)
        guard case .accept = second.message else { throw Unexpected(second.message) }
        let high = ballot(lone, inMs: 300)
        lone.sent = []
        lone.answer(second.request, from: NodeID(2), refused(prepare.ballot))
        lone.answer(second.request, from: NodeID(3), refused(prepare.ballot))
        lone.message(from: NodeID(3), .prepare(Prepare(key: key, ballot: high)))
        // The others know of nothing, and this node's own copy does not answer: somebody else may find it yet.
        let third = try next(&lone, to: 2)
        guard case .prepare(let again) = third.message else { throw Unexpected(third.message) }
        lone.answer(third.request, from: NodeID(2), .promise(ReplicaState(accepted: nil, promised: again.ballot)))
        lone.answer(third.request, from: NodeID(3), .promise(ReplicaState(accepted: nil, promised: again.ballot)))
        guard case .error(let error)? = lone.answer(of: 1) else {
            Issue.record("answered \(String(describing: lone.answer(of: 1)))")
            return
        }
        #expect(error.code == .outcomeUnknown)
    }

    @Test(arguments: [Consistency.one, .any]) func aConditionalChangeNeedsAMajorityAlways(consistency: Consistency)
        throws
    {
        var lone = LoneNode()
        lone.request(1, put(.absent, consistency))
        let first = try next(&lone, to: 2)
        guard case .prepare(let prepare) = first.message else { throw Unexpected(first.message) }
        lone.sent = []
        lone.answer(first.request, from: NodeID(2), .promise(ReplicaState(accepted: nil, promised: prepare.ballot)))
        let second = try next(&lone, to: 2)
        #expect(lone.answer(of: 1) == nil, "one copy does not make a compare-and-set true")
        lone.answer(second.request, from: NodeID(2), .accepted(AcceptedReply(nextPromised: false)))
        #expect(lone.answer(of: 1) != nil)
    }

    private struct Unexpected: Error {
        let message: Message
        init(_ message: Message) { self.message = message }
    }
}
