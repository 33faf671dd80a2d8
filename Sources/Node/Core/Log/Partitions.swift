import DequeModule
import Wire

/// Partitions: what this node has of them, and who does what when time passes or peers come and go.
extension Node {
    /// Takes up what the store has found at start.
    mutating func recoverPartitions() {
        for recovered in store.recoveredLogs() {
            let partition = Partition(id: recovered.partition)
            partition.log = ReplicaLog(recovered)
            partition.durableEnd = recovered.endOffset
            partitions[partition.id] = partition
            partitionOrder.append(partition.id)
        }
        partitionOrder.sort()
    }

    /// The partition's entry, made when there is none.
    @discardableResult
    mutating func touch(_ id: PartitionID) -> Partition {
        if let partition = partitions[id] { return partition }
        let partition = Partition(id: id)
        partitions[id] = partition
        partitionOrder.insert(id, at: place(of: id))
        return partition
    }

    /// Where a partition stands, or would stand, in the order.
    private func place(of id: PartitionID) -> Int {
        var low = 0
        var high = partitionOrder.count
        while low < high {
            let middle = (low + high) / 2
            if partitionOrder[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The partitions of a topic that this node has something of, in order.
    func partitions(of topic: TopicID) -> ArraySlice<PartitionID> {
        let start = place(of: PartitionID(topic: topic, index: 0))
        var end = start
        while end < partitionOrder.count, partitionOrder[end].topic == topic { end += 1 }
        return partitionOrder[start..<end]
    }

    /// Forgets a partition of which this node neither has a copy nor serves anything: clients may ask for any number of
    /// partitions that are another node's, or nobody's.
    mutating func forgetIfForeign(_ id: PartitionID) {
        guard let partition = partitions[id], partition.log == nil, partition.waiting.isEmpty,
            case .none = partition.role
        else { return }
        partitions[id] = nil
        partitionOrder.remove(at: place(of: id))
    }

    /// The identity of this node's copy of a partition, also of one that it does not have yet.
    func logID(of id: PartitionID) -> LogID {
        partitions[id]?.log?.facts.logID
            ?? LogMember.first(
                identity.id, of: id,
                losses: Mutation.lostLogKeepsID.isOn ? 0 : LogLosses.decode(store.fact(.logsLost))
            ).logID
    }

    /// Gives up this node's copy: its topic was deleted, or other nodes have the partition now. A copy that is made later
    /// must not pass for this one: where the partition lives on, its next identity is remembered.
    mutating func dropLog(_ id: PartitionID, because reason: String, livesOn: Bool) {
        guard let partition = partitions[id], let log = partition.log else { return }
        note(.info, "\(identity.name) drops its copy of partition \(id), \(log.bytes) bytes: \(reason)")
        counters.logsDropped += 1
        partition.generation += 1
        partition.leader = nil
        partition.copiedIn = nil
        guard livesOn else {
            partition.lastChange = store.apply(.remove(id))
            partition.log = nil
            return forgetIfForeign(id)
        }
        let logID = Mutation.lostLogKeepsID.isOn ? log.facts.logID : random.next()
        let facts = LogFacts(logID: logID, epoch: log.facts.epoch, highWatermark: 0, firstOffset: 0)
        partition.log = ReplicaLog(facts: facts)
        partition.durableEnd = 0
        partition.lastChange = store.apply(.renew(id, facts))
    }

    /// Tells the partition when its log is durable up to `end`.
    mutating func holdLog(_ id: PartitionID, end: Offset, until sequence: JournalSequence) {
        guard let partition = partitions[id] else { return }
        partition.lastChange = sequence
        if sequence <= gate.durable { return logDurable(id, generation: partition.generation, end: end) }
        gate.hold(.log(id, generation: partition.generation, end: end), until: sequence)
    }

    /// The disk has this node's log up to `end`.
    mutating func logDurable(_ id: PartitionID, generation: UInt64, end: Offset) {
        guard let partition = partitions[id], partition.generation == generation else { return }
        partition.durableEnd = max(partition.durableEnd, end)
        advanceHighWatermark(partition)
    }

    // MARK: Time, peers and channels

    mutating func tickPartitions() {
        catchUpBudget.refill(nowMs: time.monotonicMs, bytesPerSecond: limits.catchUpBytesPerSecond)
        // A slice at a time when there are many, so that a tick stays short; each has its turn within the time of a
        // heartbeat.
        let count = min(
            partitionOrder.count, max(limits.tickPartitionsMin, partitionOrder.count / limits.tickTurns + 1))
        if nextTickedPartition >= partitionOrder.count { nextTickedPartition = 0 }
        let order = partitionOrder
        for step in 0..<count {
            guard let partition = partitions[order[(nextTickedPartition + step) % order.count]] else { continue }
            switch partition.role {
            case .primary: tickPrimary(partition)
            case .none:
                tickFollower(partition)
                reviewTopic(asSecondary: partition)
            case .loading, .electing: break
            }
        }
        nextTickedPartition += count
    }

    /// A replica without a living primary looks at the configuration: it may be its turn.
    private mutating func tickFollower(_ partition: Partition) {
        guard ring != nil, partition.log != nil, !partition.isElsewhere, time.monotonicMs >= partition.nextLoadMs,
            // After a start, or a death, there may be more to read than may be in flight: clients have a share too.
            operations.count < limits.operationsMax / 2
        else { return }
        if let leader = partition.leader, leader != identity.id {
            let isSilent = time.monotonicMs >= partition.leaderHeardMs + limits.operationTimeoutMs
            guard isSilent || isGone(leader) else { return }
        }
        load(partition.id)
    }

    mutating func peerCameUp(_ node: NodeID) {
        for id in partitionOrder {
            guard let partition = partitions[id], let primary = partition.primary,
                let index = primary.followers.firstIndex(where: { $0.node == node })
            else { continue }
            restartShipping(partition, primary, index)
        }
    }

    mutating func peerWentDown(_ node: NodeID) { operationsLost(node) }

    /// Answers for a closed connection need not be made.
    mutating func forgetWaiters(of channel: ChannelID) {
        for id in partitionOrder {
            partitions[id]?.waiting.removeAll { $0.channel == channel }
            partitions[id]?.primary?.fetches.removeAll { $0.channel == channel }
        }
    }
}
