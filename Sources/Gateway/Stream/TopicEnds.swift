import StormoClient
import Wire

/// A topic's life and the present end of each of its partitions.
struct TopicEnds: Sendable {
    /// Its id; nil when it does not exist.
    let id: TopicID?
    /// Next offsets by partition.
    let offsets: [Offset]

    /// Asks for them.
    static func of(_ topic: String, by client: StormoClient) async throws(ClientError) -> TopicEnds {
        guard let info = try await client.topic(topic) else { return TopicEnds(id: nil, offsets: []) }
        var offsets: [Offset] = []
        for partition in 0..<info.configuration.partitions {
            offsets.append(try await client.fetch(topic, partition: partition, offset: .max).nextOffset)
        }
        return TopicEnds(id: info.id, offsets: offsets)
    }

    /// As `TopicTail` wants them.
    var positions: [UInt32: Offset] {
        var positions: [UInt32: Offset] = [:]
        for (partition, offset) in offsets.enumerated() { positions[UInt32(partition)] = offset }
        return positions
    }
}
