import NodeCore
import Testing
import Wire

/// What a primary makes of answers that come late or not at all.
@Suite struct ShippingTests {
    private let partition = PartitionID(topic: TopicID(1), index: 0)

    /// Node 1 as primary of epoch 1 with batches of two records each in its log, and room for one batch on its way.
    private func primary(batches: Int) throws -> LoneNode {
        var limits = CoreLimits()
        limits.appendWindowBytes = 1
        var lone = LoneNode(limits: limits)
        let replicas = [NodeID(1)] + LoneNode.peers
        let configuration = PartitionConfiguration(
            topic: "t", epoch: 0, primary: NodeID(1), replicas: replicas,
            inSync: replicas.map { LogMember.first($0, of: partition) }, minInSync: 2)
        let ballot = Ballot(time: HybridTime(milliseconds: 1), node: NodeID(2))
        let cell = Cell(version: ballot, base: nil, content: .value(configuration.encoded), expiryMs: nil)
        let state = ReplicaState(accepted: AcceptedCell(ballot: ballot, cell: cell), promised: ballot)
        lone.request(1, .fetch(Fetch(partition: partition, offset: 0, bytesMax: 1, waitMs: 0)))
        for _ in 0..<100 where lone.answer(of: 1) == nil {
            for sent in lone.takeSent() {
                switch sent.message {
                case .replicaRead: lone.answer(sent.request, from: sent.to, .replicaState(state))
                case .prepare(let body):
                    let promise = ReplicaState(accepted: state.accepted, promised: body.ballot)
                    lone.answer(sent.request, from: sent.to, .promise(promise))
                case .accept: lone.answer(sent.request, from: sent.to, .accepted(AcceptedReply(nextPromised: false)))
                default: break
                }
            }
            lone.run(forMs: 10)
        }
        for peer in LoneNode.peers { lone.message(from: peer, answer(peer, matched: true, 0)) }
        let records = [1, 2].map { Record(key: nil, value: [$0], timestampMs: 0) }
        for client in 0..<batches {
            let batch = try RecordBatch(records: records)
            lone.request(2 + UInt32(client), .produce(Produce(partition: partition, batch: batch)))
        }
        _ = lone.takeSent()
        return lone
    }

    private func answer(_ peer: NodeID, matched: Bool, _ end: Offset) -> Message {
        let logID = LogMember.first(peer, of: partition).logID
        return .appended(Appended(partition: partition, epoch: 1, logID: logID, matched: matched, end: end))
    }

    private func appends(_ lone: inout LoneNode, to peer: NodeID) -> [Append] {
        lone.takeSent().compactMap { sent in
            if sent.to == peer, case .append(let append) = sent.message { append } else { nil }
        }
    }

    /// A follower acknowledges whole batches, or the high watermark would come to stand in the middle of one.
    @Test func theSearchForWhereLogsAgreeCutsNoBatchInTwo() throws {
        var lone = try primary(batches: 1)
        let peer = NodeID(2)
        lone.message(from: peer, answer(peer, matched: false, 1))
        let places = appends(&lone, to: peer).map(\.previousEnd)
        #expect(places == [0], "one of the two records of a batch is asked for: \(places)")
    }

    /// An answer that was held up says that an earlier place matched. What is sent from there on and lost must be sent again.
    @Test func whatIsLostAfterALateAnswerIsSentAgain() throws {
        var lone = try primary(batches: 2)
        let peer = NodeID(2)
        lone.message(from: peer, answer(peer, matched: true, 4))
        lone.message(from: peer, answer(peer, matched: false, 4))
        lone.message(from: peer, answer(peer, matched: true, 0))
        _ = lone.takeSent()
        lone.run(forMs: 3_000)
        let sent = appends(&lone, to: peer)
        #expect(!sent.isEmpty, "nothing is sent to a follower any more when what went to it was lost")
        #expect(sent.allSatisfy { $0.previousEnd == 4 }, "what was acknowledged is sent again")
    }
}
