import NodeCore
import Simulation
import Testing
import Wire

/// Bounds and clocks at their edges.
@Suite struct BoundsTests {
    private func put(_ key: String) -> Message {
        .writeRequest(
            WriteRequest(key: Key(key), consistency: .quorum, change: .put(value: [1], ttlMs: nil, condition: .none)))
    }

    @Test func whatPassesBetweenNodesIsNotTakenFromClients() {
        let ballot = Ballot(time: HybridTime(milliseconds: LoneNode.wallOffsetMs + 9_000_000), node: NodeID(9))
        let partition = PartitionID(topic: TopicID(1), index: 0)
        let messages: [Message] = [
            .prepare(Prepare(key: Key("k"), ballot: ballot)),
            .append(
                Append(
                    partition: partition, epoch: 9, previousEnd: 0, previousEpoch: 0, highWatermark: 0, firstOffset: 0,
                    batches: [])),
        ]
        var lone = LoneNode()
        for (client, message) in zip(UInt32(1)..., messages) {
            lone.request(client, message)
            lone.run(forMs: 100)
            guard case .error(let error)? = lone.answer(of: client) else {
                Issue.record("\(message.type) was taken from a client")
                continue
            }
            #expect(error.code == .invalid)
        }
        #expect(lone.store.recoveredLogs().isEmpty)
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
        #expect(!lone.node.isBusy)
    }

    @Test func partitionsThatNobodyHasAreForgotten() {
        var lone = LoneNode()
        for client in 1...50 as ClosedRange<UInt32> {
            lone.request(
                client,
                .fetch(
                    Fetch(
                        partition: PartitionID(topic: TopicID(UInt64(client % 7)), index: client), offset: 0,
                        bytesMax: 1, waitMs: 0)))
            for (to, request, _) in lone.takeSent() {
                lone.answer(request, from: to, .replicaState(ReplicaState(accepted: nil, promised: .zero)))
            }
            guard case .error(let error)? = lone.answer(of: client) else {
                Issue.record("answered \(String(describing: lone.answer(of: client)))")
                continue
            }
            #expect(error.code == .unknownTopic)
        }
        #expect(lone.node.partitionCount == 0)
    }

    @Test func aMergedListingFitsAFrame() throws {
        var lone = LoneNode()
        let value = [UInt8](repeating: 1, count: 2 << 20)
        func accepted(_ node: NodeID) -> AcceptedCell {
            let ballot = Ballot(time: HybridTime(1), node: node)
            return AcceptedCell(
                ballot: ballot, cell: Cell(version: ballot, base: nil, content: .value(value), expiryMs: nil))
        }
        // Each member has keys that the other has not: together they are 12 MiB.
        for index in 0..<3 {
            let own = accepted(NodeID(1))
            lone.message(
                from: NodeID(2), .accept(Accept(key: Key("\(index)-1"), ballot: own.ballot, cell: own.cell, next: nil)))
        }
        lone.request(1, .scanRequest(ScanRequest(prefix: [], after: [], limit: 1_000, keysOnly: false)))
        let scan = try #require(lone.takeSent().first { $0.to == NodeID(2) })
        let items = (0..<3).map { ReplicaPage.Item(key: Key("\($0)-2"), accepted: accepted(NodeID(2))) }
        lone.answer(scan.request, from: NodeID(2), .replicaPage(ReplicaPage(items: items, hasMore: false)))
        // The keys that differ are read, and written back.
        for _ in 0..<100 where lone.answer(of: 1) == nil {
            for (to, request, message) in lone.takeSent() {
                if case .replicaRead(let read) = message {
                    let has = read.key.bytes.last == UInt8(ascii: "2")
                    lone.answer(
                        request, from: to,
                        .replicaState(ReplicaState(accepted: has ? accepted(to) : nil, promised: .zero)))
                } else {
                    lone.answer(request, from: to, .accepted(AcceptedReply(nextPromised: false)))
                }
            }
            lone.run(forMs: 10)
        }
        guard case .scanAnswer(let page)? = lone.answer(of: 1) else {
            Issue.record("answered \(String(describing: lone.answer(of: 1)))")
            return
        }
        #expect(page.items.map(\.key) == ["0-1", "0-2", "1-1", "1-2"].map { Key($0) })
        #expect(page.resumeAfter == Key("1-2").bytes)
    }
}
