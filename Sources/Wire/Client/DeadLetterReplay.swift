import Wire

/// What became of a replay of dead letters.
public struct DeadLetterReplay: Sendable, Hashable {
    /// Records published again to where they came from.
    public var replayed = 0
    /// Records that are no dead letters, and were passed over.
    public var passedOver = 0
    /// Partitions that another replay was at.
    public var busyPartitions: [UInt32] = []
}

extension StormoClient {
    /// The group that remembers how far a topic of dead letters was replayed.
    public static let replayGroup = "dead-letter-replay"

    /// Publishes the dead letters of a topic again, each to the topic that it came from, up to those that are there now. What
    /// was replayed once is not replayed again; a record whose publishing ends with an error is the first of the next replay.
    public func replayDeadLetters(_ topic: String) async throws(ClientError) -> DeadLetterReplay {
        guard let info = try await self.topic(topic) else {
            throw .refused(.unknownTopic, "topic '\(topic)' does not exist")
        }
        var result = DeadLetterReplay()
        for partition in 0..<UInt32(info.partitions.count) {
            let id = PartitionID(topic: info.id, index: partition)
            let owner = "\(configuration.name)/\(Hex.fixed(.random(in: 0...UInt64.max)))"
            guard
                var lease = try await PartitionLease.take(
                    id, group: Self.replayGroup, topic: topic, owner: owner, client: self)
            else {
                result.busyPartitions.append(partition)
                continue
            }
            do throws(ClientError) {
                try await replay(topic, partition, &lease, &result)
            } catch {
                await lease.release()
                throw error
            }
            await lease.release()
        }
        return result
    }

    private func replay(
        _ topic: String, _ partition: UInt32, _ lease: inout PartitionLease, _ result: inout DeadLetterReplay
    ) async throws(ClientError) {
        let ends = try await find(topic, partition: partition, .earliest)
        var offset = max(lease.offset ?? 0, ends.firstOffset)
        while offset < ends.highWatermark {
            let found = try await fetch(topic, partition: partition, offset: offset)
            for entry in found.records where entry.position.offset < ends.highWatermark {
                guard let letter = DeadLetter(entry.record) else {
                    result.passedOver += 1
                    continue
                }
                try await publish(letter.topic, [DeadLetter.original(of: entry.record)])
                result.replayed += 1
                guard await lease.commit(entry.position.offset + 1) else {
                    throw .overloaded("the replay was overtaken")
                }
            }
            guard found.nextOffset > offset else { return }
            offset = min(found.nextOffset, ends.highWatermark)
            guard await lease.commit(offset) else { throw .overloaded("the replay was overtaken") }
        }
    }
}
