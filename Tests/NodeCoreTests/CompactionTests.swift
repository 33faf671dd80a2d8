import NodeCore
import Simulation
import Testing
import Wire

/// Compaction by key, at primaries and secondaries.
@Suite struct CompactionTests {
    private static let limits = {
        var limits = CoreLimits()
        limits.compactionBytesMin = 1
        limits.compactionDirtyPercent = 0
        limits.compactionLookMs = 100
        limits.compactionSliceBytes = 1
        limits.topicReviewMs = 500
        limits.secondaryReviewMs = 500
        limits.deletionMarkerAgeMs = 60_000
        return limits
    }()

    private func scene(nodes: Int = 3, _ change: (inout CoreLimits) -> Void = { _ in }) throws -> TopicScene {
        var limits = Self.limits
        change(&limits)
        return try TopicScene(
            TopicConfiguration(partitions: 1, replicationFactor: 3, retentionMs: 1_000, cleanup: .compact),
            nodes: nodes, limits: limits)
    }

    /// What a node's copy holds, as "offset:key=value".
    private func content(_ scene: TopicScene, _ node: Int) throws -> [String] {
        try scene.cluster.stores[node].allBatches(scene.partition).flatMap { try $0.entries() }.map {
            let key = $0.record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            return "\($0.offset):\(key)=\(String(decoding: $0.record.value, as: UTF8.self))"
        }
    }

    private func until(
        _ scene: TopicScene, withinMs: UInt64 = 20_000, _ expected: [String], at nodes: [Int] = [0, 1, 2],
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let isSo = scene.cluster.run(forMs: withinMs) {
            nodes.allSatisfy { (try? content(scene, $0)) == expected }
        }
        guard !isSo else { return }
        Issue.record("\(try nodes.map { try content(scene, $0) }), expected \(expected)", sourceLocation: location)
    }

    private func count(_ scene: TopicScene, _ name: KeyPath<CoreCounters, UInt64>) -> UInt64 {
        scene.cluster.nodes.reduce(0) { $0 + ($1?.counters[keyPath: name] ?? 0) }
    }

    @Test func theNewestRecordOfEachKeyStaysOnEveryReplica() throws {
        let scene = try scene()
        for round in 0..<4 { try scene.publish(["a=\(round)", "b=\(round)"], keyed: true) }
        try scene.publish(["c=0"], keyed: true)
        // Older than the topic's retention, which is not for compacted topics.
        try until(scene, ["6:a=3", "7:b=3", "8:c=0"])
        #expect(try scene.fetched(from: 0)?.values == ["3", "3", "0"])
        #expect(try scene.fetched(from: 0)?.first == 0)
        #expect(count(scene, \.recordsCompacted) == 18)
        #expect(count(scene, \.bytesCompacted) > 0)
        // Places stay, also in the gaps.
        #expect(try scene.fetched(from: 3)?.values == ["3", "3", "0"])
        #expect(scene.find(.offset(3))?.offset == 3)
        #expect(scene.find(.last(2))?.offset == 7)
        #expect(scene.find(.latest)?.offset == 9)
        #expect(try scene.publish(["a=9"], keyed: true) == 9)
        try until(scene, ["7:b=3", "8:c=0", "9:a=9"])
        for store in scene.cluster.stores {
            #expect(store.allBatches(scene.partition).map(\.baseOffset) == [0, 2, 4, 6, 8, 9])
        }
    }

    @Test func recordsWithoutAKeyStay() throws {
        let scene = try scene()
        let batch = try RecordBatch(records: (0..<3).map { Record(key: nil, value: [$0 + 48], timestampMs: 0) })
        let produce = Message.produce(Produce(partition: scene.partition, batch: batch))
        guard case .produced? = scene.askPrimary(produce) else {
            Issue.record("not published")
            return
        }
        for value in ["a=1", "a=2"] { try scene.publish([value], keyed: true) }
        try until(scene, ["0:-=0", "1:-=1", "2:-=2", "4:a=2"])
    }

