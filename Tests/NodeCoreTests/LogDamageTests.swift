import NodeCore
import Simulation
import Testing
import Wire

/// A stored batch that fails its checksum is neither served nor shipped, and its copy is made anew from the others.
@Suite struct LogDamageTests {
    private func damage(_ scene: TopicScene, _ node: Int) throws {
        let store = scene.cluster.stores[node]
        store.damage(try #require(store.allBatches(scene.partition).first), of: scene.partition)
        #expect(store.damagedCount() == 1)
    }

    @Test func aPrimaryWhoseCopyIsDamagedGivesUpItsReignAndThenTheCopy() throws {
        let scene = try TopicScene()
        for value in ["a", "b", "c"] { try scene.publish([value]) }
        let primary = try #require(scene.primary)
        try damage(scene, primary)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b", "c"])
        #expect(
            scene.cluster.run(forMs: 10_000) {
                scene.cluster.stores[primary].damagedCount() == 0
                    && scene.cluster.stores[primary].allBatches(scene.partition).map(\.baseOffset) == [0, 1, 2]
            }, "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["d"]) == 3)
    }

    @Test func aDamagedCopyIsKeptWhileNobodyElseIsThere() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, minInSync: 1))
        for value in ["a", "b", "c"] { try scene.publish([value]) }
        let primary = try #require(scene.primary)
        let others = scene.cluster.nodes.indices.filter { $0 != primary }
        let partition = scene.partition
        for other in others { scene.cluster.cut(other, primary) }
        for other in others { scene.cluster.cut(primary, other) }
        try damage(scene, primary)
        let fetch = Fetch(partition: partition, offset: 0, bytesMax: 1 << 20, waitMs: 0)
        #expect(scene.ask(primary, .fetch(fetch))?.refusal == .notReady)
        scene.cluster.run(forMs: 5_000)
        #expect(scene.cluster.stores[primary].allBatches(partition).count == 3)
        scene.cluster.heal()
        #expect(try scene.fetched(from: 0)?.values == ["a", "b", "c"])
        #expect(scene.cluster.run(forMs: 20_000) { scene.cluster.stores[primary].damagedCount() == 0 })
    }

    @Test func aDamagedBatchThatASecondaryLacksHoldsUpNoHeir() throws {
        var limits = CoreLimits()
        limits.appendBytesMax = 1
        let scene = try TopicScene(
            TopicConfiguration(partitions: 1, replicationFactor: 2, minInSync: 2), limits: limits)
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        let other = try #require(scene.partitions.first?.replicas.first { $0.rawValue != UInt64(primary + 1) })
        // The batch stays with the primary, and is damaged before anybody else has it.
        scene.cluster.cut(primary, Int(other.rawValue) - 1)
        scene.cluster.request(
            1, to: primary, .produce(Produce(partition: scene.partition, batch: try scene.batch(["b"]))))
        #expect(
            scene.cluster.run(forMs: 1_000) { scene.cluster.stores[primary].allBatches(scene.partition).count == 2 })
        scene.cluster.run(forMs: 50)
        let store = scene.cluster.stores[primary]
        store.damage(try #require(store.allBatches(scene.partition).last), of: scene.partition)
        scene.cluster.heal()
        #expect(
            scene.cluster.run(forMs: 20_000) { scene.cluster.stores[primary].damagedCount() == 0 },
            "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.fetched(from: 0)?.values.first == "a")
    }
}
