import NodeCore
import Simulation
import Testing
import Wire

/// Replicas that have missed something become equal again by comparison.
@Suite struct RepairTests {
    /// No hints, so that only the comparison can mend, and none of it by itself.
    private static var limits: CoreLimits {
        var limits = CoreLimits()
        limits.hintBytesMax = 0
        limits.virtualNodes = 8
        limits.repairIntervalMs = 0
        return limits
    }

    private func cluster(_ count: Int = 3, founders: Int? = nil, limits: CoreLimits = Self.limits) -> VirtualCluster {
        let cluster = VirtualCluster(count: count, founders: founders, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        return cluster
    }

    private func write(_ cluster: VirtualCluster, _ keys: Range<Int>, _ value: String, to node: Int? = nil) {
        for key in keys {
            cluster.request(
                key, to: node ?? key % 2,
                .writeRequest(
                    WriteRequest(
                        key: Key("k\(key)"), consistency: .quorum,
                        change: .put(value: Array("\(value)\(key)".utf8), ttlMs: nil, condition: .none))))
        }
        #expect(
            cluster.run(forMs: 5_000) {
                keys.allSatisfy { if case .writeAnswer? = cluster.answer(of: $0) { true } else { false } }
            })
        cluster.run(forMs: 1_000)
    }

    private func status(_ cluster: VirtualCluster, of node: Int, begin: Bool = false) throws -> RepairStatus {
        let client = 900_000 + node
        let heard = cluster.answers.count
        cluster.request(client, to: node, .repairRequest(RepairRequest(begin: begin)))
        #expect(cluster.run(forMs: 100) { cluster.answers.dropFirst(heard).contains { $0.client == client } })
        guard case .repairStatus(let status)? = cluster.answer(of: client) else {
            Issue.record("\(String(describing: cluster.answer(of: client)))")
            return RepairStatus()
        }
        return status
    }

