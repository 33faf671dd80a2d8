import NodeCore
import Simulation
import Testing
import Wire

/// What a partition does when its peers are silent, gone or wrong.
@Suite struct PartitionEdgesTests {
    /// Three nodes and a topic of one partition that has taken one publish.
    private func published() throws -> (cluster: VirtualCluster, partition: PartitionID, primary: Int) {
        let cluster = VirtualCluster(count: 3)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        cluster.request(
            1, to: 0, .createTopic(CreateTopic(name: "t", configuration: TopicConfiguration(partitions: 1))))
        #expect(cluster.run(forMs: 3_000) { cluster.answer(of: 1) != nil })
        guard case .topics(let topics)? = cluster.answer(of: 1) else { throw NoTopic() }
        let info = try #require(topics.topics.first)
        let partition = PartitionID(topic: info.id, index: 0)
        let primary = Int(info.partitions[0].primary.rawValue) - 1
        cluster.request(2, to: primary, try produce(partition))
        #expect(cluster.run(forMs: 3_000) { if case .produced? = cluster.answer(of: 2) { true } else { false } })
        cluster.run(forMs: 500)
        return (cluster, partition, primary)
    }

    private func produce(_ partition: PartitionID) throws -> Message {
        .produce(
            Produce(
                partition: partition, batch: try RecordBatch(records: [Record(key: nil, value: [1], timestampMs: 0)])))
    }

    private struct NoTopic: Error {}

    @Test func aPublishThatNobodyAcknowledgesIsOfUnknownOutcome() throws {
        let (cluster, partition, primary) = try published()
        for other in 0..<3 where other != primary { cluster.cut(primary, other) }
        cluster.request(3, to: primary, try produce(partition))
        #expect(cluster.run(forMs: 4_000) { cluster.answer(of: 3) != nil }, "a publish was never answered")
        guard case .error(let error)? = cluster.answer(of: 3) else { return }
        #expect(error.code == .outcomeUnknown)
    }

    @Test func aNewPrimaryTakesPublishesWithoutWaitingForTheDeadOne() throws {
        let (cluster, partition, former) = try published()
        cluster.crash(former)
        cluster.announce(former, .dead)
        func heir() -> Int? { (0..<3).first { cluster.nodes[$0]?.counters.primariesTaken ?? 0 > 0 && $0 != former } }
        #expect(cluster.run(forMs: 5_000) { heir() != nil }, "nobody took over")
        let heir = try #require(heir())
        let electedMs = cluster.nowMs
        let batch = try produce(partition)
        var client = 10
        #expect(
            cluster.run(forMs: 5_000) {
                client += 1
                cluster.request(client, to: heir, batch)
                cluster.run(forMs: 10)
                return cluster.answers.contains { if case .produced = $0.message { $0.client > 10 } else { false } }
            }, "nothing is taken")
        let tookMs = cluster.nowMs - electedMs
        #expect(tookMs < CoreLimits().inSyncTimeoutMs / 2, "\(tookMs) ms")
    }

    @Test func withoutAMajorityFewChangesOfTheSetAreTried() throws {
        let (cluster, _, primary) = try published()
        for other in 0..<3 where other != primary { cluster.crash(other) }
        let before = cluster.nodes[primary]?.counters.inSyncChanges ?? 0
        cluster.run(forMs: 6_000)
        let tried = (cluster.nodes[primary]?.counters.inSyncChanges ?? 0) - before
        #expect(tried > 0)
        #expect(tried <= 21, "\(tried) changes were proposed in six seconds")
    }

    @Test func aPrimaryThatNeverComesBackIsReplacedAfterAWholeStop() throws {
        let (cluster, partition, primary) = try published()
        cluster.tellsOfTheDead = false
        for node in 0..<3 { cluster.crash(node) }
        for node in 0..<3 where node != primary { cluster.restart(node) }
        var client = 10
        #expect(
            cluster.run(forMs: 20_000) {
                client += 1
                for node in 0..<3 where node != primary {
                    cluster.request(
                        client * 10 + node, to: node,
                        .fetch(Fetch(partition: partition, offset: 0, bytesMax: 1 << 20, waitMs: 0)))
                }
                cluster.run(forMs: 300)
                return cluster.answers.suffix(2).contains {
                    if case .fetched(let body) = $0.message { !body.batches.isEmpty } else { false }
                }
            }, "a majority of the in-sync set is here and nobody leads")
    }

    @Test func absurdAppendsAreRefused() throws {
        let partition = PartitionID(topic: TopicID(1), index: 0)
        func batch(_ base: Offset, epoch: LogEpoch = 1) throws -> RecordBatch {
            var batch = try RecordBatch(records: [Record(key: nil, value: [1], timestampMs: 0)])
            batch.baseOffset = base
            batch.epoch = epoch
            return batch
        }
        func append(_ previousEnd: Offset, epoch: LogEpoch = 1, _ batches: [RecordBatch]) -> Message {
            .append(
                Append(
                    partition: partition, epoch: epoch, previousEnd: previousEnd, previousEpoch: 0, highWatermark: .max,
                    firstOffset: 0,
                    batches: batches))
        }
        var lone = LoneNode()
        lone.message(from: NodeID(2), append(0, [try batch(0), try batch(5)]))
        lone.message(from: NodeID(2), append(0, [try batch(7)]))
        lone.message(from: NodeID(2), append(.max, [try batch(.max)]))
        lone.message(from: NodeID(2), append(0, epoch: .max, [try batch(0)]))
        lone.message(from: NodeID(2), append(0, [try batch(0, epoch: 9)]))
        #expect(lone.store.allBatches(partition).isEmpty)
        lone.message(from: NodeID(2), append(0, [try batch(0), try batch(1)]))
        #expect(lone.store.allBatches(partition).count == 2)
    }

    /// Of a former reign, and never committed: the new primary has let go of what was, up to the middle of it.
    @Test func aBatchAcrossThePrimarysFirstOffsetIsCut() throws {
        let partition = PartitionID(topic: TopicID(1), index: 0)
        func batch(_ base: Offset, epoch: LogEpoch, count: Int) throws -> RecordBatch {
            var batch = try RecordBatch(
                records: (0..<count).map { Record(key: nil, value: [UInt8($0)], timestampMs: 0) })
            batch.baseOffset = base
            batch.epoch = epoch
            return batch
        }
        func append(_ previousEnd: Offset, epoch: LogEpoch, first: Offset, _ batches: [RecordBatch]) -> Message {
            .append(
                Append(
                    partition: partition, epoch: epoch, previousEnd: previousEnd, previousEpoch: 0,
                    highWatermark: first, firstOffset: first, batches: batches))
        }
        var lone = LoneNode()
        let former = [try batch(0, epoch: 1, count: 2), try batch(2, epoch: 1, count: 3)]
        lone.message(from: NodeID(2), append(0, epoch: 1, first: 0, former))
        #expect(lone.store.allBatches(partition).count == 2)
        lone.message(from: NodeID(3), append(4, epoch: 2, first: 4, []))
        #expect(lone.store.allBatches(partition).isEmpty)
        lone.message(from: NodeID(3), append(4, epoch: 2, first: 4, [try batch(4, epoch: 2, count: 1)]))
        #expect(lone.store.allBatches(partition).map(\.baseOffset) == [4])
    }
}
