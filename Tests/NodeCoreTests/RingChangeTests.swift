import NodeCore
import Simulation
import Testing
import Wire

/// Changes of the ring: joint epochs, copying, what is refused.
@Suite struct RingChangeTests {
    private func cluster(_ count: Int, founders: Int, keys: Int = 200) -> VirtualCluster {
        let cluster = VirtualCluster(count: count, founders: founders)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        for key in 0..<keys { write(cluster, client: 10_000 + key, to: key % founders, "k\(key)", "v\(key)") }
        #expect(cluster.run(forMs: 5_000) { (0..<keys).allSatisfy { cluster.answer(of: 10_000 + $0) != nil } })
        return cluster
    }

    private func write(_ cluster: VirtualCluster, client: Int, to node: Int, _ key: String, _ value: String) {
        cluster.request(
            client, to: node,
            .writeRequest(
                WriteRequest(
                    key: Key(key), consistency: .quorum,
                    change: .put(value: Array(value.utf8), ttlMs: nil, condition: .none))))
    }

    private func change(
        _ cluster: VirtualCluster, client: Int, to node: Int = 0, _ change: RingChange, dryRun: Bool = false
    )
        -> Message?
    {
        cluster.request(client, to: node, .changeRing(ChangeRing(change: change, dryRun: dryRun)))
        cluster.run(forMs: 4_000) { cluster.answer(of: client) != nil }
        return cluster.answer(of: client)
    }

    private func isAtRest(_ cluster: VirtualCluster, epoch: UInt32) -> Bool {
        cluster.nodes.compactMap { $0 }.allSatisfy { $0.ring?.epoch == Epoch(epoch) && $0.ring?.next == nil }
    }

    /// Every key's replicas of now hold it, and a read by every node finds it.
    private func expectWhole(_ cluster: VirtualCluster, keys: Int = 200) throws {
        let ring = try #require(cluster.nodes.compactMap { $0 }.first?.ring)
        for key in 0..<keys {
            let name = Key("k\(key)")
            let replicas = ring.replicas(of: name.token)
            var holders = 0
            for node in replicas where try cluster.stores[Int(node.rawValue) - 1].register(name).accepted != nil {
                holders += 1
            }
            #expect(holders >= ring.quorum, "k\(key) is held by \(holders) of \(replicas)")
        }
        for key in 0..<keys {
            let node = key % cluster.nodes.count
            guard cluster.nodes[node] != nil else { continue }
            cluster.request(
                20_000 + key, to: node, .readRequest(ReadRequest(key: Key("k\(key)"), consistency: .quorum)))
            cluster.run(forMs: 3_000) { cluster.answer(of: 20_000 + key) != nil }
            guard case .readAnswer(let answer)? = cluster.answer(of: 20_000 + key) else {
                Issue.record("k\(key): \(String(describing: cluster.answer(of: 20_000 + key)))")
                continue
            }
            #expect(answer.cell?.content == .value(Array("v\(key)".utf8)))
        }
    }