    /// Repairs at some nodes at the same time; says how each went.
    private func repair(_ cluster: VirtualCluster, at nodes: [Int], withinMs: UInt64 = 60_000) throws -> [RepairStatus]
    {
        for node in nodes { #expect(try status(cluster, of: node, begin: true).isRunning) }
        #expect(cluster.run(forMs: withinMs) { nodes.allSatisfy { isIdle(cluster, $0) } })
        cluster.run(forMs: 500)
        return try nodes.map { try status(cluster, of: $0) }
    }

    private func isIdle(_ cluster: VirtualCluster, _ node: Int) -> Bool {
        cluster.nodes[node]?.gauges.first { $0.name == "repair_running" }?.value == 0
    }

    /// What each store has accepted, by key.
    private func accepted(_ cluster: VirtualCluster, _ node: Int) throws -> [Key: AcceptedCell] {
        let page = try cluster.stores[node].registers(in: .all, after: nil, limit: 100_000, bytesMax: .max)
        return page.items.reduce(into: [:]) { $0[$1.key] = $1.state.accepted }
    }

    private func areEqual(_ cluster: VirtualCluster) throws -> Bool {
        let first = try accepted(cluster, 0)
        return try cluster.nodes.indices.allSatisfy { try accepted(cluster, $0) == first }
    }

    @Test func aReplicaThatMissedWritesBecomesEqual() throws {
        let cluster = cluster()
        write(cluster, 1..<101, "old")
        cluster.crash(2)
        cluster.announce(2, .dead)
        write(cluster, 51..<151, "new")
        cluster.restart(2)
        cluster.run(forMs: 1_000)
        #expect(try !areEqual(cluster))
        let all = try repair(cluster, at: [0, 1, 2])
        #expect(try areEqual(cluster))
        #expect(try accepted(cluster, 2).count == 150)
        for key in 1..<151 {
            let cell = try accepted(cluster, 2)[Key("k\(key)")]?.cell
            #expect(cell?.content == .value(Array("\(key < 51 ? "old" : "new")\(key)".utf8)))
        }
        #expect(all.reduce(0) { $0 + $1.keysRepaired } == 100)
        #expect(all.reduce(0) { $0 + $1.keysCompared } == 150)
        #expect(all.allSatisfy { !$0.isRunning && $0.rangesDone == $0.rangesTotal && $0.rangesFailed == 0 })
        #expect(all.contains { $0.bytes > 0 && $0.elapsedMs > 0 })
    }

    @Test func nothingMovesWhenAllAreEqual() throws {
        let cluster = cluster()
        write(cluster, 1..<201, "v")
        cluster.isTracing = true
        let all = try repair(cluster, at: [0, 1, 2])
        #expect(all.reduce(0) { $0 + $1.keysCompared } == 200)
        #expect(all.allSatisfy { $0.bytes == 0 && $0.keysRepaired == 0 && $0.rangesDone == $0.rangesTotal })
        #expect(all.allSatisfy { $0.rangesTotal > 0 })
        #expect(!cluster.trace.contains { $0.contains("Prepare") || $0.contains("rangeRequest") })
    }

    @Test func itBeginsByItselfInTheBackground() throws {
        var limits = Self.limits
        limits.repairIntervalMs = 20_000
        let cluster = cluster(limits: limits)
        cluster.crash(2)
        cluster.announce(2, .dead)
        write(cluster, 1..<51, "v")
        cluster.restart(2)
        #expect(try !areEqual(cluster))
        // One that was run while the node was away does not count.
        #expect(cluster.run(forMs: 45_000) { (try? areEqual(cluster)) == true })
        // They go on, at different times.
        cluster.run(forMs: 60_000)
        #expect(cluster.nodes.allSatisfy { $0.map { $0.counters.repairs >= 3 } ?? false })
    }

    /// A serial read that hears the others first would take a copy that one replica alone has for nothing at all.
    @Test(arguments: 0..<3) func aCopyThatOneReplicaAloneHasReachesAll(holder: Int) throws {
        let cluster = cluster()
        for key in 0..<20 {
            let ballot = Ballot(
                time: HybridTime(milliseconds: cluster.nowMs + 1_700_000_000_000 - 500), node: NodeID(9))
            _ = cluster.stores[holder].apply(
                .register(
                    Key("k\(key)"),
                    RegisterState(
                        promised: ballot,
                        accepted: AcceptedCell(
                            ballot: ballot,
                            cell: Cell(version: ballot, base: nil, content: .value([1]), expiryMs: nil)))))
        }
        _ = try repair(cluster, at: [0, 1, 2])
        #expect(try areEqual(cluster))
        #expect(try accepted(cluster, 0).count == 20)
    }

    @Test func oneThatIsAwayIsCountedAndTheRestIsCompared() throws {
        let cluster = cluster()
        write(cluster, 1..<101, "old")
        // Node 2 misses what the others write.
        cluster.crash(1)
        cluster.announce(1, .dead)
        write(cluster, 1..<101, "new", to: 0)
        cluster.restart(1)
        cluster.run(forMs: 500)
        // Node 3 hears nothing any more, though nobody knows.
        for node in 0..<2 { cluster.cut(node, 2) }
        let all = try repair(cluster, at: [0, 1], withinMs: 200_000)
        for status in all {
            #expect(!status.isRunning)
            #expect(status.rangesFailed > 0)
            #expect(status.rangesDone == status.rangesTotal - status.rangesFailed)
        }
        let ring = try #require(cluster.nodes[0]?.ring)
        let (first, second) = (try accepted(cluster, 0), try accepted(cluster, 1))
        for key in first.keys where ring.replicas(of: key.token)[0] != NodeID(3) {
            #expect(first[key] == second[key], "\(key)")
        }
        cluster.heal()
        _ = try repair(cluster, at: [0, 1, 2])
        #expect(try areEqual(cluster))
    }

    @Test func largeStretchesAreComparedInParts() throws {
        var limits = Self.limits
        limits.virtualNodes = 1
        limits.treeKeysMax = 20
        limits.treeLeafKeysMax = 1
        limits.repairKeysPerTick = 16
        limits.copyPageKeys = 4
        let cluster = cluster(limits: limits)
        write(cluster, 1..<401, "old")
        cluster.crash(2)
        cluster.announce(2, .dead)
        write(cluster, 390..<411, "new")
        // Its whole disk but for its ring and the first keys.
        for key in 1..<200 { _ = cluster.stores[2].apply(.forget(Key("k\(key)"))) }
        _ = cluster.stores[2].sync()
        cluster.restart(2)
        let all = try repair(cluster, at: [0, 1, 2], withinMs: 200_000)
        #expect(try areEqual(cluster))
        #expect(all.reduce(0) { $0 + $1.keysRepaired } == 199 + 21)
        #expect(all.reduce(0) { $0 + $1.keysCompared } == 410)
        let again = try repair(cluster, at: [0, 1, 2], withinMs: 200_000)
        #expect(again.allSatisfy { $0.bytes == 0 && $0.keysRepaired == 0 && $0.rangesFailed == 0 })
    }

    @Test func itStartsAnewWhenTheRingChanges() throws {
        var limits = Self.limits
        limits.repairKeysPerTick = 4
        let cluster = cluster(4, founders: 3, limits: limits)
        write(cluster, 1..<151, "old")
        cluster.crash(2)
        cluster.announce(2, .dead)
        write(cluster, 51..<151, "new")
        cluster.restart(2)
        cluster.run(forMs: 500)
        for node in 0..<3 { #expect(try status(cluster, of: node, begin: true).isRunning) }
        cluster.run(forMs: 200)
        cluster.request(1_000, to: 0, .changeRing(ChangeRing(change: .add("n4"), dryRun: false)))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes[0]?.ring?.next != nil })
        // It does nothing while the ring is joint.
        let paused = try status(cluster, of: 0)
        #expect(paused.isRunning && paused.rangesDone == 0 && paused.rangesTotal == 0)
        #expect(cluster.run(forMs: 30_000) { cluster.nodes.allSatisfy { $0?.ring?.epoch == Epoch(3) } })
        #expect(cluster.run(forMs: 60_000) { (0..<3).allSatisfy { isIdle(cluster, $0) } })
        _ = try repair(cluster, at: [3])
        let ring = try #require(cluster.nodes[0]?.ring)
        for node in 0..<3 {
            let status = try status(cluster, of: node)
            #expect(status.rangesDone > 0 && status.rangesDone == status.rangesTotal && status.rangesFailed == 0)
        }
        let all = try (0..<4).map { try accepted(cluster, $0) }
        for key in 1..<151 {
            let key = Key("k\(key)")
            let copies = ring.replicas(of: key.token).map { all[Int($0.rawValue) - 1][key] }
            #expect(copies[0] != nil && copies.allSatisfy { $0 == copies[0] }, "\(key)")
        }
    }

