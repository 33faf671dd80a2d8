import NodeCore
import Testing
import Wire

@testable import Simulation

/// Ballots from further ahead than clocks may be: of a node whose clock was wrong, and whose own copy has kept them.
@Suite struct ClockAheadTests {
    private let key = Key("k")

    private func ballot(_ lone: LoneNode, inMs ms: UInt64, node: UInt64) -> Ballot {
        Ballot(time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs + ms), node: NodeID(node))
    }

    private func put(_ value: UInt8) -> Message {
        .writeRequest(
            WriteRequest(
                key: key, consistency: .quorum, change: .put(value: [value], ttlMs: nil, condition: .none)))
    }

    /// A copy seen at one replica was proposed anew below its ballot, chosen, overwritten, and then found again.
    @Test func aCopyFromAheadIsSettledWhenItsTimeHasCome() throws {
        var limits = CoreLimits()
        limits.hintBytesMax = 0
        limits.repairIntervalMs = 0
        let cluster = VirtualCluster(count: 3, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        // Its own copy takes what the others refuse.
        cluster.virtualNodes[0].skewMs = 20_000
        cluster.request(1, to: 0, put(7))
        cluster.run(forMs: 3_000)
        cluster.virtualNodes[0].skewMs = 0
        cluster.crash(0)
        cluster.restart(0)
        let ahead = try #require(try cluster.stores[0].register(key).accepted)
        #expect(ahead.ballot.time.milliseconds > cluster.wallMs + 10_000)
        #expect(try cluster.stores[1].register(key).accepted == nil)
        // Each node compares the ranges that it is the first owner of.
        func repair() {
            for node in 0..<3 { cluster.request(100 + node, to: node, .repairRequest(RepairRequest(begin: true))) }
            cluster.run(forMs: 10)
            #expect(
                cluster.run(forMs: 60_000) {
                    cluster.nodes.allSatisfy { $0?.gauges.first { $0.name == "repair_running" }?.value == 0 }
                })
        }
        repair()
        for node in [1, 2] { #expect(try cluster.stores[node].register(key).accepted == nil) }
        // What was put off holds nobody up.
        cluster.request(3, to: 1, .readRequest(ReadRequest(key: key, consistency: .one)))
        #expect(cluster.run(forMs: 1_000) { cluster.answer(of: 3) != nil })
        #expect(
            cluster.run(forMs: 200_000) { cluster.wallMs > ahead.ballot.time.milliseconds })
        repair()
        for store in cluster.stores { #expect(try store.register(key).accepted?.cell == ahead.cell) }
    }

    @Test func anOverwriteIsNotProposedBelowWhatWasSeen() throws {
        var lone = LoneNode()
        let ahead = ballot(lone, inMs: 60_000, node: 2)
        var proposals: [Cell] = []
        // The peers refuse everything for a ballot far ahead: the key is known to be fought over then.
        func play(until client: UInt32) {
            for _ in 0..<1_000 where lone.answer(of: client) == nil {
                for (to, request, message) in lone.takeSent() {
                    switch message {
                    case .replicaRead:
                        lone.answer(request, from: to, .replicaState(ReplicaState(accepted: nil, promised: ahead)))
                    case .accept(let accept):
                        proposals.append(accept.cell)
                        lone.answer(request, from: to, .refused(RefusedReply(promised: ahead, acceptedBallot: .zero)))
                    default:
                        lone.answer(request, from: to, .refused(RefusedReply(promised: ahead, acceptedBallot: .zero)))
                    }
                }
                lone.run(forMs: 10)
            }
        }
        // This node's own copy refuses as well, so that the first attempt was for certain not taken anywhere.
        lone.message(from: NodeID(2), .prepare(Prepare(key: key, ballot: ahead)))
        lone.request(1, put(1))
        play(until: 1)
        // Fought over for a second after each collision: not at every pause.
        #expect(proposals.count <= 3 * LoneNode.peers.count, "\(proposals.count)")
        guard case .error(let error)? = lone.answer(of: 1) else {
            Issue.record("answered \(String(describing: lone.answer(of: 1)))")
            return
        }
        #expect(error.code == .noQuorum)
    }

    /// A node that starts over and over does not put its first ballot off each time.
    @Test func whatARunHasNotUsedIsNotAddedTo() throws {
        let limits = CoreLimits()
        let former = HybridTime(milliseconds: LoneNode.wallOffsetMs + 1_000_000 + 5_000)
        var writer = ByteWriter()
        writer.integer(former.rawValue)
        var lone = LoneNode(limits: limits, facts: [(.ballotCeiling, writer.bytes)])
        func ceilingMs() throws -> UInt64 {
            let bytes = try #require(lone.store.fact(.ballotCeiling))
            return HybridTime(bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }).milliseconds
        }
        lone.message(from: NodeID(2), .prepare(Prepare(key: key, ballot: ballot(lone, inMs: 0, node: 2))))
        lone.request(1, put(1))
        lone.run(forMs: 1_000)
        #expect(try ceilingMs() == former.milliseconds)
        // Before the clock is there, there is room above.
        lone.request(2, put(2))
        lone.run(forMs: 4_200)
        lone.request(3, put(3))
        lone.run(forMs: 500)
        #expect(try ceilingMs() > former.milliseconds)
    }
}
