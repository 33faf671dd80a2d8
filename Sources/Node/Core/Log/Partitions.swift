import DequeModule
import Wire

/// Partitions: who is primary, and how that changes. After PacificA (Lin et al. 2008): the configuration is kept in a
/// register, the log in the replicas.
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

    private mutating func insert(_ partition: Partition) {
        partitions[partition.id] = partition
        partitionOrder.insert(partition.id, at: place(of: partition.id))
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

    /// Forgets a partition of which this node neither has a copy nor serves anything: clients may ask for any number of
    /// partitions that are another node's, or nobody's.
    private mutating func forgetIfForeign(_ id: PartitionID) {
        guard let partition = partitions[id], partition.log == nil, partition.waiting.isEmpty,
            case .none = partition.role
        else { return }
        partitions[id] = nil
        partitionOrder.remove(at: place(of: id))
    }

    /// The partition's entry, made when there is none.
    mutating func touch(_ id: PartitionID) {
        if partitions[id] == nil { insert(Partition(id: id)) }
    }

    /// Keeps a request until the configuration is known, and reads it.
    mutating func waitForConfiguration(
        _ id: PartitionID, _ channel: ChannelID, _ request: RequestID, _ message: Message
    ) {
        touch(id)
        guard let count = partitions[id]?.waiting.count, count < limits.loadingWaitingMax else {
            counters.overloaded += 1
            return refuse(
                channel, request, .overloaded,
                "\(limits.loadingWaitingMax) requests wait for partition \(id) already: try again after a pause")
        }
        partitions[id]?.waiting.append((channel, request, message))
        load(id)
    }

    /// Reads the configuration, unless that is on its way.
    mutating func load(_ id: PartitionID) {
        guard case .none? = partitions[id]?.role else { return }
        partitions[id]?.role = .loading
        partitions[id]?.nextLoadMs = time.monotonicMs + limits.operationTimeoutMs / 4
        start(.read(.quorum), key: PartitionConfiguration.key(id), for: .partition(id, .load))
    }

    /// A register operation of a partition is over.
    mutating func partitionStepDone(_ id: PartitionID, _ step: PartitionStep, _ result: OperationResult) {
        guard partitions[id] != nil else { return }
        switch step {
        case .load: loaded(id, result)
        case .elect(let configuration): elected(id, configuration, result)
        case .changeSet(let configuration): setChanged(id, configuration, result)
        }
    }

    private mutating func loaded(_ id: PartitionID, _ result: OperationResult) {
        guard case .loading? = partitions[id]?.role else { return }
        partitions[id]?.role = .none
        guard case .read(let accepted) = result else {
            if case .failed(let code, let detail) = result { refuseWaiting(id, code, detail) }
            return
        }
        guard let cell = accepted?.cell, case .value(let bytes) = cell.content,
            let configuration = PartitionConfiguration(bytes)
        else {
            return refuseWaiting(id, .unknownTopic, "there is no partition \(id)")
        }
        guard mayLead(id, configuration) else {
            partitions[id]?.leader = configuration.primary
            return refuseWaiting(
                id, .notPrimary, "the primary of partition \(id) is \(name(of: configuration.primary))")
        }
        elect(id, configuration, version: cell.version)
    }

    /// Whether this node should be primary: it is named, or the named one is dead and this is the first living member
    /// of the in-sync set. Never without the log that the set knows: that would be an unclean election.
    private func mayLead(_ id: PartitionID, _ configuration: PartitionConfiguration) -> Bool {
        // Before the first epoch nobody wrote anything: the log that the topic's creator named is empty in any case, also
        // where the node lost its logs before and would begin with another.
        let isNew = configuration.epoch == 0 && partitions[id]?.log == nil
        let own =
            isNew ? LogMember.first(identity.id, of: id) : LogMember(node: identity.id, logID: logID(of: id))
        guard configuration.inSync.contains(own) else { return false }
        if configuration.primary == identity.id { return true }
        guard isGone(configuration.primary) else { return false }
        let living = configuration.replicas.first { node in
            configuration.inSync.contains { $0.node == node } && (node == identity.id || state(of: node) == .alive)
        }
        return living == identity.id
    }

    private func state(of node: NodeID) -> MemberState? { members.first { $0.identity.id == node }?.state }

    /// Whether a node is taken for dead: the membership says so, or has not met it in all the time since this node
    /// started, as when the whole cluster stopped and not every node came back.
    private func isGone(_ node: NodeID) -> Bool {
        switch state(of: node) {
        case .dead, .left: true
        case .alive, .suspect: false
        case nil: node != identity.id && time.monotonicMs >= startedMs + limits.unseenMemberMs
        }
    }

    func logID(of id: PartitionID) -> LogID {
        partitions[id]?.log?.facts.logID
            ?? LogMember.first(identity.id, of: id, losses: LogLosses.decode(store.fact(.logsLost))).logID
    }

    /// Asks for the next epoch.
    private mutating func elect(_ id: PartitionID, _ present: PartitionConfiguration, version: Ballot) {
        var configuration = present
        configuration.primary = identity.id
        configuration.epoch = max(present.epoch, partitions[id]?.log?.facts.epoch ?? 0) + 1
        partitions[id]?.role = .electing
        start(
            .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(version)), .serial),
            key: PartitionConfiguration.key(id), for: .partition(id, .elect(configuration)))
    }

    private mutating func elected(_ id: PartitionID, _ configuration: PartitionConfiguration, _ result: OperationResult)
    {
        guard case .electing? = partitions[id]?.role else { return }
        partitions[id]?.role = .none
        switch result {
        case .written(let answer):
            guard answer.applied, let version = answer.version else { return load(id) }
            lead(id, configuration, version: version)
        case .failed(let code, let detail):
            // Also an unknown outcome: an election is only won by an answer. The configuration is read again.
            refuseWaiting(id, code == .outcomeUnknown ? .notReady : code, detail)
        default: break
        }
    }

    /// Begins a reign.
    private mutating func lead(_ id: PartitionID, _ configuration: PartitionConfiguration, version: Ballot) {
        // Without a log it is the one that the in-sync set names: `mayLead` has seen to that.
        let logID = configuration.inSync.first { $0.node == identity.id }?.logID ?? logID(of: id)
        var log =
            partitions[id]?.log
            ?? ReplicaLog(facts: LogFacts(logID: logID, epoch: 0, highWatermark: 0, firstOffset: 0))
        // A higher epoch heard of meanwhile ends this reign before it begins.
        guard log.facts.epoch < configuration.epoch else { return load(id) }
        log.facts.epoch = configuration.epoch
        let sequence = store.apply(.log(id, log.facts))
        counters.primariesTaken += 1
        let followers = configuration.replicas.filter { $0 != identity.id }.map {
            Follower(node: $0, next: log.end, lastAnsweredMs: time.monotonicMs)
        }
        let primary = Primary(
            configuration: configuration, version: version, followers: followers, electionEnd: log.end,
            highWatermark: min(log.facts.highWatermark, log.end))
        partitions[id]?.log = log
        partitions[id]?.leader = identity.id
        partitions[id]?.role = .primary(primary)
        // What stands in the log may still be on its way to the disk: it counts when the disk has it.
        partitions[id]?.generation += 1
        partitions[id]?.durableEnd = log.facts.firstOffset
        holdLog(id, end: log.end, until: sequence)
        for index in followers.indices { ship(id, index) }
        advanceHighWatermark(id)
        let waiting = partitions[id]?.waiting ?? []
        partitions[id]?.waiting = []
        for entry in waiting { retry(entry.message, entry.channel, entry.request) }
    }

    /// Ends a reign: another epoch is in force.
    mutating func stepDown(_ id: PartitionID, because reason: String) {
        guard let primary = partitions[id]?.primary else { return }
        note(.info, "\(identity.name) is no longer primary of partition \(id): \(reason)")
        partitions[id]?.role = .none
        for produce in primary.produces {
            refuse(
                produce.channel, produce.request, .outcomeUnknown,
                "the primary of partition \(id) changed: the batch may or may not be kept")
        }
        for fetch in primary.fetches {
            refuse(fetch.channel, fetch.request, .notPrimary, "the primary of partition \(id) changed")
        }
    }

    private mutating func retry(_ message: Message, _ channel: ChannelID, _ request: RequestID) {
        switch message {
        case .produce(let produce): self.produce(produce, for: channel, request)
        case .fetch(let fetch): self.fetch(fetch, for: channel, request)
        default: break
        }
    }

    private mutating func refuseWaiting(_ id: PartitionID, _ code: ErrorCode, _ detail: String) {
        let waiting = partitions[id]?.waiting ?? []
        partitions[id]?.waiting = []
        for entry in waiting { refuse(entry.channel, entry.request, code, detail) }
        forgetIfForeign(id)
    }

    /// Tells the partition when its log is durable up to `end`.
    mutating func holdLog(_ id: PartitionID, end: Offset, until sequence: JournalSequence) {
        guard let generation = partitions[id]?.generation else { return }
        partitions[id]?.lastChange = sequence
        if sequence <= gate.durable { return logDurable(id, generation: generation, end: end) }
        gate.hold(.log(id, generation: generation, end: end), until: sequence)
    }

    /// The disk has this node's log up to `end`.
    mutating func logDurable(_ id: PartitionID, generation: UInt64, end: Offset) {
        guard partitions[id]?.generation == generation else { return }
        partitions[id]?.durableEnd = max(partitions[id]?.durableEnd ?? 0, end)
        advanceHighWatermark(id)
    }

    // MARK: Time, peers and channels

    mutating func tickPartitions() {
        // A slice at a time when there are many, so that a tick stays short; each has its turn within the time of a
        // heartbeat.
        let count = min(
            partitionOrder.count, max(limits.tickPartitionsMin, partitionOrder.count / limits.tickTurns + 1))
        if nextTickedPartition >= partitionOrder.count { nextTickedPartition = 0 }
        let order = partitionOrder
        for step in 0..<count {
            let id = order[(nextTickedPartition + step) % order.count]
            switch partitions[id]?.role {
            case .primary?: tickPrimary(id)
            case .none?: tickFollower(id)
            default: break
            }
        }
        nextTickedPartition += count
    }

    /// A replica without a living primary looks at the configuration: it may be its turn.
    private mutating func tickFollower(_ id: PartitionID) {
        guard ring != nil, let partition = partitions[id], partition.log != nil,
            time.monotonicMs >= partition.nextLoadMs,
            // After a start, or a death, there may be more to read than may be in flight: clients have a share too.
            operations.count < limits.operationsMax / 2
        else { return }
        if let leader = partition.leader, leader != identity.id {
            let isSilent = time.monotonicMs >= partition.leaderHeardMs + limits.operationTimeoutMs
            guard isSilent || isGone(leader) else { return }
        }
        load(id)
    }

    mutating func peerCameUp(_ node: NodeID) {
        for id in partitionOrder where partitions[id]?.isPrimary == true {
            guard let index = partitions[id]?.primary?.followers.firstIndex(where: { $0.node == node }) else {
                continue
            }
            restartShipping(id, index)
        }
    }

    mutating func peerWentDown(_ node: NodeID) { operationsLost(node) }

    /// Answers for a closed connection need not be made.
    mutating func forgetWaiters(of channel: ChannelID) {
        for id in partitionOrder {
            partitions[id]?.waiting.removeAll { $0.channel == channel }
            guard partitions[id]?.primary?.fetches.contains(where: { $0.channel == channel }) == true else { continue }
            partitions[id]?.primary?.fetches.removeAll { $0.channel == channel }
        }
    }
}
