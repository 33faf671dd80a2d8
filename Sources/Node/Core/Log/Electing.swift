import DequeModule
import Wire

/// Who is primary, and how that changes. After PacificA (Lin et al. 2008): the configuration is kept in a register, the
/// log in the replicas.
extension Node {
    /// Keeps a request until the configuration is known, and reads it.
    mutating func waitForConfiguration(
        _ id: PartitionID, _ channel: ChannelID, _ request: RequestID, _ message: Message
    ) {
        let partition = touch(id)
        guard partition.waiting.count < limits.loadingWaitingMax else {
            counters.overloaded += 1
            return refuse(
                channel, request, .overloaded,
                "\(limits.loadingWaitingMax) requests wait for partition \(id) already: try again after a pause")
        }
        partition.waiting.append((channel, request, message))
        load(id)
    }

    /// Reads the configuration, unless that is on its way.
    mutating func load(_ id: PartitionID) {
        guard let partition = partitions[id], case .none = partition.role else { return }
        partition.role = .loading
        partition.nextLoadMs = time.monotonicMs + limits.operationTimeoutMs / 4
        start(.read(.quorum), key: PartitionConfiguration.key(id), for: .partition(id, .load))
    }

    /// Another node says that the configuration is another one now.
    mutating func receive(_ reconfigured: Reconfigured) {
        let id = reconfigured.partition
        let partition = touch(id)
        if partition.isPrimary {
            partition.nextReviewMs = 0
            start(.read(.quorum), key: PartitionConfiguration.key(id), for: .partition(id, .refresh))
        } else {
            load(id)
        }
    }

    /// A register operation of a partition is over.
    mutating func partitionStepDone(_ id: PartitionID, _ step: PartitionStep, _ result: OperationResult) {
        guard let partition = partitions[id] else { return }
        switch step {
        case .load:
            if Mutation.timedOutChangeSettledByRead.isOn, let primary = partition.primary,
                case .read(let accepted?) = result, accepted.cell.version == primary.version
            {
                primary.proposed = []
            }
            loaded(partition, result)
        case .elect(let configuration): elected(partition, configuration, result)
        case .changeSet(let configuration): setChanged(partition, configuration, result)
        case .learn: topicLearned(partition, result)
        case .refresh: refreshed(partition, result)
        case .nominate(let node): nominated(partition, node, result)
        case .discard: load(id)
        }
    }

    private mutating func loaded(_ partition: Partition, _ result: OperationResult) {
        guard case .loading = partition.role else { return }
        partition.role = .none
        let id = partition.id
        guard case .read(let accepted) = result else {
            if case .failed(let code, let detail) = result { refuseWaiting(partition, code, detail) }
            return
        }
        guard let cell = accepted?.cell, case .value(let bytes) = cell.content,
            let configuration = PartitionConfiguration(bytes)
        else {
            refuseWaiting(partition, .unknownTopic, "there is no partition \(id)")
            // A copy is only given up on the word that the partition was deleted: a register that is not there may be
            // one that was lost.
            if case .tombstone? = accepted?.cell.content {
                dropLog(id, because: "its topic was deleted", livesOn: false)
            }
            return
        }
        partition.isElsewhere = !configuration.replicas.contains(identity.id)
        partition.topic = configuration.topic
        if partition.log != nil, partition.isElsewhere {
            refuseWaiting(partition, .notPrimary, elsewhere(id, configuration))
            // What was given up before has its new identity already.
            guard partition.log?.isBlank == false, !Mutation.copyElsewhereKept.isOn else { return }
            return dropLog(id, because: "other nodes have the partition now", livesOn: true)
        }
        guard mayLead(partition, configuration) else {
            partition.leader = configuration.primary
            refuseWaiting(partition, .notPrimary, elsewhere(id, configuration))
            return nominateAnother(partition, configuration, version: cell.version)
        }
        elect(partition, configuration, version: cell.version)
    }

    private func elsewhere(_ id: PartitionID, _ configuration: PartitionConfiguration) -> String {
        "the primary of partition \(id) is \(name(of: configuration.primary))"
    }

    // MARK: Whose turn it is

    /// Whether this node should be primary: it is named, or the named one is dead and it is this one's turn among the
    /// living members of the in-sync set. Never without the log that the set knows: that would be an unclean election.
    private func mayLead(_ partition: Partition, _ configuration: PartitionConfiguration) -> Bool {
        guard configuration.inSync.contains(ownMember(partition, configuration)) else { return false }
        guard !isLeaving else { return false }
        if configuration.primary == identity.id { return store.readOnlyReason == nil }
        guard isGone(configuration.primary) else {
            partition.leaderlessSinceMs = nil
            return false
        }
        let since = partition.leaderlessSinceMs ?? time.monotonicMs
        partition.leaderlessSinceMs = since
        // Each has its turn after the ones before it: they may be alive and not have the log that the set knows.
        let candidates = successors(of: configuration)
        guard let turn = candidates.firstIndex(of: identity.id) else { return false }
        return time.monotonicMs >= since + UInt64(turn) * limits.electionTurnMs
    }

