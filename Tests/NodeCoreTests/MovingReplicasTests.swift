import NodeCore
import Simulation
import Testing
import Wire

/// Replicas of partitions move when nodes join, leave and are replaced.
@Suite struct MovingReplicasTests {
    private static let count = 6

    /// A topic with a record in each partition.
    private func scene(nodes: Int) throws -> TopicScene {
        var limits = CoreLimits()
        limits.balanceIntervalMs = 1_000
        limits.preferredPrimaryMs = 2_000
        let scene = try TopicScene(
            TopicConfiguration(partitions: UInt32(Self.count), replicationFactor: 3), nodes: nodes, limits: limits)
        for index in 0..<Self.count { #expect(try publish(scene, index, "a\(index)") == 0) }
        return scene
    }

    private func publish(_ scene: TopicScene, _ index: Int, _ value: String) throws -> Offset? {
        let partition = PartitionID(topic: scene.topic.id, index: UInt32(index))
        let message = Message.produce(Produce(partition: partition, batch: try scene.batch([value])))
        guard case .produced(let answer)? = scene.askPrimary(message) else { return nil }
        return answer.baseOffset
    }

    private func change(_ scene: TopicScene, _ change: RingChange) {
        guard case .ringPlan? = scene.ask(0, .changeRing(ChangeRing(change: change, dryRun: false))) else {
            Issue.record("the ring was not changed")
            return
        }
    }

    /// Whether every partition has its three replicas in step on these nodes and nowhere else.
    private func isAt(_ nodes: Set<UInt64>, _ scene: TopicScene) -> Bool {
        let partitions = scene.partitions
        guard partitions.count == Self.count else { return false }
        return partitions.allSatisfy { partition in
            Set(partition.replicas.map(\.rawValue)).isSubset(of: nodes)
                && partition.replicas.count == min(3, nodes.count)
                && Set(partition.inSync) == Set(partition.replicas) && partition.inSync.contains(partition.primary)
        }
    }

    private func expectWhole(_ scene: TopicScene, nodes: Set<UInt64>) throws {
        for index in 0..<Self.count {
            #expect(try publish(scene, index, "b\(index)") == 1, "partition \(index)")
            let partition = PartitionID(topic: scene.topic.id, index: UInt32(index))
            let fetch = Fetch(partition: partition, offset: 0, bytesMax: 1 << 20, waitMs: 0)
            guard case .fetched(let answer)? = scene.askPrimary(.fetch(fetch)) else {
                Issue.record("partition \(index) is not served")
                continue
            }
            let values = try answer.batches.flatMap { try $0.records() }.map {
                String(decoding: $0.value, as: UTF8.self)
            }
            #expect(values == ["a\(index)", "b\(index)"])
        }
        let led = Set(scene.partitions.map(\.primary.rawValue))
        #expect(led == nodes, "every node has a part of the reigns: \(led)")
    }

    @Test func aNodeThatLeavesHasNothingLeft() throws {
        let scene = try scene(nodes: 4)
        change(scene, .add("n4"))
        let four: Set<UInt64> = [1, 2, 3, 4]
        #expect(
            scene.cluster.run(forMs: 60_000) {
                isAt(four, scene) && scene.partitions.contains { $0.replicas.contains(NodeID(4)) }
            },
            "\(scene.partitions.map(\.replicas))")
        change(scene, .remove("n2"))
        #expect(scene.cluster.run(forMs: 60_000) { isAt([1, 3, 4], scene) }, "\(scene.partitions.map(\.replicas))")
        #expect(
            scene.cluster.run(forMs: 20_000) {
                scene.cluster.stores[1].recoveredLogs().allSatisfy { $0.endOffset == 0 && $0.bytes == 0 }
            }, "the node that left still has records")
        scene.cluster.run(forMs: 10_000)
        try expectWhole(scene, nodes: [1, 3, 4])
    }

    @Test func aDeadNodeIsReplaced() throws {
        let scene = try scene(nodes: 4)
        scene.cluster.crash(2)
        scene.cluster.announce(2, .dead)
        scene.cluster.run(forMs: 2_000)
        change(scene, .replace("n3", with: "n4"))
        #expect(scene.cluster.run(forMs: 60_000) { isAt([1, 2, 4], scene) }, "\(scene.partitions.map(\.replicas))")
        scene.cluster.run(forMs: 10_000)
        try expectWhole(scene, nodes: [1, 2, 4])
    }

    /// Who set the target tells the primary once; what it says may be lost.
    @Test func aPrimaryThatDidNotHearOfItsTargetIsToldAgain() throws {
        let scene = try scene(nodes: 4)
        // A target as somebody has set it who stopped right then: nobody was told.
        let partition = scene.partition
        let key = PartitionConfiguration.key(partition)
        guard case .readAnswer(let answer)? = scene.ask(0, .readRequest(ReadRequest(key: key, consistency: .quorum))),
            let cell = answer.cell, case .value(let bytes) = cell.content,
            var configuration = PartitionConfiguration(bytes)
        else {
            Issue.record("there is no configuration")
            return
        }
        configuration.target = configuration.replicas.reversed()
        let change = RegisterChange.put(
            value: configuration.encoded, ttlMs: nil, condition: .version(cell.version))
        _ = scene.ask(0, .writeRequest(WriteRequest(key: key, consistency: .serial, change: change)))
        #expect(
            scene.cluster.run(forMs: 10_000) {
                scene.cluster.stores.contains { store in
                    guard case .value(let bytes)? = (try? store.register(key))?.accepted?.cell.content else {
                        return false
                    }
                    return PartitionConfiguration(bytes)?.target.isEmpty ?? false
                }
            }, "nobody moves partition \(partition)")
    }

    @Test func aCopyIsGivenUpOnce() throws {
        let scene = try scene(nodes: 4)
        change(scene, .replace("n2", with: "n4"))
        #expect(scene.cluster.run(forMs: 60_000) { isAt([1, 3, 4], scene) }, "\(scene.partitions.map(\.replicas))")
        scene.cluster.run(forMs: 20_000)
        let dropped = scene.cluster.notes.filter { $0.contains("n2 drops its copy") }
        #expect(dropped.count <= Self.count, "\(dropped.suffix(3))")
    }
}
