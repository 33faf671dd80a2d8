import Wire

/// The primary says who belongs to the in-sync set, and moves the replicas to where they should be. Every change is a
/// compare-and-set of the configuration's register.
extension Node {
    /// Takes out of the in-sync set who does not answer, and in who has caught up.
    mutating func reviewInSyncSet(_ partition: Partition, _ primary: Primary) {
        let now = time.monotonicMs
        guard !primary.isChanging, now >= primary.nextChangeMs, let end = partition.log?.end else { return }
        var configuration = primary.configuration
        // Nothing is acknowledged on a damaged copy alone.
        let fewest = max(configuration.minInSync, partition.isDamaged ? 2 : 1)
        for member in primary.configuration.inSync where member.node != identity.id {
            guard let follower = primary.followers.first(where: { $0.node == member.node }) else { continue }
            let isSilent = now >= follower.lastAnsweredMs + limits.inSyncTimeoutMs
            let isOther = follower.logID != member.logID && follower.logID != 0
            if isSilent || isOther, configuration.inSync.count > fewest {
                configuration.inSync.removeAll { $0 == member }
            }
        }
        for follower in primary.followers where follower.logID != 0 && !follower.isProbing {
            let member = LogMember(node: follower.node, logID: follower.logID)
            guard !configuration.inSync.contains(member), now < follower.lastAnsweredMs + limits.inSyncTimeoutMs,
                follower.acknowledged >= primary.highWatermark || Mutation.joinsBelowWatermark.isOn,
                follower.acknowledged >= primary.electionEnd || Mutation.joinsBelowElectionEnd.isOn,
                follower.acknowledged + UInt64(limits.producesWaitingMax) >= end
            else { continue }
            configuration.inSync.removeAll { $0.node == follower.node }
            configuration.inSync.append(member)
        }
        move(&configuration, primary)
        // A set whose change was never answered may be in force: a later change settles it.
        guard configuration != primary.configuration || !primary.proposed.isEmpty else {
            return restOnPreferred(partition, primary)
        }
        propose(partition, primary, configuration)
    }