    @Test func aFourthNodeTakesItsShare() throws {
        let cluster = cluster(4, founders: 3)
        guard case .ringPlan(let plan)? = change(cluster, client: 1, .add("n4")) else {
            Issue.record("\(String(describing: cluster.answer(of: 1)))")
            return
        }
        #expect(plan.epoch == Epoch(2))
        #expect(plan.dangers.isEmpty)
        #expect(plan.shares.first { $0.name == "n4" }.map { $0.copies > 600_000 && $0.copies < 900_000 } == true)
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 3) })
        cluster.run(forMs: 2_000)
        try expectWhole(cluster)
        // What others own now is cleared.
        let ring = try #require(cluster.nodes[0]?.ring)
        for index in 0..<4 {
            let page = try cluster.stores[index].registers(in: .all, after: nil, limit: 10_000, bytesMax: .max)
            for item in page.items {
                #expect(ring.replicas(of: item.key.token).contains(NodeID(UInt64(index + 1))))
            }
        }
    }

    @Test func writesGoOnWhileTheRingChanges() throws {
        let cluster = cluster(4, founders: 3)
        cluster.request(1, to: 1, .changeRing(ChangeRing(change: .add("n4"), dryRun: false)))
        var client = 30_000
        var latest: [Int: Int] = [:]
        var isOver = false
        while !isOver {
            let key = client % 200
            write(cluster, client: client, to: client % 3, "k\(key)", "w\(client)")
            latest[key] = client
            client += 1
            cluster.run(forMs: 5)
            isOver = isAtRest(cluster, epoch: 3) || client > 40_000
        }
        #expect(isAtRest(cluster, epoch: 3))
        cluster.run(forMs: 3_000)
        for client in 30_000..<client {
            guard case .writeAnswer(let answer)? = cluster.answer(of: client) else {
                Issue.record("write \(client): \(String(describing: cluster.answer(of: client)))")
                continue
            }
            #expect(answer.applied)
        }
        for (key, client) in latest {
            cluster.request(
                50_000 + key, to: 3, .readRequest(ReadRequest(key: Key("k\(key)"), consistency: .quorum)))
            cluster.run(forMs: 3_000) { cluster.answer(of: 50_000 + key) != nil }
            guard case .readAnswer(let answer)? = cluster.answer(of: 50_000 + key) else {
                Issue.record("k\(key) is not read")
                continue
            }
            #expect(answer.cell?.content == .value(Array("w\(client)".utf8)))
        }
    }

    @Test func aDeadNodeIsReplaced() throws {
        let cluster = cluster(4, founders: 3)
        cluster.crash(2)
        cluster.announce(2, .dead)
        guard case .ringPlan? = change(cluster, client: 1, .replace("n3", with: "n4")) else {
            Issue.record("\(String(describing: cluster.answer(of: 1)))")
            return
        }
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 3) })
        try expectWhole(cluster)
        // It comes back and hears that it has been replaced.
        cluster.restart(2)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes[2]?.ring?.epoch == Epoch(3) })
        #expect(cluster.notes.contains { $0.contains("n3 was removed from the ring") })
    }

    @Test func aNodeLeavesAndTheFactorChanges() throws {
        let cluster = cluster(4, founders: 4)
        guard case .ringPlan? = change(cluster, client: 1, .remove("n2")) else {
            Issue.record("\(String(describing: cluster.answer(of: 1)))")
            return
        }
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 3) })
        try expectWhole(cluster)
        guard case .ringPlan? = change(cluster, client: 2, .replicationFactor(1)) else {
            Issue.record("\(String(describing: cluster.answer(of: 2)))")
            return
        }
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 5) })
        try expectWhole(cluster)
        guard case .ringPlan? = change(cluster, client: 3, .replicationFactor(3)) else {
            Issue.record("\(String(describing: cluster.answer(of: 3)))")
            return
        }
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 7) })
        try expectWhole(cluster)
    }

    @Test func aChangeIsTakenBack() throws {
        let cluster = cluster(4, founders: 3)
        // The newcomer cannot be reached by those it would copy from, so the change does not come to its end.
        cluster.cut(0, 3)
        cluster.cut(1, 3)
        cluster.cut(2, 3)
        guard case .ringPlan? = change(cluster, client: 1, .add("n4")) else {
            Issue.record("\(String(describing: cluster.answer(of: 1)))")
            return
        }
        cluster.run(forMs: 3_000)
        #expect(cluster.nodes[0]?.ring?.next != nil)
        guard case .error(let busy)? = change(cluster, client: 2, to: 1, .replicationFactor(2)) else {
            Issue.record("\(String(describing: cluster.answer(of: 2)))")
            return
        }
        #expect(busy.code == .ringBusy)
        guard case .ringPlan? = change(cluster, client: 3, .abort) else {
            Issue.record("\(String(describing: cluster.answer(of: 3)))")
            return
        }
        cluster.heal()
        #expect(cluster.run(forMs: 10_000) { isAtRest(cluster, epoch: 3) })
        #expect(cluster.nodes[0]?.ring?.members.map(\.name) == ["n1", "n2", "n3"])
        try expectWhole(cluster)
    }

    @Test func aNewOwnerThatCrashesGoesOn() throws {
        let cluster = cluster(4, founders: 3)
        cluster.request(1, to: 0, .changeRing(ChangeRing(change: .add("n4"), dryRun: false)))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes[3]?.counters.rangesCopied ?? 0 > 10 })
        cluster.crash(3)
        cluster.run(forMs: 500)
        #expect(cluster.nodes[0]?.ring?.next != nil)
        cluster.restart(3)
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 3) })
        try expectWhole(cluster)
    }

    @Test func twoOperatorsAtOnceMakeOneChange() throws {
        let cluster = cluster(5, founders: 3)
        cluster.request(1, to: 0, .changeRing(ChangeRing(change: .add("n4"), dryRun: false)))
        cluster.request(2, to: 1, .changeRing(ChangeRing(change: .add("n5"), dryRun: false)))
        cluster.run(forMs: 4_000) { cluster.answer(of: 1) != nil && cluster.answer(of: 2) != nil }
        let codes = [1, 2].map { client -> ErrorCode? in
            if case .error(let error)? = cluster.answer(of: client) { error.code } else { nil }
        }
        #expect(codes.count { $0 == nil } == 1, "\(codes)")
        #expect(codes.contains(.ringBusy))
        #expect(cluster.run(forMs: 20_000) { isAtRest(cluster, epoch: 3) })
        #expect(cluster.nodes[0]?.ring?.members.count == 4)
    }

    @Test func whatCannotBeDoneIsRefusedWithAReason() throws {
        let cluster = cluster(4, founders: 3, keys: 1)
        let refused: [(RingChange, String)] = [
            (.replicationFactor(0), "1 to"), (.replicationFactor(3), "already"), (.remove("n9"), "no member"),
            (.add("n9"), "no node"), (.add("n1"), "already"), (.abort, "no change"),
            (.replace("n1", with: "n2"), "already"),
        ]
        for (index, (change, reason)) in refused.enumerated() {
            guard case .error(let error)? = self.change(cluster, client: 100 + index, change) else {
                Issue.record("\(change): \(String(describing: cluster.answer(of: 100 + index)))")
                continue
            }
            #expect(error.code == .ringRefused)
            #expect(error.detail.contains(reason), "\(error.detail)")
        }
        // Two of three replicas away: nothing could be moved safely, and a dry run says where.
        for index in [1, 2] {
            cluster.crash(index)
            cluster.announce(index, .dead)
        }
        guard case .ringPlan(let plan)? = change(cluster, client: 200, .add("n4"), dryRun: true) else {
            Issue.record("\(String(describing: cluster.answer(of: 200)))")
            return
        }
        #expect(!plan.dangers.isEmpty)
        guard case .error(let error)? = change(cluster, client: 201, .add("n4")) else {
            Issue.record("\(String(describing: cluster.answer(of: 201)))")
            return
        }
        #expect(error.code == .ringRefused)
        #expect(cluster.nodes[0]?.ring?.epoch == Epoch(1))
    }

    /// A majority of three may be the two that are not asked next: those who stay copy before they decide alone.
    @Test func whoStaysCopiesWhenThereAreFewerCopies() {
        func layout(_ nodes: [UInt64], _ factor: Int) -> RingLayout {
            RingLayout(
                replicationFactor: factor,
                members: nodes.map {
                    RingMember(id: NodeID($0), name: "n\($0)", address: "n\($0):1", zone: "", virtualNodes: 8)
                })
        }
        func copiers(from old: RingLayout, to new: RingLayout) -> Bool {
            let ring = Ring(clusterID: ClusterID(high: 1, low: 1), epoch: Epoch(2), layout: old, next: new)
            return ring.segments.allSatisfy { segment in
                (segment.next ?? []).contains { segment.replicas.contains($0) && segment.mustCopy($0, old, new) }
            }
        }
        #expect(copiers(from: layout([1, 2, 3], 3), to: layout([2, 3], 3)))
        #expect(copiers(from: layout([1, 2, 3, 4, 5], 5), to: layout([1, 2, 3, 4, 5], 3)))
        #expect(!copiers(from: layout([1, 2, 3], 3), to: layout([1, 2, 3, 4], 3)))
        #expect(!copiers(from: layout([2, 3], 3), to: layout([2], 3)), "who stays has everything of both")
    }
}