    @Test func aTopicThatIsNotCompactedKeepsAll() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1), limits: Self.limits)
        for value in ["a=1", "a=2"] { try scene.publish([value], keyed: true) }
        scene.cluster.run(forMs: 10_000)
        #expect(try content(scene, 0) == ["0:a=1", "1:a=2"])
        let compact = TopicConfiguration(partitions: 1, cleanup: .compact)
        guard case .topics? = scene.ask(1, .alterTopic(CreateTopic(name: "t", configuration: compact))) else {
            Issue.record("not altered")
            return
        }
        try until(scene, ["1:a=2"])
    }

    @Test func nothingAboveTheHighWatermarkCounts() throws {
        let scene = try scene()
        try scene.publish(["a=1"], keyed: true)
        let primary = try #require(scene.primary)
        for other in 0..<3 where other != primary { scene.cluster.cut(other, primary) }
        // Nobody acknowledges it: it is in the primary's log and not committed.
        let batch = try scene.batch(["a=2"], keyed: true)
        _ = scene.ask(primary, .produce(Produce(partition: scene.partition, batch: batch)), withinMs: 1)
        scene.cluster.run(forMs: 250)
        #expect(try content(scene, primary) == ["0:a=1", "1:a=2"])
        #expect(count(scene, \.recordsCompacted) == 0)
    }

    @Test func producersGoOnAfterCompaction() throws {
        let scene = try scene()
        for sequence in 0..<3 {
            try scene.publish(["a=\(sequence)"], producer: 7, sequence: UInt64(sequence), keyed: true)
        }
        try until(scene, ["2:a=2"])
        // The last one again, also at the next primary, which has to know it from a compacted log after a restart.
        #expect(try scene.publish(["a=2"], producer: 7, sequence: 2, keyed: true) == 2)
        let primary = try #require(scene.primary)
        _ = scene.cluster.stores.map { $0.sync() }
        scene.cluster.crash(primary)
        scene.cluster.announce(primary, .dead)
        #expect(try scene.publish(["a=2"], producer: 7, sequence: 2, keyed: true) == 2)
        #expect(try scene.publish(["a=3"], producer: 7, sequence: 3, keyed: true) == 3)
    }

    @Test func aSecondaryCatchesUpFromACompactedPrimary() throws {
        let scene = try scene()
        try scene.publish(["a=0"], keyed: true)
        let primary = try #require(scene.primary)
        let away = (primary + 1) % 3
        let others = (0..<3).filter { $0 != away }
        scene.cluster.crash(away)
        for round in 1..<5 { try scene.publish(["a=\(round)", "b=\(round)"], keyed: true) }
        try until(scene, ["7:a=4", "8:b=4"], at: others)
        scene.cluster.restart(away)
        try until(scene, ["7:a=4", "8:b=4"])
        #expect(scene.cluster.run(forMs: 10_000) { scene.partitions.first?.inSync.count == 3 })
        #expect(count(scene, \.logTruncations) == 0)
    }

    /// Copies that are compacted to different degrees follow on each other all the same.
    @Test(arguments: [false, true]) func replicasThatCompactAtDifferentTimesStayMatched(primaryFirst: Bool) throws {
        let scene = try scene()
        try scene.publish(["a=0", "b=0"], keyed: true)
        let primary = try #require(scene.primary)
        // Who takes no time for it lags behind: its backlog is full.
        let late = primaryFirst ? [0, 1, 2].filter { $0 != primary } : [primary]
        for node in late { scene.cluster.stores[node].backlogBytes = Self.limits.backlogBytesMax / 2 }
        for round in 1..<4 { try scene.publish(["a=\(round)"], keyed: true) }
        let early = [0, 1, 2].filter { !late.contains($0) }
        try until(scene, ["1:b=0", "4:a=3"], at: early)
        for node in late { #expect(try content(scene, node).count == 5) }
        // Another reign.
        _ = scene.cluster.stores.map { $0.sync() }
        scene.cluster.crash(primary)
        scene.cluster.announce(primary, .dead)
        #expect(try scene.publish(["c=0"], keyed: true) == 5)
        scene.cluster.restart(primary)
        scene.cluster.announce(primary, .alive)
        for store in scene.cluster.stores { store.backlogBytes = 0 }
        try until(scene, ["1:b=0", "4:a=3", "5:c=0"])
        #expect(scene.cluster.run(forMs: 10_000) { scene.partitions.first?.inSync.count == 3 })
        #expect(count(scene, \.logTruncations) == 0)
    }

    @Test func aDeletionGoesWhenItIsOldAndEveryReplicaHasIt() throws {
        let scene = try scene()
        for value in ["a=1", "b=1"] { try scene.publish([value], keyed: true) }
        let primary = try #require(scene.primary)
        let away = (primary + 1) % 3
        scene.cluster.crash(away)
        try scene.publish(["a="], keyed: true)
        try until(scene, ["1:b=1", "2:a="], at: [0, 1, 2].filter { $0 != away })
        scene.cluster.run(forMs: 70_000)
        // It is old, and one replica lacks it.
        #expect(try content(scene, primary) == ["1:b=1", "2:a="])
        scene.cluster.restart(away)
        try until(scene, ["1:b=1"], at: [primary])
        // The others keep theirs for when they are primary.
        try until(scene, ["1:b=1", "2:a="], at: [away])
        #expect(try scene.publish(["b=2"], keyed: true) == 3)
        try until(scene, ["3:b=2"], at: [primary])
    }

    /// A copy that was left behind, and comes back when the deletion it lacks is gone, is copied anew.
    @Test func aCopyThatMissedADeletionDoesNotBringItsRecordBack() throws {
        let scene = try scene(nodes: 4)
        for value in ["a=1", "b=1"] { try scene.publish([value], keyed: true) }
        let holders = scene.partitions.first.map { $0.replicas.map { Int($0.rawValue) - 1 } } ?? []
        let primary = try #require(scene.primary)
        let away = try #require(holders.first { $0 != primary })
        _ = scene.cluster.stores[away].sync()
        scene.cluster.crash(away)
        // Its place is taken, so that everybody has the deletion; then it comes back with what it had.
        let former = scene.cluster.stores[away].allBatches(scene.partition)
        #expect(former.count == 2)
        try scene.publish(["a="], keyed: true)
        try until(scene, ["1:b=1", "2:a="], at: [primary])
        let purged = try scene.cluster.stores[primary].allBatches(scene.partition)[2].compacted(
            keeping: { _ in false }, purging: true)
        _ = scene.cluster.stores[primary].apply(.compact(scene.partition, [purged]))
        scene.cluster.restart(away)
        try until(scene, ["1:b=1"], at: [away])
        #expect(count(scene, \.copiesBegunAnew) == 1)
        #expect(scene.cluster.run(forMs: 10_000) { scene.partitions.first?.inSync.count == 3 })
    }

    @Test func aBatchThatCannotBeReadIsLeftAloneWithAllOthers() throws {
        let scene = try scene()
        let store = scene.cluster.stores[1]
        store.backlogBytes = Self.limits.backlogBytesMax / 2
        for value in ["a=1", "a=2"] { try scene.publish([value], keyed: true) }
        try until(scene, ["1:a=2"], at: [0, 2])
        #expect(scene.cluster.run(forMs: 5_000) { store.allBatches(scene.partition).count == 2 })
        var writer = ByteWriter(capacity: 100)
        store.allBatches(scene.partition)[1].encode(into: &writer)
        var bytes = writer.bytes
        bytes[bytes.count - 1] = 0xFF
        let damaged = try bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try RecordBatch(from: &reader)
        }
        _ = store.apply(.compact(scene.partition, [damaged]))
        let before = store.allBatches(scene.partition)
        #expect(before.contains { !$0.isIntact })
        for number in 3..<9 { try scene.publish(["a=\(number)"], keyed: true) }
        try until(scene, ["7:a=8"], at: [0, 2])
        store.backlogBytes = 0
        #expect(scene.cluster.run(forMs: 5_000) { count(scene, \.compactionsFailed) == 1 })
        #expect(store.allBatches(scene.partition).prefix(2) == before[...])
        #expect(store.allBatches(scene.partition).count == 8)
        #expect(scene.cluster.notes.contains { $0.contains("cannot compact partition") })
    }
}
