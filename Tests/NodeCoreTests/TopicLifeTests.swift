import NodeCore
import Simulation
import Testing
import Wire

/// Topics grow, lose what is past its time, and end.
@Suite struct TopicLifeTests {
    @Test func aDeletedTopicLeavesNothingBehind() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        #expect(scene.ask(1, .deleteTopic(DescribeTopics(name: "t"))) == .deleted)
        #expect(
            scene.cluster.run(forMs: 10_000) { scene.cluster.stores.allSatisfy { $0.recoveredLogs().isEmpty } },
            "copies are left: \(scene.cluster.notes.suffix(6))")
        #expect(try scene.publish(["b"], at: 0)?.refusal == .unknownTopic)
        #expect(scene.ask(2, .deleteTopic(DescribeTopics(name: "t"))) == .deleted, "deleting again does no harm")
    }

    @Test func aTopicMadeAnewIsAnotherOne() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let former = scene.partition
        #expect(scene.ask(1, .deleteTopic(DescribeTopics(name: "t"))) == .deleted)
        let again = try #require(try scene.created(TopicConfiguration(partitions: 2)))
        #expect(again.id != former.topic)
        #expect(again.partitions.count == 2)
        for node in 0..<3 {
            let fetch = Fetch(partition: former, offset: 0, bytesMax: 1 << 20, waitMs: 0)
            #expect(scene.ask(node, .fetch(fetch))?.refusal != nil)
        }
    }

    @Test func aDeletionThatWasCutShortIsFinished() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let primary = try #require(scene.primary)
        let other = (primary + 1) % 3
        // Only the topic's own register goes, as when the node that deletes dies right after that.
        let key = TopicRegister.key("t")
        guard
            case .writeAnswer(let answer)? = scene.ask(
                other,
                .writeRequest(
                    WriteRequest(key: key, consistency: .serial, change: .delete(condition: .none))))
        else {
            Issue.record("the topic's register was not deleted")
            return
        }
        #expect(answer.applied)
        #expect(
            scene.cluster.run(forMs: 30_000) { scene.cluster.stores.allSatisfy { $0.recoveredLogs().isEmpty } },
            "copies are left: \(scene.cluster.notes.suffix(6))")
    }

    @Test func partitionsAreAddedAndNeverTakenAway() throws {
        let scene = try TopicScene()
        try scene.publish(["a"])
        let more = CreateTopic(name: "t", configuration: TopicConfiguration(partitions: 3, retentionMs: 60_000))
        guard case .topics(let topics)? = scene.ask(1, .alterTopic(more)) else {
            Issue.record("not altered")
            return
        }
        #expect(topics.topics.first?.id == scene.topic.id)
        #expect(topics.topics.first?.partitions.map(\.index) == [0, 1, 2])
        #expect(topics.topics.first?.configuration == more.configuration)
        let fewer = CreateTopic(name: "t", configuration: TopicConfiguration(partitions: 2))
        #expect(scene.ask(2, .alterTopic(fewer))?.refusal == .invalid)
        let unknown = CreateTopic(name: "u", configuration: TopicConfiguration(partitions: 2))
        #expect(scene.ask(0, .alterTopic(unknown))?.refusal == .unknownTopic)
        #expect(try scene.fetched(from: 0)?.values == ["a"])
    }

    @Test func recordsPastTheirTimeGoEverywhere() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, retentionMs: 20_000))
        try scene.publish(["old"])
        scene.cluster.run(forMs: 15_000)
        try scene.publish(["young"])
        scene.cluster.run(forMs: 16_000)
        let read = try #require(try scene.fetched(from: 1))
        #expect(read.values == ["young"])
        #expect(read.first == 1)
        #expect(try scene.fetched(from: 0)?.values == [])
        #expect(
            scene.cluster.run(forMs: 5_000) {
                scene.cluster.stores.allSatisfy { $0.allBatches(scene.partition).map(\.baseOffset) == [1] }
            })
        #expect(try scene.publish(["next"]) == 2)
    }

    @Test func recordsBeyondTheBytesGo() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, retentionBytes: 1_000))
        for number in 0..<40 { try scene.publish(["value \(number)"]) }
        let bytes = scene.cluster.stores[0].allBatches(scene.partition).reduce(0) { $0 + $1.encodedCount }
        #expect(bytes > 2_000)
        #expect(
            scene.cluster.run(forMs: 25_000) {
                scene.cluster.stores.allSatisfy { store in
                    let batches = store.allBatches(scene.partition)
                    let bytes = batches.reduce(0) { $0 + $1.encodedCount }
                    return batches.last?.endOffset == 40 && bytes <= 1_000 && bytes > 800
                }
            })
        #expect(scene.find(.earliest)?.offset ?? 0 > 20)
    }

    /// The same where nothing at all is left: no batch goes with which the producers would.
    @Test func aReplicaThatMissedAllThatIsGoneKnowsItsProducers() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, retentionMs: 20_000))
        try scene.publish(["a"], producer: 7, sequence: 0)
        let primary = try #require(scene.primary)
        let away = (primary + 1) % 3
        scene.cluster.crash(away)
        scene.cluster.announce(away, .dead)
        try scene.publish(["b"], producer: 8, sequence: 0)
        func log(_ node: Int) -> RecoveredLog? { scene.cluster.stores[node].recoveredLogs().first }
        #expect(scene.cluster.run(forMs: 60_000) { log(primary)?.facts.firstOffset == 2 })
        scene.cluster.restart(away)
        #expect(
            scene.cluster.run(forMs: 10_000) { log(away)?.facts.firstOffset == 2 }, "\(scene.cluster.notes.suffix(8))")
        #expect(scene.cluster.run(forMs: 1_000) { log(away)?.producers.all.map(\.producerID) == [7, 8] })
    }

    /// A replica that was away while everything that it had went past its time begins where the others are.
    @Test func aReplicaThatMissedWhatIsGoneBeginsBehindIt() throws {
        let scene = try TopicScene(TopicConfiguration(partitions: 1, retentionMs: 20_000))
        try scene.publish(["a"], producer: 7, sequence: 0)
        let primary = try #require(scene.primary)
        let away = (primary + 1) % 3
        scene.cluster.crash(away)
        scene.cluster.announce(away, .dead)
        try scene.publish(["b"], producer: 7, sequence: 1)
        scene.cluster.run(forMs: 40_000)
        try scene.publish(["c"], producer: 8, sequence: 0)
        scene.cluster.restart(away)
        #expect(
            scene.cluster.run(forMs: 10_000) {
                scene.cluster.stores[away].allBatches(scene.partition).map(\.baseOffset) == [2]
            }, "\(scene.cluster.notes.suffix(8))")
        // It knows the producers whose batches it never had.
        let log = scene.cluster.stores[away].recoveredLogs().first
        #expect(log?.producers.all.map(\.producerID) == [7, 7, 8])
        #expect(log?.facts.firstOffset == 2)
    }

    @Test func placesAreFoundByTimeAndFromTheEnd() throws {
        let scene = try TopicScene()
        try scene.publish(["a", "b"])
        scene.cluster.run(forMs: 1_000)
        let between = try #require(scene.find(.last(1))).appendedMs + 500
        try scene.publish(["c"])
        scene.cluster.run(forMs: 500)
        #expect(scene.find(.earliest)?.offset == 0)
        #expect(scene.find(.latest)?.offset == 3)
        #expect(scene.find(.last(1))?.offset == 2)
        #expect(scene.find(.last(100))?.offset == 0)
        #expect(scene.find(.time(0))?.offset == 0)
        #expect(scene.find(.offset(1))?.offset == 1)
        #expect(scene.find(.offset(9))?.offset == 3)
        #expect(scene.find(.offset(2))?.appendedMs ?? 0 > between)
        #expect(scene.find(.time(between))?.offset == 2)
        #expect(scene.find(.time(between + 1_000_000))?.offset == 3)
    }
}