    private mutating func propose(
        _ partition: Partition, _ primary: Primary, _ configuration: PartitionConfiguration
    ) {
        primary.isChanging = true
        // The reign stays here until the change is over, and publishes are taken again.
        primary.isHandingOver = isLeaving
        // It may be in force from now on, answered or not.
        if !primary.proposed.contains(configuration.inSync), !Mutation.growthCountsLate.isOn {
            primary.proposed.append(configuration.inSync)
        }
        if Mutation.shrinkCountsEarly.isOn { primary.configuration.inSync = configuration.inSync }
        counters.inSyncChanges += 1
        start(
            .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(primary.version)), .serial),
            key: PartitionConfiguration.key(partition.id), for: .partition(partition.id, .changeSet(configuration)))
    }

    /// A change of the sets is over.
    mutating func setChanged(
        _ partition: Partition, _ configuration: PartitionConfiguration, _ result: OperationResult
    ) {
        guard let primary = partition.primary, primary.epoch == configuration.epoch else { return }
        primary.isChanging = false
        guard case .written(let answer) = result else {
            if Mutation.timedOutChangeDone.isOn { settle(partition, primary, configuration, version: primary.version) }
            if Mutation.timedOutChangeSettledByRead.isOn {
                start(
                    .read(.quorum), key: PartitionConfiguration.key(partition.id), for: .partition(partition.id, .load))
            }
            // Not at every tick: without a majority each attempt fails at once.
            primary.nextChangeMs = time.monotonicMs + limits.inSyncTimeoutMs
            return
        }
        if answer.applied, let version = answer.version {
            describeChange(partition.id, from: primary.configuration, to: configuration)
            settle(partition, primary, configuration, version: version)
        } else if let cell = answer.current, case .value(let bytes) = cell.content,
            let present = PartitionConfiguration(bytes)
        {
            guard present.epoch == primary.epoch, present.primary == identity.id else {
                return stepDown(partition.id, to: present)
            }
            // One of the changes that were not answered has been made; the others compared with an older version and
            // cannot be any more. Or somebody else has said where the replicas should be.
            settle(partition, primary, present, version: cell.version)
        } else {
            stepDown(partition.id, because: "its configuration is gone")
        }
    }

    /// The configuration was read: another node has said where the replicas should be, or has taken the reign.
    mutating func refreshed(_ partition: Partition, _ result: OperationResult) {
        guard let primary = partition.primary, case .read(let accepted?) = result,
            case .value(let bytes) = accepted.cell.content, let present = PartitionConfiguration(bytes)
        else { return }
        guard present.epoch == primary.epoch, present.primary == identity.id else {
            if present.epoch >= primary.epoch { stepDown(partition.id, to: present) }
            return
        }
        // A version that is known to have changed settles what compared with the former one.
        guard !primary.isChanging, accepted.cell.version > primary.version else { return }
        settle(partition, primary, present, version: accepted.cell.version)
    }

    private mutating func stepDown(_ id: PartitionID, to present: PartitionConfiguration) {
        stepDown(id, because: "\(name(of: present.primary)) is primary of epoch \(present.epoch)")
    }

    private mutating func settle(
        _ partition: Partition, _ primary: Primary, _ configuration: PartitionConfiguration, version: Ballot
    ) {
        primary.configuration = configuration
        primary.version = version
        primary.proposed = []
        for node in configuration.replicas where node != identity.id {
            guard !primary.followers.contains(where: { $0.node == node }), let end = partition.log?.end else {
                continue
            }
            primary.followers.append(Follower(node: node, next: end, lastAnsweredMs: time.monotonicMs))
            ship(partition, primary, primary.followers.count - 1)
        }
        let gone = primary.followers.filter { !configuration.replicas.contains($0.node) }
        if !gone.isEmpty { primary.lastDepartureMs = time.monotonicMs }
        primary.followers.removeAll { !configuration.replicas.contains($0.node) }
        for follower in gone {
            outputs.append(.send(follower.node, .oneWay, .reconfigured(Reconfigured(partition: partition.id))))
        }
        advanceHighWatermark(partition)
    }

    private mutating func describeChange(
        _ id: PartitionID, from old: PartitionConfiguration, to new: PartitionConfiguration
    ) {
        for member in old.inSync where !new.inSync.contains(member) {
            note(.warning, "\(name(of: member.node)) left the in-sync set of partition \(id)")
        }
        for member in new.inSync where !old.inSync.contains(member) {
            note(.info, "\(name(of: member.node)) joined the in-sync set of partition \(id)")
        }
    }

    // MARK: Moving replicas

    /// One step towards where the replicas should be: first those that come, then, when they are in the set, away with
    /// those that go.
    private func move(_ configuration: inout PartitionConfiguration, _ primary: Primary) {
        guard !configuration.target.isEmpty else { return }
        let target = configuration.target
        let missing = target.filter { !configuration.replicas.contains($0) }
        if !missing.isEmpty {
            configuration.replicas += missing
            return
        }
        let isComplete = target.allSatisfy { node in configuration.inSync.contains { $0.node == node } }
        guard isComplete || Mutation.movesBeforeInSync.isOn, configuration.inSync == primary.configuration.inSync,
            target.contains(identity.id)
        else { return }
        configuration.replicas = target
        configuration.inSync.removeAll { !target.contains($0.node) }
        configuration.minInSync = min(configuration.minInSync, target.count)
        configuration.target = []
    }

    /// When nothing is in motion, the reign goes to whom it is meant for.
    private mutating func restOnPreferred(_ partition: Partition, _ primary: Primary) {
        guard let preferred = primary.configuration.wanted.first, preferred != identity.id, primary.isReady,
            primary.configuration.inSync.contains(where: { $0.node == preferred }),
            // Who has to go does not wait.
            !primary.configuration.wanted.contains(identity.id)
                || time.monotonicMs >= primary.reignBeganMs + limits.preferredPrimaryMs,
            time.monotonicMs >= partition.nextResignMs, heirs(of: primary).contains(preferred)
        else {
            primary.isHandingOver = isLeaving
            return
        }
        handOver(
            partition, primary, to: preferred, because: "\(name(of: preferred)) should have the reign and can take it")
    }

    /// The members of the in-sync set that can take the reign, in the order in which they should: whoever cannot write
    /// does not answer, and whoever has lost its log answers for another one.
    func heirs(of primary: Primary) -> [NodeID] {
        successors(of: primary.configuration).filter { node in
            primary.followers.contains {
                $0.node == node && time.monotonicMs < $0.lastAnsweredMs + limits.inSyncTimeoutMs
                    && primary.configuration.inSync.contains(LogMember(node: node, logID: $0.logID))
            }
        }
    }

    /// Gives the reign away without leaving a publish in doubt: those that come now wait at their clients, and those that
    /// are under way are answered first.
    mutating func handOver(_ partition: Partition, _ primary: Primary, to node: NodeID, because reason: String) {
        primary.isHandingOver = true
        guard primary.produces.isEmpty else { return }
        resign(partition, to: node, because: reason)
    }
}
