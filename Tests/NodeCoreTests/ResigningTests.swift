import NodeCore
import Simulation
import Testing
import Wire

/// A primary that cannot go on gives the reign to one that can.
@Suite struct ResigningTests {
    @Test func aPrimaryWhoseDiskIsFullResigns() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.stores[primary].readOnlyReason = "no room"
        #expect(
            scene.cluster.run(forMs: 5_000) { (scene.primary ?? primary) != primary },
            "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["b"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
    }

    @Test func aNamedPrimaryThatLostItsLogNamesAnother() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.crash(primary)
        scene.cluster.stores[primary].lose()
        _ = scene.cluster.stores[primary].sync()
        scene.cluster.restart(primary)
        #expect(try scene.publish(["b"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
        // It catches up and belongs to the set again, under another identity.
        #expect(
            scene.cluster.run(forMs: 10_000) {
                scene.cluster.stores[primary].allBatches(scene.partition).map(\.baseOffset) == [0, 1]
            })
    }

    /// Two that have lost their logs do not name each other for ever: the third may have its own.
    @Test func whoCannotLeadNamesTheNextInTheOrder() throws {
        var lone = LoneNode()
        for peer in LoneNode.peers {
            let identity = PeerIdentity(
                role: .node, id: peer, name: "n\(peer.rawValue)", incarnation: 1, address: "n\(peer.rawValue):1")
            lone.input(.member(MemberInfo(identity: identity, state: .alive)))
        }
        let partition = PartitionID(topic: TopicID(7), index: 0)
        let nodes = [NodeID(2), NodeID(1), NodeID(3)]
        let configuration = PartitionConfiguration(
            topic: "t", epoch: 4, primary: NodeID(1), replicas: nodes, target: [],
            inSync: nodes.map { LogMember(node: $0, logID: 1_000 + $0.rawValue) }, minInSync: 2)
        let version = Ballot(time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs), node: NodeID(2))
        let accepted = AcceptedCell(
            ballot: version,
            cell: Cell(version: version, base: nil, content: .value(configuration.encoded), expiryMs: nil))
        lone.message(from: NodeID(2), .reconfigured(Reconfigured(partition: partition)))
        var named: NodeID?
        for _ in 0..<200 where named == nil {
            for (to, request, message) in lone.takeSent() {
                switch message {
                case .replicaRead:
                    lone.answer(request, from: to, .replicaState(ReplicaState(accepted: accepted, promised: version)))
                case .prepare(let prepare):
                    let state = ReplicaState(accepted: accepted, promised: prepare.ballot)
                    lone.answer(request, from: to, .promise(state))
                case .accept(let accept):
                    guard case .value(let bytes) = accept.cell.content, accept.cell.version > version else { continue }
                    named = PartitionConfiguration(bytes)?.primary
                default: break
                }
            }
            lone.run(forMs: 10)
        }
        #expect(named == NodeID(3))
    }

    /// Where the in-sync set may not shrink it still names the log that a member has lost.
    @Test func theReignIsNotOfferedToWhoHasLostItsLog() throws {
        var limits = CoreLimits()
        limits.catchUpBytesPerSecond = 1
        limits.appendBytesMax = 1
        let scene = try TopicScene(
            TopicConfiguration(partitions: 1, replicationFactor: 3, minInSync: 3), limits: limits)
        for value in ["a", "b", "c", "d"] { try scene.publish([value]) }
        let partition = try #require(scene.partitions.first)
        let primary = partition.primary
        let others = partition.replicas.filter { $0 != primary }
        let (empty, whole) = (Int(others[0].rawValue) - 1, others[1])
        scene.cluster.crash(empty)
        scene.cluster.stores[empty].lose()
        scene.cluster.restart(empty)
        scene.cluster.run(forMs: 1_000)
        scene.cluster.stores[Int(primary.rawValue) - 1].readOnlyReason = "no room"
        let key = PartitionConfiguration.key(scene.partition)
        var named: Set<NodeID> = []
        scene.cluster.run(forMs: 3_000) {
            for store in scene.cluster.stores {
                guard case .value(let bytes)? = (try? store.register(key))?.accepted?.cell.content else { continue }
                if let found = PartitionConfiguration(bytes)?.primary { named.insert(found) }
            }
            return false
        }
        #expect(named == [primary, whole], "\(scene.cluster.notes.suffix(5))")
    }

    @Test func theReignReturnsToWhomItIsMeantFor() throws {
        var limits = CoreLimits()
        limits.preferredPrimaryMs = 2_000
        let scene = try TopicScene(limits: limits)
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.crash(primary)
        scene.cluster.announce(primary, .dead)
        try scene.publish(["b"])
        let other = try #require(scene.primary)
        #expect(other != primary)
        scene.cluster.restart(primary)
        #expect(
            scene.cluster.run(forMs: 20_000) { scene.primary == primary },
            "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["c"]) == 2)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b", "c"])
    }

    @Test func aNodeThatIsAboutToStopGivesItsReignsAway() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        scene.cluster.input(primary, .leaving)
        #expect(scene.cluster.run(forMs: 3_000) { scene.cluster.nodes[primary]?.leadsWithOthers == false })
        #expect(scene.cluster.run(forMs: 3_000) { (scene.primary ?? primary) != primary })
        #expect(try scene.publish(["b"]) == 1)
        #expect(scene.cluster.nodes[primary]?.leadsWithOthers == false, "it takes none back")
    }
}
