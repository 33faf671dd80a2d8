import NodeCore
import Simulation
import Testing
import Wire

/// Tombstones and expired values go for good once all replicas have them and they are old enough, and not before.
@Suite struct CollectingTests {
    private static var limits: CoreLimits {
        var limits = CoreLimits()
        limits.hintBytesMax = 0
        limits.virtualNodes = 4
        limits.operationAgeMaxMs = 4_000
        limits.graceMs = 20_000
        limits.repairIntervalMs = 5_000
        return limits
    }

    private func cluster(_ count: Int = 3, limits: CoreLimits = Self.limits) -> VirtualCluster {
        let cluster = VirtualCluster(count: count, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        return cluster
    }

    private func change(_ cluster: VirtualCluster, _ keys: Range<Int>, _ change: RegisterChange, to node: Int = 0) {
        for key in keys {
            cluster.request(
                key + 1, to: node,
                .writeRequest(WriteRequest(key: Key("k\(key)"), consistency: .quorum, change: change)))
            cluster.run(forMs: 20)
        }
        cluster.run(forMs: 1_000)
        for key in keys {
            guard case .writeAnswer(let answer)? = cluster.answer(of: key + 1), answer.applied else {
                Issue.record("k\(key): \(String(describing: cluster.answer(of: key + 1)))")
                continue
            }
        }
    }

    private func put(_ value: String, ttlMs: UInt64? = nil) -> RegisterChange {
        .put(value: Array(value.utf8), ttlMs: ttlMs, condition: .none)
    }

    private func read(_ cluster: VirtualCluster, _ key: Int, at node: Int) -> Cell? {
        let heard = cluster.answers.count
        cluster.request(
            500_000 + key, to: node, .readRequest(ReadRequest(key: Key("k\(key)"), consistency: .quorum)))
        cluster.run(forMs: 3_000) { cluster.answers.dropFirst(heard).contains { $0.client == 500_000 + key } }
        guard case .readAnswer(let answer)? = cluster.answer(of: 500_000 + key) else {
            Issue.record("k\(key): \(String(describing: cluster.answer(of: 500_000 + key)))")
            return nil
        }
        return answer.cell
    }

    private func count(_ store: MemoryStore) throws -> Int {
        try store.registers(in: .all, after: nil, limit: 10_000, bytesMax: .max).items.count
    }

    private func areGone(_ cluster: VirtualCluster) -> Bool {
        cluster.stores.allSatisfy { (try? count($0)) == 0 }
    }

    @Test(arguments: 1...3) func whatIsDeletedOrExpiredIsGoneAfterTheGracePeriod(nodes: Int) throws {
        let cluster = cluster(nodes)
        change(cluster, 0..<15, put("v"))
        change(cluster, 0..<15, .delete(condition: .none))
        change(cluster, 15..<30, put("v", ttlMs: 2_000))
        let deletedMs = cluster.nowMs
        cluster.run(forMs: 17_000)
        for store in cluster.stores { #expect(try count(store) == 30, "something went within the grace period") }
        #expect(cluster.run(forMs: 20_000) { areGone(cluster) })
        #expect(cluster.nowMs > deletedMs + 20_000)
        for key in 0..<30 { #expect(read(cluster, key, at: key % nodes) == nil) }
        #expect(cluster.nodes.allSatisfy { $0?.counters.tombstonesDropped == 30 })
        // And a value that is alive stays, whatever its age.
        change(cluster, 0..<5, put("new"))
        cluster.run(forMs: 60_000)
        for key in 0..<5 { #expect(read(cluster, key, at: 0)?.content == .value(Array("new".utf8))) }
    }

    @Test func nothingIsDroppedWhileAReplicaIsAway() throws {
        let cluster = cluster()
        change(cluster, 0..<20, put("v"))
        cluster.crash(2)
        cluster.announce(2, .dead)
        change(cluster, 0..<20, .delete(condition: .none))
        // It has the values still, and missed that they were deleted, for longer than any message or hint lives.
        cluster.run(forMs: 80_000)
        for node in 0..<2 { #expect(try count(cluster.stores[node]) == 20) }
        cluster.restart(2)
        for key in 0..<20 { #expect(read(cluster, key, at: 2).map { $0.content == .tombstone } ?? true) }
        #expect(cluster.run(forMs: 80_000) { areGone(cluster) })
        for key in 0..<20 { #expect(read(cluster, key, at: key % 3) == nil) }
    }

    @Test func oneThatIsCutOffHoldsThemAsWell() throws {
        let cluster = cluster()
        change(cluster, 0..<20, put("v"))
        for node in 0..<2 {
            cluster.cut(node, 2)
            cluster.cut(2, node)
        }
        change(cluster, 0..<20, .delete(condition: .none))
        cluster.run(forMs: 80_000)
        for node in 0..<2 { #expect(try count(cluster.stores[node]) == 20) }
        cluster.heal()
        #expect(cluster.run(forMs: 150_000) { areGone(cluster) })
        for key in 0..<20 { #expect(read(cluster, key, at: key % 3) == nil) }
    }

    // MARK: A replica's word

    private static let key = Key("k")
    private static let oldMs = LoneNode.wallOffsetMs + 900_000

    private func ballot(_ ms: UInt64) -> Ballot { Ballot(time: HybridTime(milliseconds: ms), node: NodeID(2)) }

    /// What node 1 says to node 2 about a register, and whether it has it afterwards.
    private func word(
        _ state: RegisterState, asked: Ballot? = nil, isAgreed: Bool = true, key: Key = Self.key,
        facts: [(NodeFact, [UInt8])] = []
    ) throws -> (isConfirmed: Bool, isKept: Bool) {
        var lone = LoneNode(limits: Self.limits, facts: facts)
        _ = lone.store.apply(.register(key, state))
        // Its ceiling follows its clock.
        collect(&lone, 1, [])
        let item = Collect.Item(key: key, ballot: asked ?? state.accepted?.ballot ?? .zero)
        collect(&lone, 2, [item], isAgreed: isAgreed)
        guard case .collected(let collected)? = lone.answer(of: 2) else {
            Issue.record("\(String(describing: lone.answer(of: 2)))")
            return (false, true)
        }
        return (collected.confirmed == [true], try lone.store.register(key) != .empty)
    }

    private func collect(_ lone: inout LoneNode, _ request: UInt32, _ items: [Collect.Item], isAgreed: Bool = true) {
        let message = Message.collect(Collect(items: items, isAgreed: isAgreed))
        let header = FrameHeader(
            type: message.type, requestID: RequestID(request),
            time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs), epoch: Epoch(1))
        lone.input(.request(ChannelID(9), peer: NodeID(2), header, message))
    }

    private func state(
        promised: UInt64 = oldMs, accepted: UInt64 = oldMs, _ content: Cell.Content = .tombstone,
        expiryMs: UInt64? = nil
    ) -> RegisterState {
        RegisterState(
            promised: ballot(promised),
            accepted: AcceptedCell(
                ballot: ballot(accepted),
                cell: Cell(version: ballot(accepted), base: nil, content: content, expiryMs: expiryMs)))
    }

    @Test func aReplicaAgreesToWhatIsOldAndJustThat() throws {
        let freshMs = LoneNode.wallOffsetMs + 1_000_000 - 15_000
        #expect(try word(state()) == (true, false))
        #expect(try word(state(), isAgreed: false) == (true, true))
        #expect(try word(state(.value([1]), expiryMs: Self.oldMs)) == (true, false))
        // Another ballot, fresh ones, a fresh promise, a value, one that has just expired.
        #expect(try word(state(), asked: ballot(Self.oldMs + 1)) == (false, true))
        #expect(try word(state(promised: freshMs, accepted: freshMs)) == (false, true))
        #expect(try word(state(promised: freshMs)) == (false, true))
        #expect(try word(state(.value([1]))) == (false, true))
        #expect(try word(state(.value([1]), expiryMs: freshMs)) == (false, true))
        #expect(try word(RegisterState(promised: ballot(Self.oldMs), accepted: nil)) == (false, true))
        // One below a floor that stands for promises that were lost.
        var floor = ByteWriter()
        floor.integer(freshMs << 16)
        floor.integer(UInt64.max)
        #expect(try word(state(), facts: [(.promiseFloor, floor.bytes)]) == (false, true))
        // Not of what is the node's own.
        #expect(try word(state(), key: Key([0, 0, 1])) == (false, true))
    }

    @Test func aClockThatLeapsMakesNothingOldAtOnce() throws {
        var lone = LoneNode(limits: Self.limits)
        let fresh = LoneNode.wallOffsetMs + 1_000_000
        _ = lone.store.apply(.register(Self.key, state(promised: fresh, accepted: fresh)))
        collect(&lone, 1, [])
        let item = Collect.Item(key: Self.key, ballot: ballot(fresh))
        // By its clock a day has passed; its ceiling on disk knows nothing of it.
        let message = Message.collect(Collect(items: [item], isAgreed: true))
        let leapt = lone.nowMs + LoneNode.wallOffsetMs + 86_400_000
        let header = FrameHeader(
            type: message.type, requestID: RequestID(2), time: HybridTime(milliseconds: leapt), epoch: Epoch(1))
        lone.node.handle(
            .request(ChannelID(9), peer: NodeID(2), header, message),
            at: NodeTime(wallMs: leapt, monotonicMs: lone.nowMs + 10))
        lone.input(.tick)
        #expect(lone.answer(of: 2) == .collected(Collected(confirmed: [false])))
        #expect(try lone.store.register(Self.key) != .empty)
    }

    @Test func theWordWaitsForTheDisk() throws {
        let cluster = cluster(2)
        change(cluster, 0..<1, put("v"))
        change(cluster, 0..<1, .delete(condition: .none))
        cluster.run(forMs: 15_000)
        cluster.syncMs = 300...300
        cluster.isTracing = true
        var forgottenMs: UInt64?
        #expect(
            cluster.run(forMs: 40_000) {
                if forgottenMs == nil, (0..<2).contains(where: { (try? count(cluster.stores[$0])) == 0 }) {
                    forgottenMs = cluster.nowMs
                    cluster.clearTrace()
                }
                return forgottenMs.map { cluster.nowMs >= $0 + 250 } ?? false
            })
        #expect(!cluster.trace.contains { $0.contains("collected") }, "it was answered before it was durable")
        #expect(cluster.run(forMs: 2_000) { cluster.trace.contains { $0.contains("collected") } })
    }
}
