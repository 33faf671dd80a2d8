import Wire

/// How often a replica asks whether its topic still exists, and how its records are kept. Nodes may die in the middle of
/// deleting a topic, and configurations change: the topic's own register decides.
struct TopicReviews {
    /// Topics whose register is being read.
    private(set) var inFlight: Set<TopicID> = []

    /// Whether the read may begin.
    mutating func begin(_ topic: TopicID) -> Bool { inFlight.insert(topic).inserted }

    /// It has ended.
    mutating func end(_ topic: TopicID) { inFlight.remove(topic) }
}

extension Node {
    /// Reads the topic's register when that is due.
    mutating func reviewTopic(of partition: Partition, _ primary: Primary) {
        guard time.monotonicMs >= partition.nextReviewMs, operations.count < limits.operationsMax / 2 else { return }
        let topic = partition.id.topic
        // One read is for all partitions of the topic here; one that is under way may be too old for whom is due now.
        guard topicReviews.begin(topic) else { return }
        for id in partitions(of: topic) { partitions[id]?.nextReviewMs = time.monotonicMs + limits.topicReviewMs }
        start(.read(.quorum), key: TopicRegister.key(primary.configuration.topic), for: .topicReview(topic))
    }

    /// The same for a secondary, less often: all that it has to know is whether the topic is compacted.
    mutating func reviewTopic(asSecondary partition: Partition) {
        let nextMs = time.monotonicMs + limits.secondaryReviewMs
        guard let dueMs = partition.nextSecondaryReviewMs else {
            // There is time: the first records are not worth a pass.
            partition.nextSecondaryReviewMs = nextMs
            return
        }
        guard ring != nil, partition.log != nil, time.monotonicMs >= dueMs,
            operations.count < limits.operationsMax / 2
        else { return }
        let topic = partition.id.topic
        guard topicReviews.begin(topic) else { return }
        for id in partitions(of: topic) { partitions[id]?.nextSecondaryReviewMs = nextMs }
        if let name = partition.topic {
            start(.read(.quorum), key: TopicRegister.key(name), for: .topicReview(topic))
        } else {
            start(
                .read(.quorum), key: PartitionConfiguration.key(partition.id), for: .partition(partition.id, .learn))
        }
    }

    /// A secondary has read the configuration, which has the topic's name.
    mutating func topicLearned(_ partition: Partition, _ result: OperationResult) {
        let topic = partition.id.topic
        topicReviews.end(topic)
        guard case .read(let accepted?) = result, case .value(let bytes) = accepted.cell.content,
            let configuration = PartitionConfiguration(bytes)
        else { return }
        for id in partitions(of: topic) {
            partitions[id]?.topic = configuration.topic
            partitions[id]?.nextSecondaryReviewMs = time.monotonicMs
        }
    }

    /// The topic's register was read. It began after a configuration of the topic was known, so the topic existed before.
    mutating func topicReviewed(_ topic: TopicID, _ result: OperationResult) {
        topicReviews.end(topic)
        guard case .read(let accepted?) = result else { return }
        var register: TopicRegister?
        switch accepted.cell.content {
        case .value(let bytes):
            // What another version wrote is nothing to delete records for.
            guard let found = TopicRegister(bytes) else { return }
            if found.id == topic { register = found }
        case .tombstone: break
        }
        for id in Array(partitions(of: topic)) {
            guard let partition = partitions[id] else { continue }
            partition.isCompacted = register?.configuration.cleanup == .compact
            guard let primary = partition.primary else { continue }
            if let register {
                retain(partition, register.configuration)
            } else {
                discard(partition, primary)
            }
        }
    }

    /// The topic was deleted and this partition left behind: its configuration goes, and with it every copy.
    private mutating func discard(_ partition: Partition, _ primary: Primary) {
        let id = partition.id
        stepDown(id, because: "its topic was deleted")
        for follower in primary.followers {
            outputs.append(.send(follower.node, .oneWay, .reconfigured(Reconfigured(partition: id))))
        }
        start(
            .write(.delete(condition: .version(primary.version)), .serial), key: PartitionConfiguration.key(id),
            for: .partition(id, .discard))
    }

    /// Lets go of what is past its time or beyond its bytes, unless the topic is compacted: then the newest record of a key
    /// stays, however old it is. Only what is acknowledged goes, and only here is decided: the
    /// other replicas follow.
    private mutating func retain(_ partition: Partition, _ topic: TopicConfiguration) {
        guard topic.cleanup == .delete, let primary = partition.primary, let facts = partition.log?.facts,
            let bytes = partition.log?.bytes, facts.firstOffset < primary.highWatermark
        else { return }
        let limit = Mutation.retentionAboveWatermark.isOn ? partition.log?.end ?? 0 : primary.highWatermark
        var first = facts.firstOffset
        do throws(StoreError) {
            if topic.retentionMs > 0 {
                let mark = try store.find(
                    .appended(time.wallMs - min(time.wallMs, topic.retentionMs)), in: partition.id, limit: limit)
                first = max(first, mark?.base ?? limit)
            }
            if topic.retentionBytes > 0, bytes > topic.retentionBytes {
                let mark = try store.find(.bytesBefore(bytes - topic.retentionBytes), in: partition.id, limit: limit)
                first = max(first, mark?.base ?? limit)
            }
        } catch {
            counters.storeErrors += 1
            return note(.error, "\(identity.name) cannot look for old records of partition \(partition.id): \(error)")
        }
        first = min(first, limit)
        guard first > facts.firstOffset else { return }
        let dropped = self.bytes(of: partition.id, from: facts.firstOffset, limit: first)
        counters.recordsRetired += first - facts.firstOffset
        partition.trimmed(to: first, bytes: dropped)
        partition.log?.producers.forget(idleSince: time.wallMs - min(time.wallMs, limits.producerAgeMaxMs))
        guard let trimmed = partition.log?.facts else { return }
        holdLog(partition.id, end: 0, until: store.apply(.log(partition.id, trimmed)))
    }
}
