import NodeCore
import Simulation
import Testing
import Wire

/// What a replica misses is kept by the coordinator and reaches it when it is back.
@Suite struct HintsTests {
    private static let prefix: [UInt8] = [0, 0] + Array("h".utf8)

    private func cluster(_ count: Int = 3, limits: CoreLimits = CoreLimits()) -> VirtualCluster {
        let cluster = VirtualCluster(count: count, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        return cluster
    }

    private func put(_ key: String, _ value: String, _ consistency: Consistency = .quorum, ttlMs: UInt64? = nil)
        -> Message
    {
        .writeRequest(
            WriteRequest(
                key: Key(key), consistency: consistency,
                change: .put(value: Array(value.utf8), ttlMs: ttlMs, condition: .none)))
    }

    /// Writes and waits for the answer; says whether it was applied.
    @discardableResult
    private func write(_ cluster: VirtualCluster, _ client: Int, to node: Int, _ message: Message) -> Bool {
        cluster.request(client, to: node, message)
        cluster.run(forMs: 3_000) { cluster.answer(of: client) != nil }
        if case .writeAnswer(let answer)? = cluster.answer(of: client) { return answer.applied }
        return false
    }

    private func hints(_ store: MemoryStore) throws -> [Key] {
        try store.scan(prefix: Self.prefix, after: [], limit: 10_000, bytesMax: .max).items.map(\.key)
    }

    private func value(_ cluster: VirtualCluster, _ node: Int, _ key: String) throws -> String? {
        guard case .value(let bytes)? = try cluster.stores[node].register(Key(key)).accepted?.cell.content else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func leave(_ cluster: VirtualCluster, _ node: Int) {
        cluster.crash(node)
        cluster.announce(node, .dead)
    }

    /// No hint is left anywhere, and none is counted.
    private func areGone(_ cluster: VirtualCluster) -> Bool {
        cluster.nodes.indices.allSatisfy { index in
            guard let node = cluster.nodes[index] else { return true }
            return figure(node, "hints_pending") == 0 && (try? hints(cluster.stores[index]).isEmpty) == true
        }
    }

    private func figure(_ node: Node<MemoryStore>, _ name: String) -> UInt64 {
        node.gauges.first { $0.name == name }?.value ?? .max
    }

    @Test func aReplicaThatWasAwayGetsWhatItMissed() throws {
        let cluster = cluster()
        leave(cluster, 2)
        for key in 0..<40 { #expect(write(cluster, key + 1, to: key % 2, put("k\(key)", "v\(key)"))) }
        cluster.run(forMs: 1_000)
        #expect(try hints(cluster.stores[0]).count == 20)
        #expect(cluster.nodes[0].map { figure($0, "hints_pending") } == 20)
        #expect(cluster.nodes[0].map { figure($0, "hints_bytes") > 20 * 64 } == true)
        // Nothing is delivered while the target is away.
        #expect(cluster.nodes[0]?.counters.hintsReplayed == 0)
        cluster.restart(2)
        #expect(cluster.run(forMs: 5_000) { areGone(cluster) })
        for key in 0..<40 { #expect(try value(cluster, 2, "k\(key)") == "v\(key)") }
        #expect(cluster.nodes[0]?.counters.hintsReplayed == 20)
        #expect(cluster.nodes[0]?.counters.hintsDropped == 0)
    }

    @Test func theAgeOfTheOldestHintIsTold() throws {
        let cluster = cluster()
        leave(cluster, 2)
        write(cluster, 1, to: 0, put("k", "v"))
        cluster.run(forMs: 10_000)
        let oldest = try #require(cluster.nodes[0].map { figure($0, "hints_oldest_ms") })
        #expect((9_000...11_000).contains(oldest), "\(oldest)")
    }

    @Test func theyOutliveTheirCoordinator() throws {
        let cluster = cluster()
        leave(cluster, 2)
        for key in 0..<10 { #expect(write(cluster, key + 1, to: 0, put("k\(key)", "v\(key)"))) }
        cluster.run(forMs: 1_000)
        cluster.crash(0)
        cluster.restart(0)
        cluster.run(forMs: 100)
        #expect(cluster.nodes[0].map { figure($0, "hints_pending") } == 10)
        cluster.restart(2)
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        for key in 0..<10 { #expect(try value(cluster, 2, "k\(key)") == "v\(key)") }
    }

    @Test func theyAreSentInTheOrderOfTheirBallotsWithinTheirBounds() throws {
        var limits = CoreLimits()
        limits.hintsInFlightMax = 4
        limits.hintsPerSecond = 100
        var lone = LoneNode(limits: limits)
        lone.run(forMs: 20)
        lone.input(.peerDown(NodeID(3)))
        for client in 1...40 as ClosedRange<UInt32> {
            lone.request(client, put("k\(client)", "v"))
            for (to, request, message) in lone.takeSent() {
                if case .accept = message {
                    lone.answer(request, from: to, .accepted(AcceptedReply(nextPromised: false)))
                }
            }
        }
        lone.run(forMs: 500)
        #expect(try hints(lone.store).count == 40)
        // It can be reached, but the membership has not said yet that it is alive.
        lone.input(.peerUp(NodeID(3)))
        lone.run(forMs: 2_000)
        #expect(!lone.takeSent().contains { if case .accept = $0.message { true } else { false } })
        lone.input(.member(MemberInfo(identity: identity(3), state: .alive)))
        // Without an answer there are no more than the window.
        lone.run(forMs: 200)
        var sent = accepts(&lone)
        #expect(sent.count == 4)
        var ballots = sent.map(\.accept.ballot)
        var inFlightMax = 0
        for _ in 0..<100 where ballots.count < 40 {
            inFlightMax = max(inFlightMax, sent.count)
            for (request, _) in sent {
                lone.answer(request, from: NodeID(3), .accepted(AcceptedReply(nextPromised: false)))
            }
            let before = ballots.count
            lone.run(forMs: 100)
            sent = accepts(&lone)
            ballots += sent.map(\.accept.ballot)
            #expect(ballots.count - before <= 14, "more than a hundred in a second")
        }
        #expect(ballots.count == 40)
        #expect(ballots == ballots.sorted())
        #expect(inFlightMax <= 4)
        for (request, _) in sent {
            lone.answer(request, from: NodeID(3), .accepted(AcceptedReply(nextPromised: false)))
        }
        lone.run(forMs: 20)
        #expect(try hints(lone.store).isEmpty)
    }

    @Test func onlyTheLastOfARegisterIsSent() throws {
        let cluster = cluster()
        leave(cluster, 2)
        for client in 1...30 { #expect(write(cluster, client, to: 0, put("k", "v\(client)"))) }
        cluster.run(forMs: 1_000)
        #expect(try hints(cluster.stores[0]).count == 30)
        cluster.restart(2)
        #expect(cluster.run(forMs: 5_000) { areGone(cluster) })
        #expect(try value(cluster, 2, "k") == "v30")
        #expect(cluster.nodes[0]?.counters.hintsSuperseded == 29)
        #expect(cluster.nodes[0]?.counters.hintsReplayed == 1)
    }

    @Test func anOldOneIsDeliveredAsASerialRead() throws {
        var limits = CoreLimits()
        limits.operationAgeMaxMs = 2_000
        let cluster = cluster(limits: limits)
        leave(cluster, 2)
        #expect(write(cluster, 1, to: 0, put("k", "old")))
        cluster.run(forMs: 3_000)
        cluster.isTracing = true
        cluster.restart(2)
        #expect(cluster.run(forMs: 5_000) { areGone(cluster) })
        let prepare = try #require(cluster.trace.firstIndex(of: "n1 → n3 Prepare k"))
        let accept = try #require(cluster.trace.firstIndex(of: "n1 → n3 Accept k=old"))
        #expect(prepare < accept, "an old ballot was sent as it was")
        #expect(try value(cluster, 2, "k") == "old")
    }

    @Test func oneOfAFormerEpochIsDeliveredAsASerialRead() throws {
        let cluster = VirtualCluster(count: 4, founders: 3)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        leave(cluster, 2)
        for key in 0..<20 { #expect(write(cluster, key + 1, to: 0, put("k\(key)", "v\(key)"))) }
        cluster.run(forMs: 1_000)
        cluster.request(100, to: 0, .changeRing(ChangeRing(change: .replace("n3", with: "n4"), dryRun: false)))
        #expect(cluster.run(forMs: 20_000) { cluster.nodes[0]?.ring?.epoch == Epoch(3) })
        // The target is no member any more: what it missed is read where it belongs now, and its hints go.
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        for key in 0..<20 { #expect(try value(cluster, 3, "k\(key)") == "v\(key)") }
        #expect(try cluster.stores[2].scan(prefix: [], after: [], limit: 10, bytesMax: .max).items.isEmpty)
    }

    @Test func aPromiseInTheWayIsReadPast() throws {
        var lone = LoneNode()
        lone.run(forMs: 20)
        lone.input(.member(MemberInfo(identity: identity(3), state: .alive)))
        lone.input(.peerDown(NodeID(3)))
        lone.request(1, put("k", "v"))
        for (to, request, _) in lone.takeSent() {
            lone.answer(request, from: to, .accepted(AcceptedReply(nextPromised: false)))
        }
        lone.run(forMs: 500)
        lone.input(.peerUp(NodeID(3)))
        lone.run(forMs: 20)
        let (request, accept) = try #require(accepts(&lone).first)
        let promised = Ballot(time: HybridTime(accept.ballot.time.rawValue + 1), node: NodeID(3))
        lone.answer(request, from: NodeID(3), .refused(RefusedReply(promised: promised, acceptedBallot: .zero)))
        // It is not taken for delivered: the register is prepared anew.
        let prepares = lone.takeSent().filter { if case .prepare = $0.message { true } else { false } }
        #expect(prepares.count == 2)
        #expect(try hints(lone.store).count == 1)
        for (to, request, message) in prepares {
            guard case .prepare(let prepare) = message else { continue }
            lone.answer(request, from: to, .promise(ReplicaState(accepted: nil, promised: prepare.ballot)))
        }
        let again = lone.takeSent().compactMap { sent -> Accept? in
            if case .accept(let accept) = sent.message, sent.to == NodeID(3) { accept } else { nil }
        }
        #expect(again.first.map { $0.ballot > promised && $0.cell.version == accept.ballot } == true)
    }

    @Test func aLaterCellAtTheTargetIsEnough() throws {
        var lone = LoneNode()
        lone.run(forMs: 20)
        lone.input(.member(MemberInfo(identity: identity(3), state: .alive)))
        lone.input(.peerDown(NodeID(3)))
        lone.request(1, put("k", "v"))
        for (to, request, _) in lone.takeSent() {
            lone.answer(request, from: to, .accepted(AcceptedReply(nextPromised: false)))
        }
        lone.run(forMs: 500)
        lone.input(.peerUp(NodeID(3)))
        lone.run(forMs: 20)
        let (request, accept) = try #require(accepts(&lone).first)
        let later = Ballot(time: HybridTime(accept.ballot.time.rawValue + 1), node: NodeID(3))
        lone.answer(request, from: NodeID(3), .refused(RefusedReply(promised: later, acceptedBallot: later)))
        #expect(try hints(lone.store).isEmpty)
        #expect(lone.node.counters.hintsReplayed == 1)
    }

    @Test func bytesAndAgeAreBounded() throws {
        var limits = CoreLimits()
        limits.hintBytesMax = 1_000
        limits.hintAgeMaxMs = 5_000
        let cluster = cluster(limits: limits)
        leave(cluster, 2)
        for key in 0..<40 { #expect(write(cluster, key + 1, to: 0, put("k\(key)", "v\(key)"))) }
        cluster.run(forMs: 1_000)
        let kept = try hints(cluster.stores[0]).count
        let node = try #require(cluster.nodes[0])
        #expect(kept > 5 && kept < 40)
        #expect(figure(node, "hints_bytes") <= 1_000)
        #expect(node.counters.hintsDropped == UInt64(40 - kept))
        // Too old, they go, though the target is still away.
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        #expect(cluster.nodes[0]?.counters.hintsDropped == 40)
        #expect(cluster.nodes[0]?.counters.hintsReplayed == 0)
    }

    @Test func aTargetThatFailsIsTriedAgainAndTheyDoNotMultiply() throws {
        var limits = CoreLimits()
        limits.operationAgeMaxMs = 2_000
        let cluster = cluster(limits: limits)
        leave(cluster, 2)
        for key in 0..<10 { #expect(write(cluster, key + 1, to: 0, put("k\(key)", "v\(key)"))) }
        cluster.run(forMs: 3_000)
        cluster.stores[2].readOnlyReason = "the disk is full"
        cluster.restart(2)
        cluster.stores[2].readOnlyReason = "the disk is full"
        cluster.run(forMs: 20_000)
        #expect(try hints(cluster.stores[0]).count == 10)
        cluster.stores[2].readOnlyReason = nil
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        for key in 0..<10 { #expect(try value(cluster, 2, "k\(key)") == "v\(key)") }
        #expect(cluster.nodes[0]?.counters.hintsLeft == 10)
    }

    @Test func anyIsContentWithADurableHint() throws {
        // Node 1 is no replica of anything here: it only coordinates, and nobody else is there.
        let cluster = VirtualCluster(count: 4, founders: 4)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        let ring = try #require(cluster.nodes[0]?.ring)
        let key = try #require(
            (0..<100).map { "k\($0)" }.first { !ring.replicas(of: Key($0).token).contains(NodeID(1)) })
        for index in 1...3 { leave(cluster, index) }
        #expect(!write(cluster, 1, to: 0, put(key, "quorum")))
        #expect(!write(cluster, 2, to: 0, put(key, "one", .one)))
        cluster.syncMs = 300...300
        let askedMs = cluster.nowMs
        #expect(write(cluster, 3, to: 0, put(key, "any", .any)))
        #expect(cluster.nowMs >= askedMs + 300, "it was answered before its hints were durable")
        #expect(try hints(cluster.stores[0]).count == 3)
        cluster.syncMs = 1...2
        cluster.crash(0)
        cluster.restart(0)
        for index in 1...3 { cluster.restart(index) }
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        for index in 1...3 { #expect(try value(cluster, index, key) == "any") }
    }

    @Test func theOnlyCopyIsNotLostToItsAge() throws {
        var limits = CoreLimits()
        limits.operationAgeMaxMs = 2_000
        let cluster = VirtualCluster(count: 4, founders: 4, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        let ring = try #require(cluster.nodes[0]?.ring)
        let key = try #require(
            (0..<100).map { "k\($0)" }.first { !ring.replicas(of: Key($0).token).contains(NodeID(1)) })
        #expect(write(cluster, 1, to: 0, put(key, "before")))
        for index in 1...3 { leave(cluster, index) }
        #expect(write(cluster, 2, to: 0, put(key, "any", .any)))
        cluster.run(forMs: 4_000)
        for index in 1...3 { cluster.restart(index) }
        #expect(cluster.run(forMs: 10_000) { areGone(cluster) })
        for index in 1...3 { #expect(try value(cluster, index, key) == "any") }
        // A later write is not undone by an old hint.
        for index in 1...3 { leave(cluster, index) }
        #expect(write(cluster, 3, to: 0, put(key, "lost", .any)))
        cluster.run(forMs: 3_000)
        for index in 1...3 { cluster.cut(0, index) }
        for index in 1...3 { cluster.restart(index) }
        cluster.run(forMs: 2_000)
        #expect(write(cluster, 4, to: 1, put(key, "later")))
        cluster.heal()
        #expect(cluster.run(forMs: 20_000) { areGone(cluster) })
        for index in 1...3 { #expect(try value(cluster, index, key) == "later") }
    }

    private func identity(_ id: UInt64) -> PeerIdentity {
        PeerIdentity(role: .node, id: NodeID(id), name: "n\(id)", incarnation: 1, address: "n\(id):1")
    }

    private func accepts(_ lone: inout LoneNode) -> [(request: RequestID, accept: Accept)] {
        lone.takeSent().compactMap { sent in
            guard case .accept(let accept) = sent.message, sent.to == NodeID(3) else { return nil }
            return (sent.request, accept)
        }
    }
}