    @Test func treesAreThoseOfTheSpecification() throws {
        var lone = LoneNode(limits: Self.limits)
        var registers: [Key: Ballot] = [:]
        for index in 0..<300 as Range<UInt64> {
            let key = Key("k\(index)")
            let ballot = Ballot(time: HybridTime(index + 1), node: NodeID(index % 3 + 1))
            registers[key] = ballot
            let cell = Cell(version: ballot, base: nil, content: .value([1]), expiryMs: nil)
            _ = lone.store.apply(
                .register(key, RegisterState(promised: ballot, accepted: AcceptedCell(ballot: ballot, cell: cell))))
        }
        _ = lone.store.apply(
            .register(Key("promise"), RegisterState(promised: registers[Key("k1")] ?? .zero, accepted: nil)))
        for (range, count) in [
            (TokenRange.all, 1), (.all, 16), (TokenRange(after: 3 << 62, through: 1 << 62), 7),
            (TokenRange(after: 5, through: 10), 8),
        ] {
            ask(&lone, 7, .treeRequest(TreeRequest(range: range, leaves: UInt16(count))))
            lone.run(forMs: 50)
            let parts = range.split(into: count)
            let expected = parts.map { part in
                registers.reduce(0 as UInt64) { sum, register in
                    part.contains(register.key.token) && range.contains(register.key.token)
                        ? sum ^ Tree.hash(of: register.key, accepted: register.value) : sum
                }
            }
            #expect(lone.answer(of: 7) == .tree(Tree(leaves: expected)))
            lone.answers = []
        }
    }