    /// This node as a member of the set. Before the first epoch nobody wrote anything: the log that the topic's creator
    /// named is empty in any case, also where the node lost its logs before and would begin with another.
    func ownMember(_ partition: Partition, _ configuration: PartitionConfiguration) -> LogMember {
        let isNew = configuration.epoch == 0 && partition.log == nil
        return isNew
            ? LogMember.first(identity.id, of: partition.id)
            : LogMember(node: identity.id, logID: logID(of: partition.id))
    }

    /// The next in the order behind a node, around its end.
    private func successor(of node: NodeID, in configuration: PartitionConfiguration) -> NodeID? {
        let candidates = successors(of: configuration)
        let order = configuration.order
        guard let place = order.firstIndex(of: node) else { return candidates.first }
        return (order[place...] + order[..<place]).first { candidates.contains($0) }
    }

    /// Living members of the in-sync set, in the order in which they should take over.
    func successors(of configuration: PartitionConfiguration) -> [NodeID] {
        configuration.order.filter { node in
            node != configuration.primary && configuration.inSync.contains { $0.node == node }
                && (node == identity.id || state(of: node) == .alive)
        }
    }

    func state(of node: NodeID) -> MemberState? { members.first { $0.identity.id == node }?.state }

    /// Whether a node is taken for dead: the membership says so, or has not met it in all the time since this node
    /// started, as when the whole cluster stopped and not every node came back.
    func isGone(_ node: NodeID) -> Bool {
        switch state(of: node) {
        case .dead, .left: true
        case .alive, .suspect: false
        case nil: node != identity.id && time.monotonicMs >= startedMs + limits.unseenMemberMs
        }
    }

    // MARK: Taking the reign

