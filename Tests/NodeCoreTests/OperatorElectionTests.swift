import NodeCore
import Simulation
import Testing
import Wire

/// An operator names a partition's primary: in good order, or at the price of what its log lacks.
@Suite struct OperatorElectionTests {
    private func elect(_ node: Int, unclean: Bool, in scene: TopicScene) -> Message? {
        scene.ask(
            node,
            .electPrimary(
                ElectPrimary(topic: "t", partition: 0, node: NodeID(UInt64(node + 1)), unclean: unclean)))
    }

    private func inSync(_ scene: TopicScene) -> Set<UInt64> {
        Set((scene.partitions.first?.inSync ?? []).map(\.rawValue))
    }

    /// A topic whose last two batches one replica has missed: that one, and those that have them.
    private func sceneWithStraggler(replicas: UInt16 = 3) throws -> (TopicScene, straggler: Int, others: [Int]) {
        let scene = try TopicScene(
            TopicConfiguration(partitions: 1, replicationFactor: replicas, minInSync: replicas - 1))
        try scene.publish(["a"])
        let all = try #require(scene.partitions.first).replicas.map { Int($0.rawValue) - 1 }
        let primary = try #require(scene.primary)
        let straggler = try #require(all.last { $0 != primary })
        let others = [primary] + all.filter { $0 != primary && $0 != straggler }
        #expect(
            scene.cluster.run(forMs: 5_000) {
                scene.cluster.stores[straggler].allBatches(scene.partition).count == 1
            })
        scene.cluster.crash(straggler, keeping: .max)
        scene.cluster.announce(straggler, .dead)
        try scene.publish(["b"])
        try scene.publish(["c"])
        #expect(scene.cluster.run(forMs: 5_000) { inSync(scene) == Set(others.map { UInt64($0 + 1) }) })
        return (scene, straggler, others)
    }

    /// The members of the set are down while the straggler comes back.
    private func exchange(_ scene: TopicScene, _ straggler: Int, _ others: [Int]) {
        for node in others {
            scene.cluster.crash(node, keeping: .max)
            scene.cluster.announce(node, .dead)
        }
        scene.cluster.restart(straggler)
    }

    /// The same, and they come back without their logs.
    private func loseTheOthers(_ scene: TopicScene, _ straggler: Int, _ others: [Int]) {
        exchange(scene, straggler, others)
        for node in others {
            scene.cluster.stores[node].loseLogs()
            scene.cluster.restart(node)
        }
        scene.cluster.run(forMs: 5_000)
    }

    @Test func withoutTheWordNothingIsLost() throws {
        let (scene, straggler, others) = try sceneWithStraggler()
        loseTheOthers(scene, straggler, others)
        #expect(try scene.publish(["d"], at: straggler)?.refusal != nil, "nobody in the set has its log")
        let before = scene.partitions
        let refused = elect(straggler, unclean: false, in: scene)
        #expect(refused?.refusal == .notInSync, "\(String(describing: refused))")
        #expect(scene.partitions == before)
    }

    @Test func theWordOfAnOperatorGoesOnWithWhatIsLeft() throws {
        let (scene, straggler, others) = try sceneWithStraggler()
        loseTheOthers(scene, straggler, others)
        let epoch = try #require(scene.partitions.first?.epoch)
        guard case .elected(let answer)? = elect(straggler, unclean: true, in: scene) else {
            Issue.record("it was refused: \(scene.cluster.notes.suffix(5))")
            return
        }
        #expect(answer == Elected(unclean: true, epoch: epoch, firstOffset: 0, endOffset: 1))
        #expect(scene.cluster.run(forMs: 10_000) { scene.primary == straggler && (scene.partitions[0].epoch > epoch) })
        #expect(try scene.fetched(from: 0)?.values == ["a"])
        #expect(try scene.publish(["d"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "d"])
        #expect(scene.cluster.run(forMs: 10_000) { inSync(scene) == [1, 2, 3] })
        for node in 0..<3 {
            #expect(
                scene.cluster.run(forMs: 5_000) {
                    scene.cluster.stores[node].allBatches(scene.partition).map(\.baseOffset) == [0, 1]
                }, "n\(node + 1)")
        }
    }

    @Test func membersThatComeBackCutWhatTheLogLacks() throws {
        let (scene, straggler, others) = try sceneWithStraggler(replicas: 2)
        exchange(scene, straggler, others)
        guard case .elected(let answer)? = elect(straggler, unclean: true, in: scene) else {
            Issue.record("it was refused: \(scene.cluster.notes.suffix(5))")
            return
        }
        #expect(answer.unclean && answer.endOffset == 1)
        #expect(scene.cluster.run(forMs: 10_000) { scene.primary == straggler })
        #expect(try scene.publish(["d"]) == 1)
        scene.cluster.restart(others[0])
        #expect(scene.cluster.run(forMs: 20_000) { inSync(scene).count == 2 }, "\(scene.cluster.notes.suffix(8))")
        try scene.publish(["e"])
        for node in others + [straggler] {
            #expect(
                scene.cluster.run(forMs: 5_000) {
                    scene.cluster.stores[node].allBatches(scene.partition).map(\.baseOffset) == [0, 1, 2]
                }, "n\(node + 1)")
        }
        #expect(try scene.fetched(from: 0)?.values == ["a", "d", "e"])
        // What was cut is no more known to be acknowledged: a later primary serves only what it has seen acknowledged.
        scene.cluster.crash(straggler)
        scene.cluster.announce(straggler, .dead)
        #expect(try scene.publish(["f"]) == 3)
        #expect(try scene.fetched(from: 0)?.values == ["a", "d", "e", "f"])
    }

    @Test func aLogThatBeginsBehindTheNewOneIsGivenUp() throws {
        let (scene, straggler, others) = try sceneWithStraggler(replicas: 2)
        // Retention passes what the straggler's log ends with.
        func keep(forMs retentionMs: UInt64) {
            let configuration = TopicConfiguration(
                partitions: 1, replicationFactor: 2, minInSync: 1, retentionMs: retentionMs)
            guard
                case .topics? = scene.ask(
                    others[0], .alterTopic(CreateTopic(name: "t", configuration: configuration)))
            else {
                Issue.record("the topic was not changed")
                return
            }
        }
        keep(forMs: 1)
        #expect(
            scene.cluster.run(forMs: 120_000) { scene.find(.earliest)?.firstOffset == 3 },
            "\(String(describing: scene.find(.earliest)))")
        keep(forMs: 0)
        scene.cluster.run(forMs: 2_000)
        exchange(scene, straggler, others)
        guard case .elected(let answer)? = elect(straggler, unclean: true, in: scene) else {
            Issue.record("it was refused: \(scene.cluster.notes.suffix(5))")
            return
        }
        #expect(answer.unclean && answer.endOffset == 1)
        #expect(scene.cluster.run(forMs: 10_000) { scene.primary == straggler })
        scene.cluster.restart(others[0])
        #expect(scene.cluster.run(forMs: 20_000) { inSync(scene).count == 2 }, "\(scene.cluster.notes.suffix(8))")
        let offset = try scene.publish(["d"])
        #expect(offset == 1)
        for node in others + [straggler] {
            #expect(
                scene.cluster.run(forMs: 5_000) {
                    scene.cluster.stores[node].allBatches(scene.partition).last?.baseOffset == offset
                }, "n\(node + 1) has what it acknowledged")
        }
    }

    @Test func aMemberOfTheSetTakesTheReignInGoodOrder() throws {
        var limits = CoreLimits()
        limits.preferredPrimaryMs = 2_000
        let scene = try TopicScene(limits: limits)
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        let other = (primary + 1) % 3
        #expect(scene.cluster.run(forMs: 5_000) { inSync(scene) == [1, 2, 3] })
        guard case .elected(let answer)? = elect(other, unclean: false, in: scene) else {
            Issue.record("it was refused: \(scene.cluster.notes.suffix(5))")
            return
        }
        #expect(!answer.unclean && answer.endOffset == 1)
        #expect(scene.cluster.run(forMs: 10_000) { scene.primary == other }, "\(scene.cluster.notes.suffix(5))")
        #expect(try scene.publish(["b"]) == 1)
        #expect(try scene.fetched(from: 0)?.values == ["a", "b"])
        // It stays: the reign is meant for it now.
        scene.cluster.run(forMs: 10_000)
        #expect(scene.primary == other)
        // The word is of no account where it holds already, also when it allows for losses.
        guard case .elected(let again)? = elect(other, unclean: true, in: scene) else {
            Issue.record("it was refused: \(scene.cluster.notes.suffix(5))")
            return
        }
        #expect(!again.unclean && again.endOffset == 2)
    }

    @Test func whatMakesNoSenseIsRefused() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, replicationFactor: 2), nodes: 3)
        try scene.publish(["a"])
        func ask(_ topic: String, _ partition: UInt32, _ node: UInt64, at index: Int) -> ErrorCode? {
            scene.ask(
                index,
                .electPrimary(ElectPrimary(topic: topic, partition: partition, node: NodeID(node), unclean: true))
            )?.refusal
        }
        let replicas = try #require(scene.partitions.first).replicas.map(\.rawValue)
        let stranger = try #require((1...3).first { !replicas.contains($0) })
        #expect(ask("t", 0, stranger, at: Int(stranger) - 1) == .invalid)
        #expect(ask("t", 0, 1, at: 1) == .invalid, "only the node itself knows its log")
        #expect(ask("t", 1, 1, at: 0) == .partitionOutOfRange)
        #expect(ask("u", 0, 1, at: 0) == .unknownTopic)
        #expect(ask("", 0, 1, at: 0) == .invalid)
    }
}