    @Test func treesForOthersAreBounded() throws {
        var limits = Self.limits
        limits.treeJobsMax = 4
        limits.repairKeysPerTick = 8
        var lone = LoneNode(limits: limits)
        for index in 0..<200 as Range<UInt64> {
            let ballot = Ballot(time: HybridTime(index + 1), node: NodeID(1))
            let cell = Cell(version: ballot, base: nil, content: .value([1]), expiryMs: nil)
            _ = lone.store.apply(
                .register(
                    Key("k\(index)"),
                    RegisterState(promised: ballot, accepted: AcceptedCell(ballot: ballot, cell: cell))))
        }
        for client in 1...6 as ClosedRange<UInt32> {
            ask(&lone, client, .treeRequest(TreeRequest(range: .all, leaves: 16)))
        }
        for client in 5...6 as ClosedRange<UInt32> {
            guard case .error(let error)? = lone.answer(of: client) else {
                Issue.record("\(String(describing: lone.answer(of: client)))")
                continue
            }
            #expect(error.code == .overloaded)
        }
        #expect(lone.node.counters.overloaded == 2)
        // 4 trees of 200 registers take 100 ticks at least.
        lone.run(forMs: 900)
        #expect(lone.answers.count == 2)
        lone.run(forMs: 2_000)
        #expect(lone.answers.count == 6)
        // Nobody waits on a connection that is gone.
        ask(&lone, 7, .treeRequest(TreeRequest(range: .all, leaves: 16)))
        lone.input(.channelClosed(ChannelID(9)))
        #expect(lone.node.gauges.first { $0.name == "repair_trees_making" }?.value == 0)
        // They are not made for clients.
        lone.request(8, .treeRequest(TreeRequest(range: .all, leaves: 16)))
        guard case .error(let error)? = lone.answer(of: 8) else { throw Unexpected() }
        #expect(error.code == .invalid)
    }

    private struct Unexpected: Error {}

    /// A request of node 2.
    private func ask(_ lone: inout LoneNode, _ request: UInt32, _ message: Message, epoch: Epoch = Epoch(1)) {
        let header = FrameHeader(
            type: message.type, requestID: RequestID(request),
            time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs), epoch: epoch)
        lone.input(.request(ChannelID(9), peer: NodeID(2), header, message))
    }

    @Test func questionsOfAnotherEpochAreRefused() throws {
        var lone = LoneNode(limits: Self.limits)
        ask(&lone, 1, .treeRequest(TreeRequest(range: .all, leaves: 16)), epoch: Epoch(2))
        ask(&lone, 2, .collect(Collect(items: [], isAgreed: true)), epoch: Epoch(2))
        for client in 1...2 as ClosedRange<UInt32> {
            guard case .error(let error)? = lone.answer(of: client) else { throw Unexpected() }
            #expect(error.code == .staleEpoch)
        }
        lone = LoneNode(limits: Self.limits, hasRing: false)
        lone.request(3, .repairRequest(RepairRequest(begin: true)))
        guard case .error(let error)? = lone.answer(of: 3) else { throw Unexpected() }
        #expect(error.code == .noRing)
    }
}