    /// Asks for the next epoch.
    private mutating func elect(_ partition: Partition, _ present: PartitionConfiguration, version: Ballot) {
        var configuration = present
        configuration.primary = identity.id
        configuration.epoch = max(present.epoch, partition.log?.facts.epoch ?? 0) + 1
        if Mutation.restartKeepsEpoch.isOn, present.primary == identity.id, present.epoch > 0 {
            return lead(partition, present, version: version)
        }
        partition.role = .electing
        start(
            .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(version)), .serial),
            key: PartitionConfiguration.key(partition.id), for: .partition(partition.id, .elect(configuration)))
    }

    private mutating func elected(
        _ partition: Partition, _ configuration: PartitionConfiguration, _ result: OperationResult
    ) {
        guard case .electing = partition.role else { return }
        partition.role = .none
        switch result {
        case .written(let answer):
            guard answer.applied, let version = answer.version else { return load(partition.id) }
            lead(partition, configuration, version: version)
        case .failed(let code, let detail):
            if Mutation.unknownElectionWon.isOn, code == .outcomeUnknown {
                return lead(partition, configuration, version: .zero)
            }
            // Also an unknown outcome: an election is only won by an answer. The configuration is read again.
            refuseWaiting(partition, code == .outcomeUnknown ? .notReady : code, detail)
        default: break
        }
    }

    /// Begins a reign.
    private mutating func lead(_ partition: Partition, _ configuration: PartitionConfiguration, version: Ballot) {
        let id = partition.id
        // Without a log it is the one that the in-sync set names: `mayLead` has seen to that.
        let named = configuration.inSync.first { $0.node == identity.id }?.logID ?? logID(of: id)
        var log =
            partition.log
            ?? ReplicaLog(facts: LogFacts(logID: named, epoch: 0, highWatermark: 0, firstOffset: 0))
        // A damaged log may have been given up while the election was under way: the one that came after it has nothing.
        guard log.facts.logID == named || Mutation.leadsWithAnotherLog.isOn else { return load(id) }
        // A higher epoch heard of meanwhile ends this reign before it begins.
        guard log.facts.epoch < configuration.epoch || Mutation.restartKeepsEpoch.isOn else { return load(id) }
        if Mutation.electedDropsTail.isOn, log.facts.highWatermark < log.end {
            _ = log.truncate(to: max(log.facts.highWatermark, log.facts.firstOffset), bytes: 0)
            _ = store.apply(.truncate(id, from: log.end))
        }
        log.facts.epoch = configuration.epoch
        let sequence = store.apply(.log(id, log.facts))
        counters.primariesTaken += 1
        let primary = Primary(
            configuration: configuration, version: version,
            // Who is taken for dead, as mostly the former primary, leaves the in-sync set at once: to wait until its silence
            // shows again would only add to the time without publishes.
            followers: configuration.replicas.filter { $0 != identity.id }.map {
                Follower(node: $0, next: log.end, lastAnsweredMs: isGone($0) ? 0 : time.monotonicMs)
            },
            electionEnd: log.end, highWatermark: min(log.facts.highWatermark, log.end),
            beganMs: time.monotonicMs)
        if Mutation.electedServesEnd.isOn { primary.highWatermark = log.end }
        partition.log = log
        partition.leader = identity.id
        partition.leaderlessSinceMs = nil
        partition.role = .primary(primary)
        // Looked at at once, and so that the partitions of a topic do not all come at the same time afterwards.
        partition.nextReviewMs = 0
        // What stands in the log may still be on its way to the disk: it counts when the disk has it.
        partition.generation += 1
        partition.durableEnd = log.facts.firstOffset
        holdLog(id, end: log.end, until: sequence)
        for index in primary.followers.indices { ship(partition, primary, index) }
        advanceHighWatermark(partition)
        let waiting = partition.waiting
        partition.waiting = []
        for entry in waiting { retry(entry.message, entry.channel, entry.request) }
    }

    private mutating func retry(_ message: Message, _ channel: ChannelID, _ request: RequestID) {
        switch message {
        case .produce(let produce): self.produce(produce, for: channel, request)
        case .fetch(let fetch): self.fetch(fetch, for: channel, request)
        case .offsetRequest(let ask): findOffset(ask, for: channel, request)
        default: break
        }
    }

    // MARK: Leaving it

    /// Ends a reign: another epoch is in force.
    mutating func stepDown(_ id: PartitionID, because reason: String) {
        guard let partition = partitions[id], let primary = partition.primary else { return }
        note(.info, "\(identity.name) is no longer primary of partition \(id): \(reason)")
        partition.role = .none
        partition.nextLoadMs = time.monotonicMs + limits.operationTimeoutMs / 4
        for produce in primary.produces {
            refuse(
                produce.channel, produce.request, .outcomeUnknown,
                "the primary of partition \(id) changed: the batch may or may not be kept")
        }
        for fetch in primary.fetches {
            refuse(fetch.channel, fetch.request, .notPrimary, "the primary of partition \(id) changed")
        }
    }

    /// Gives the reign to an heir.
    mutating func resign(_ partition: Partition, to successor: NodeID, because reason: String) {
        guard let primary = partition.primary, !primary.isChanging, primary.proposed.isEmpty,
            time.monotonicMs >= partition.nextResignMs
        else { return }
        partition.nextResignMs = time.monotonicMs + limits.resignPauseMs
        counters.resignations += 1
        // First of all it serves nobody any more: the successor may begin at any moment.
        stepDown(partition.id, because: reason)
        nominate(partition, successor, primary.configuration, version: primary.version)
    }

    /// This node is named and cannot lead: it has lost the log that the set knows, or takes no writes. Another one may: the
    /// one behind this in the order, since the first of it may be where the reign has just come from, for the same reason.
    private mutating func nominateAnother(
        _ partition: Partition, _ configuration: PartitionConfiguration, version: Ballot
    ) {
        guard configuration.primary == identity.id, time.monotonicMs >= partition.nextResignMs,
            let successor = successor(of: identity.id, in: configuration)
        else { return }
        partition.nextResignMs = time.monotonicMs + limits.resignPauseMs
        nominate(partition, successor, configuration, version: version)
    }

    private mutating func nominate(
        _ partition: Partition, _ successor: NodeID, _ present: PartitionConfiguration, version: Ballot
    ) {
        var configuration = present
        configuration.primary = successor
        partition.leader = successor
        partition.leaderHeardMs = time.monotonicMs
        start(
            .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(version)), .serial),
            key: PartitionConfiguration.key(partition.id), for: .partition(partition.id, .nominate(successor)))
    }

    private mutating func nominated(_ partition: Partition, _ successor: NodeID, _ result: OperationResult) {
        guard case .written(let answer) = result, answer.applied else { return }
        outputs.append(.send(successor, .oneWay, .reconfigured(Reconfigured(partition: partition.id))))
    }

    mutating func refuseWaiting(_ partition: Partition, _ code: ErrorCode, _ detail: String) {
        let waiting = partition.waiting
        partition.waiting = []
        for entry in waiting { refuse(entry.channel, entry.request, code, detail) }
        forgetIfForeign(partition.id)
    }
}
