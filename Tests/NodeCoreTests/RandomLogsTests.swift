import Membership
import NodeCore
import Simulation
import Testing
import Wire

/// Publishing under random faults: nothing acknowledged is lost or reordered, and readers never see records that are
/// taken back.
@Suite struct RandomLogsTests {
    @Test(arguments: Seeds.range) func acknowledgedRecordsStay(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed) &* 104_729)
        let cluster = VirtualCluster(count: 3, seed: UInt64(seed))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        cluster.request(
            1, to: 0, .createTopic(CreateTopic(name: "t", configuration: TopicConfiguration(partitions: 1))))
        #expect(cluster.run(forMs: 3_000) { cluster.answer(of: 1) != nil })
        guard case .topics(let topics)? = cluster.answer(of: 1), let topic = topics.topics.first else {
            Issue.record("no topic: \(String(describing: cluster.answer(of: 1)))")
            return
        }
        let partition = PartitionID(topic: topic.id, index: 0)
        cluster.weather.loss = Double.random(in: 0...0.05, using: &random)
        cluster.weather.duplication = Double.random(in: 0...0.05, using: &random)
        cluster.weather.delayMs = 1...UInt64.random(in: 2...20, using: &random)

        var acknowledged: [(offset: Offset, value: Int)] = []
        var read: [Offset: Int] = [:]
        var client = 10
        var published: [Int: Int] = [:]
        var seenAnswers = 0
        var down: Int?
        var downSinceMs: UInt64 = 0

        func collect() {
            while seenAnswers < cluster.answers.count {
                let answer = cluster.answers[seenAnswers]
                seenAnswers += 1
                switch answer.message {
                case .produced(let body):
                    if let value = published[answer.client] { acknowledged.append((body.baseOffset, value)) }
                case .fetched(let body):
                    for batch in body.batches {
                        guard let records = try? batch.records() else {
                            Issue.record("a fetched batch does not unpack")
                            continue
                        }
                        for (index, record) in records.enumerated() {
                            let offset = batch.baseOffset + Offset(index)
                            let value = Int(String(decoding: record.value, as: UTF8.self)) ?? -1
                            #expect(
                                read[offset] == nil || read[offset] == value,
                                "offset \(offset) was \(read[offset] ?? 0), is \(value)")
                            read[offset] = value
                        }
                    }
                default: break
                }
            }
        }

        for round in 0..<200 {
            for node in 0..<3 where cluster.nodes[node] != nil {
                client += 1
                if Bool.random(using: &random) {
                    published[client] = client
                    let batch = try RecordBatch(records: [
                        Record(key: nil, value: Array(String(client).utf8), timestampMs: 0)
                    ])
                    cluster.request(client, to: node, .produce(Produce(partition: partition, batch: batch)))
                } else {
                    let from = Offset.random(in: 0...Offset(max(1, acknowledged.count)), using: &random)
                    cluster.request(
                        client, to: node,
                        .fetch(Fetch(partition: partition, offset: from, bytesMax: 1 << 16, waitMs: 0)))
                }
            }
            cluster.run(forMs: UInt64.random(in: 1...40, using: &random))
            collect()
            if let index = down, cluster.nowMs > downSinceMs + 400 { cluster.announce(index, .dead) }
            if round % 30 == 29 {
                if let index = down {
                    cluster.restart(index)
                    down = nil
                } else {
                    let index = Int.random(in: 0..<3, using: &random)
                    cluster.crash(index)
                    down = index
                    downSinceMs = cluster.nowMs
                }
            }
        }
        cluster.weather.loss = 0
        cluster.weather.duplication = 0
        if let down { cluster.restart(down) }
        cluster.run(forMs: 4_000)
        collect()
        #expect(acknowledged.count > 20, "only \(acknowledged.count) publishes were acknowledged")

        // Whoever is primary now serves everything acknowledged, at its offset.
        var final: [Offset: Int] = [:]
        #expect(
            cluster.run(forMs: 10_000) {
                client += 1
                for node in 0..<3 {
                    cluster.request(
                        client * 10 + node, to: node,
                        .fetch(Fetch(partition: partition, offset: 0, bytesMax: 8 << 20, waitMs: 0)))
                }
                cluster.run(forMs: 200)
                for answer in cluster.answers.suffix(3) {
                    guard case .fetched(let body) = answer.message else { continue }
                    for batch in body.batches {
                        for (index, record) in ((try? batch.records()) ?? []).enumerated() {
                            final[batch.baseOffset + Offset(index)] = Int(String(decoding: record.value, as: UTF8.self))
                        }
                    }
                }
                return !final.isEmpty
            }, "nobody serves the partition after the faults")
        for (offset, value) in acknowledged {
            #expect(final[offset] == value, "seed \(seed): \(value) was acknowledged at \(offset)")
        }
        for (offset, value) in read.sorted(by: { $0.key < $1.key }) {
            #expect(final[offset] == value, "seed \(seed): \(value) was read at \(offset) and is gone")
        }
        #expect(final.keys.sorted() == Array(0..<Offset(final.count)), "the offsets have gaps")
        // The replicas become equal. A tail that was never acknowledged stays until something else comes to its place.
        for node in 0..<3 {
            let batch = try RecordBatch(records: [Record(key: nil, value: Array("last".utf8), timestampMs: 0)])
            cluster.request(1 << 20 | node, to: node, .produce(Produce(partition: partition, batch: batch)))
        }
        #expect(
            cluster.run(forMs: 5_000) {
                let logs = cluster.stores.map { $0.allBatches(partition) }
                return logs[0] == logs[1] && logs[1] == logs[2]
            },
            "seed \(seed): the replicas differ after the faults: \(cluster.stores.map { $0.allBatches(partition).count })"
        )
    }
}
