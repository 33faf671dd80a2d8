import NodeCore
import Simulation
import Testing
import Wire

/// A cluster and a topic of one partition or more, and what its clients do.
final class TopicScene {
    private struct NoTopic: Error {}
    private struct NotPublished: Error {}

    let cluster: VirtualCluster
    private(set) var topic: TopicInfo
    private var client = 1_000

    var partition: PartitionID { PartitionID(topic: topic.id, index: 0) }

    /// The first three nodes found the cluster.
    init(
        _ configuration: TopicConfiguration = TopicConfiguration(partitions: 1), nodes: Int = 3,
        limits: CoreLimits = CoreLimits()
    ) throws {
        cluster = VirtualCluster(count: nodes, founders: 3, limits: limits)
        let cluster = cluster
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        topic = TopicInfo(name: "", id: TopicID(0), configuration: configuration, partitions: [])
        topic = try #require(try created(configuration))
    }

    /// Makes the topic, or finds it.
    func created(_ configuration: TopicConfiguration) throws -> TopicInfo? {
        guard case .topics(let topics)? = ask(0, .createTopic(CreateTopic(name: "t", configuration: configuration)))
        else { throw NoTopic() }
        return topics.topics.first
    }

    /// Asks a node and waits for its answer.
    func ask(_ node: Int, _ message: Message, withinMs: UInt64 = 5_000) -> Message? {
        client += 1
        let number = client
        cluster.request(number, to: node, message)
        _ = cluster.run(forMs: withinMs) { [cluster] in cluster.answer(of: number) != nil }
        return cluster.answer(of: number)
    }

    /// A batch of records of these values; `keyed` ones are of the form "key=value".
    func batch(
        _ values: [String], producer: UInt64 = 0, sequence: UInt64 = 0, keyed: Bool = false
    ) throws -> RecordBatch {
        let records = values.map { text in
            let parts = keyed ? text.split(separator: "=", omittingEmptySubsequences: false) : ["k\(text)", text[...]]
            return Record(key: Array(parts[0].utf8), value: Array(parts[1].utf8), timestampMs: 0)
        }
        return try RecordBatch(records: records, producerID: producer, sequence: sequence)
    }

    /// What a publish at a node came to.
    func publish(
        _ values: [String], producer: UInt64 = 0, sequence: UInt64 = 0, keyed: Bool = false, at node: Int
    ) throws -> Message? {
        let batch = try batch(values, producer: producer, sequence: sequence, keyed: keyed)
        return ask(node, .produce(Produce(partition: partition, batch: batch)))
    }

    /// Publishes at whoever is primary; returns the offset.
    @discardableResult
    func publish(
        _ values: [String], producer: UInt64 = 0, sequence: UInt64 = 0, keyed: Bool = false
    ) throws -> Offset {
        for _ in 0..<40 {
            for node in cluster.nodes.indices where cluster.nodes[node] != nil {
                let answer = try publish(values, producer: producer, sequence: sequence, keyed: keyed, at: node)
                if case .produced(let answer)? = answer { return answer.baseOffset }
            }
            cluster.run(forMs: 250)
        }
        throw NotPublished()
    }

    /// The first answer of a primary that is not a refusal.
    func askPrimary(_ message: Message) -> Message? {
        var last: Message?
        for _ in 0..<40 {
            for node in cluster.nodes.indices where cluster.nodes[node] != nil {
                last = ask(node, message)
                if let last, !last.isRefusal { return last }
            }
            cluster.run(forMs: 250)
        }
        return last
    }

    /// The values from an offset on, and the first offset left.
    func fetched(from offset: Offset) throws -> (values: [String], first: Offset)? {
        let fetch = Fetch(partition: partition, offset: offset, bytesMax: 8 << 20, waitMs: 0)
        guard case .fetched(let answer)? = askPrimary(.fetch(fetch)) else { return nil }
        let values = try answer.batches.flatMap { try $0.entries() }.filter { $0.offset >= offset }
        return (values.map { String(decoding: $0.record.value, as: UTF8.self) }, answer.firstOffset)
    }

    /// Every partition as the topic's description has it.
    var partitions: [PartitionInfo] {
        guard case .topics(let topics)? = ask(firstUp, .describeTopics(DescribeTopics(name: "t"))) else { return [] }
        return topics.topics.first?.partitions ?? []
    }

    /// Where something is.
    func find(_ query: OffsetQuery) -> OffsetAnswer? {
        guard
            case .offsetAnswer(let answer)? = askPrimary(
                .offsetRequest(OffsetRequest(partition: partition, query: query)))
        else { return nil }
        return answer
    }

    /// The node that is primary now.
    var primary: Int? {
        partitions.first.map { Int($0.primary.rawValue) - 1 }
    }

    private var firstUp: Int { cluster.nodes.firstIndex { $0 != nil } ?? 0 }
}

extension Message {
    fileprivate var isRefusal: Bool { if case .error = self { true } else { false } }

    /// The code of a refusal.
    var refusal: ErrorCode? { if case .error(let error) = self { error.code } else { nil } }
}
