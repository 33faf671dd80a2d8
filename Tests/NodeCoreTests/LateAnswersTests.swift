import NodeCore
import Testing
import Wire

/// A replica that was held up answers late; its answers must not be taken for answers to other operations.
@Suite struct LateAnswersTests {
    @Test func anAnswerIsNotTakenForAnotherOperations() throws {
        var lone = LoneNode()
        var held: [RequestID] = []
        for client in 1...5_000 as ClosedRange<UInt32> {
            lone.request(
                client,
                .writeRequest(
                    WriteRequest(
                        key: Key("k\(client)"), consistency: .quorum,
                        change: .put(value: [1], ttlMs: nil, condition: .none))))
            let sent = lone.takeSent()
            let slow = try #require(sent.first { $0.to == NodeID(3) })
            // The answers of node 3 to all former operations arrive just now; node 2 has not answered yet.
            if client % 1_024 == 1 || client > 4_990 {
                for request in held.suffix(1_100) {
                    lone.answer(request, from: NodeID(3), .accepted(AcceptedReply(nextPromised: false)))
                }
                #expect(
                    lone.answer(of: client) == nil,
                    "write \(client) was acknowledged by one copy and a late answer to another write")
            }
            held.append(slow.request)
            let quick = try #require(sent.first { $0.to == NodeID(2) })
            lone.answer(quick.request, from: NodeID(2), .accepted(AcceptedReply(nextPromised: false)))
            #expect(lone.answer(of: client) != nil)
        }
        #expect(Set(held).count == held.count, "request ids were used twice")
    }
}
