import Wire

/// The primary's side of the log: it appends, ships, commits and serves.
extension Node {
    /// Appends a batch; it is acknowledged when every set that may be in force has it on disk.
    mutating func produce(_ request: Produce, for channel: ChannelID, _ id: RequestID) {
        let partition = request.partition
        guard let primary = partitions[partition]?.primary, let log = partitions[partition]?.log else {
            return waitForConfiguration(partition, channel, id, .produce(request))
        }
        guard request.batch.isIntact else {
            counters.batchesRefused += 1
            return refuse(
                channel, id, .corruptBatch,
                "the batch's checksum is not that of its bytes: it was damaged on the way or badly made")
        }
        guard primary.isReady else {
            return refuse(
                channel, id, .notReady,
                "\(identity.name) has just become primary and is still committing what it inherited")
        }
        if let reason = store.readOnlyReason {
            return refuse(channel, id, .readOnly, "\(identity.name) takes no writes: \(reason)")
        }
        let living = primary.configuration.inSync.filter { isReachable($0.node) }
        guard living.count >= primary.configuration.minInSync else {
            counters.noQuorum += 1
            let names = living.map { name(of: $0.node) }.joined(separator: ", ")
            return refuse(
                channel, id, .noQuorum,
                "\(primary.configuration.minInSync) in-sync replicas are needed, reachable: \(names)")
        }
        guard primary.produces.count < limits.producesWaitingMax, store.backlogBytes < limits.backlogBytesMax else {
            counters.overloaded += 1
            return refuse(
                channel, id, .overloaded,
                "partition \(partition) has \(primary.produces.count) publishes waiting: try again after a pause")
        }
        var batch = request.batch
        batch.baseOffset = log.end
        batch.epoch = primary.epoch
        counters.batchesAppended += 1
        counters.recordsAppended += UInt64(batch.count)
        partitions[partition]?.log?.append(batch)
        let sequence = store.apply(.append(partition, [batch]))
        partitions[partition]?.primary?.produces.append(
            WaitingProduce(
                base: batch.baseOffset, end: batch.endOffset, channel: channel, request: id,
                untilMs: time.monotonicMs + limits.operationTimeoutMs))
        for index in primary.followers.indices { ship(partition, index, fresh: batch) }
        holdLog(partition, end: batch.endOffset, until: sequence)
    }

    // MARK: Shipping

    /// Sends a follower what it lacks, as far as its window allows. `fresh` is the batch just appended, which spares the
    /// store when it is what comes next.
    mutating func ship(_ id: PartitionID, _ index: Int, fresh: RecordBatch? = nil) {
        guard let log = partitions[id]?.log, let primary = partitions[id]?.primary else { return }
        var follower = primary.followers[index]
        guard isReachable(follower.node) else { return }
        if follower.isProbing {
            guard time.monotonicMs >= follower.lastSentMs + limits.appendHeartbeatMs || follower.lastSentMs == 0 else {
                return
            }
            send([], to: &follower, id, log, primary)
        } else if let fresh, fresh.baseOffset == follower.next, follower.inFlightBytes < limits.appendWindowBytes {
            send([fresh], to: &follower, id, log, primary)
        } else {
            while follower.next < log.end, follower.inFlightBytes < limits.appendWindowBytes {
                do throws(StoreError) {
                    let batches = try store.batches(
                        id, from: follower.next, limit: log.end, bytesMax: limits.appendBytesMax)
                    guard !batches.isEmpty else { break }
                    send(batches, to: &follower, id, log, primary)
                } catch {
                    counters.storeErrors += 1
                    note(.error, "\(identity.name) cannot read partition \(id) to ship it: \(error)")
                    break
                }
            }
        }
        partitions[id]?.primary?.followers[index] = follower
    }

    private mutating func send(
        _ batches: [RecordBatch], to follower: inout Follower, _ id: PartitionID, _ log: ReplicaLog, _ primary: Primary
    ) {
        let previousEnd = batches.first?.baseOffset ?? follower.next
        let append = Append(
            partition: id, epoch: primary.epoch, previousEnd: previousEnd,
            previousEpoch: log.epoch(endingAt: previousEnd) ?? 0,
            highWatermark: primary.highWatermark, firstOffset: log.facts.firstOffset, batches: batches)
        outputs.append(.send(follower.node, .oneWay, .append(append)))
        if let last = batches.last { follower.next = last.endOffset }
        follower.inFlightBytes += batches.reduce(0) { $0 + $1.encodedCount }
        follower.lastSentMs = time.monotonicMs
    }

    /// What was in flight may be lost: looks again for where the logs agree, from the acknowledged end.
    mutating func restartShipping(_ id: PartitionID, _ index: Int) {
        guard let end = partitions[id]?.log?.end else { return }
        partitions[id]?.primary?.followers[index].next = end
        partitions[id]?.primary?.followers[index].inFlightBytes = 0
        partitions[id]?.primary?.followers[index].isProbing = true
        partitions[id]?.primary?.followers[index].lastSentMs = 0
        ship(id, index)
    }

    /// A follower has answered.
    mutating func receive(_ appended: Appended, from node: NodeID) {
        let id = appended.partition
        guard let primary = partitions[id]?.primary, let log = partitions[id]?.log else { return }
        if appended.epoch > primary.epoch {
            return stepDown(id, because: "\(name(of: node)) knows epoch \(appended.epoch)")
        }
        guard appended.epoch == primary.epoch, let index = primary.followers.firstIndex(where: { $0.node == node })
        else { return }
        var follower = primary.followers[index]
        if follower.logID != appended.logID {
            // Another log: what the former one held says nothing about this one.
            follower.logID = appended.logID
            follower.acknowledged = 0
        }
        follower.lastAnsweredMs = time.monotonicMs
        if appended.matched {
            let before = follower.acknowledged
            // Nothing behind the end of this log can agree with it.
            let end = min(appended.end, log.end)
            follower.acknowledged = max(before, end)
            if follower.isProbing {
                follower.isProbing = false
                follower.next = end
                follower.inFlightBytes = 0
            }
            if follower.acknowledged >= follower.next {
                follower.inFlightBytes = 0
            } else if follower.acknowledged > before, follower.next > before {
                // In proportion: the sizes of the batches between are not remembered.
                follower.inFlightBytes = Int(
                    Double(follower.inFlightBytes) * Double(follower.next - follower.acknowledged)
                        / Double(follower.next - before))
            }
        } else {
            follower.isProbing = true
            follower.next = min(appended.end, follower.next > 0 ? follower.next - 1 : 0, log.end)
            follower.inFlightBytes = 0
            follower.lastSentMs = 0
        }
        partitions[id]?.primary?.followers[index] = follower
        ship(id, index)
        advanceHighWatermark(id)
    }

    // MARK: Committing

    /// Moves the high watermark to what every set that may be in force has on disk, and answers who waited for it.
    mutating func advanceHighWatermark(_ id: PartitionID) {
        guard let primary = partitions[id]?.primary, let durableEnd = partitions[id]?.durableEnd else { return }
        let committed = primary.committed(ownEnd: durableEnd, own: identity.id)
        guard committed > primary.highWatermark else { return }
        partitions[id]?.primary?.highWatermark = committed
        partitions[id]?.log?.facts.highWatermark = committed
        while let first = partitions[id]?.primary?.produces.first, first.end <= committed {
            partitions[id]?.primary?.produces.removeFirst()
            reply(first.channel, first.request, .produced(Produced(baseOffset: first.base)))
        }
        guard partitions[id]?.primary?.isReady == true else { return }
        let waiting = partitions[id]?.primary?.fetches ?? []
        guard !waiting.isEmpty else { return }
        partitions[id]?.primary?.fetches = []
        for entry in waiting { serve(entry) }
    }

    // MARK: Fetching

    /// Serves records, or waits for some.
    mutating func fetch(_ fetch: Fetch, for channel: ChannelID, _ request: RequestID) {
        guard let primary = partitions[fetch.partition]?.primary else {
            return waitForConfiguration(fetch.partition, channel, request, .fetch(fetch))
        }
        counters.fetches += 1
        guard primary.isReady else {
            return refuse(
                channel, request, .notReady,
                "\(identity.name) has just become primary and is still committing what it inherited")
        }
        serve(
            WaitingFetch(
                fetch: fetch, channel: channel, request: request, untilMs: time.monotonicMs + UInt64(fetch.waitMs)))
    }

    private mutating func serve(_ waiting: WaitingFetch) {
        let id = waiting.fetch.partition
        guard let primary = partitions[id]?.primary, let log = partitions[id]?.log else { return }
        let offset = waiting.fetch.offset
        let isBeforeFirst = offset < log.facts.firstOffset
        if offset == .max || isBeforeFirst || offset < primary.highWatermark || time.monotonicMs >= waiting.untilMs {
            var batches: [RecordBatch] = []
            if !isBeforeFirst, offset < primary.highWatermark {
                do throws(StoreError) {
                    let bytesMax = min(Int(waiting.fetch.bytesMax), limits.fetchBytesMax)
                    batches = try store.batches(id, from: offset, limit: primary.highWatermark, bytesMax: bytesMax)
                } catch {
                    counters.storeErrors += 1
                    note(.error, "\(identity.name) cannot read partition \(id): \(error)")
                    return refuse(waiting.channel, waiting.request, .internalError, "\(identity.name): \(error)")
                }
            }
            reply(
                waiting.channel, waiting.request,
                .fetched(
                    Fetched(
                        epoch: primary.epoch, highWatermark: primary.highWatermark, firstOffset: log.facts.firstOffset,
                        batches: batches)))
        } else if primary.fetches.count < limits.fetchesWaitingMax {
            partitions[id]?.primary?.fetches.append(waiting)
        } else {
            counters.overloaded += 1
            refuse(
                waiting.channel, waiting.request, .overloaded,
                "\(limits.fetchesWaitingMax) fetches wait for partition \(id) already: try again after a pause")
        }
    }

    // MARK: Time and the in-sync set

    mutating func tickPrimary(_ id: PartitionID) {
        guard let primary = partitions[id]?.primary, let log = partitions[id]?.log else { return }
        let now = time.monotonicMs
        if primary.fetches.contains(where: { $0.untilMs <= now }) {
            let due = primary.fetches.filter { $0.untilMs <= now }
            partitions[id]?.primary?.fetches.removeAll { $0.untilMs <= now }
            for waiting in due { serve(waiting) }
        }
        while let first = primary.produces.first, first.untilMs <= now {
            primary.produces.removeFirst()
            counters.outcomesUnknown += 1
            refuse(
                first.channel, first.request, .outcomeUnknown,
                "the in-sync replicas did not acknowledge within \(limits.operationTimeoutMs) ms: the batch may or may not be kept"
            )
        }
        for index in primary.followers.indices {
            let follower = primary.followers[index]
            if follower.acknowledged < follower.next, now >= follower.lastAnsweredMs + limits.appendResendMs,
                now >= follower.lastSentMs + limits.appendResendMs
            {
                restartShipping(id, index)
            } else if follower.next < log.end || follower.isProbing {
                ship(id, index)
            } else if now >= follower.lastSentMs + limits.appendHeartbeatMs, isReachable(follower.node) {
                var follower = follower
                send([], to: &follower, id, log, primary)
                partitions[id]?.primary?.followers[index] = follower
            }
        }
        reviewInSyncSet(id)
    }

    /// Takes out of the in-sync set who does not answer, and in who has caught up.
    private mutating func reviewInSyncSet(_ id: PartitionID) {
        let now = time.monotonicMs
        guard let primary = partitions[id]?.primary, !primary.isChanging, now >= primary.nextChangeMs,
            let log = partitions[id]?.log
        else { return }
        var configuration = primary.configuration
        for member in primary.configuration.inSync where member.node != identity.id {
            guard let follower = primary.followers.first(where: { $0.node == member.node }) else { continue }
            let isSilent = now >= follower.lastAnsweredMs + limits.inSyncTimeoutMs
            let isOther = follower.logID != member.logID && follower.logID != 0
            if isSilent || isOther, configuration.inSync.count > configuration.minInSync {
                configuration.inSync.removeAll { $0 == member }
            }
        }
        for follower in primary.followers where follower.logID != 0 && !follower.isProbing {
            let member = LogMember(node: follower.node, logID: follower.logID)
            guard !configuration.inSync.contains(member), now < follower.lastAnsweredMs + limits.inSyncTimeoutMs,
                follower.acknowledged >= primary.highWatermark, follower.acknowledged >= primary.electionEnd,
                follower.acknowledged + UInt64(limits.producesWaitingMax) >= log.end
            else { continue }
            configuration.inSync.removeAll { $0.node == follower.node }
            configuration.inSync.append(member)
        }
        guard configuration.inSync != primary.configuration.inSync else {
            // A set whose change was never answered may be in force: a later change settles it.
            guard !primary.proposed.isEmpty else { return }
            return propose(id, configuration)
        }
        propose(id, configuration)
    }

    private mutating func propose(_ id: PartitionID, _ configuration: PartitionConfiguration) {
        guard let version = partitions[id]?.primary?.version else { return }
        partitions[id]?.primary?.isChanging = true
        // It may be in force from now on, answered or not.
        if partitions[id]?.primary?.proposed.contains(configuration.inSync) == false {
            partitions[id]?.primary?.proposed.append(configuration.inSync)
        }
        counters.inSyncChanges += 1
        start(
            .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(version)), .serial),
            key: PartitionConfiguration.key(id), for: .partition(id, .changeSet(configuration)))
    }

    /// A change of the in-sync set is over.
    mutating func setChanged(_ id: PartitionID, _ configuration: PartitionConfiguration, _ result: OperationResult) {
        guard let primary = partitions[id]?.primary, primary.epoch == configuration.epoch else { return }
        partitions[id]?.primary?.isChanging = false
        guard case .written(let answer) = result else {
            // Not at every tick: without a majority each attempt fails at once.
            primary.nextChangeMs = time.monotonicMs + limits.inSyncTimeoutMs
            return
        }
        if answer.applied, let version = answer.version {
            describeChange(id, from: primary.configuration, to: configuration)
            settle(id, configuration, version: version)
        } else if let cell = answer.current, case .value(let bytes) = cell.content,
            let present = PartitionConfiguration(bytes)
        {
            guard present.epoch == primary.epoch, present.primary == identity.id else {
                return stepDown(id, because: "\(name(of: present.primary)) is primary of epoch \(present.epoch)")
            }
            // One of the changes that were not answered has been made; the others compared with an older version and
            // cannot be any more.
            settle(id, present, version: cell.version)
        }
    }

    private mutating func settle(_ id: PartitionID, _ configuration: PartitionConfiguration, version: Ballot) {
        partitions[id]?.primary?.configuration = configuration
        partitions[id]?.primary?.version = version
        partitions[id]?.primary?.proposed = []
        advanceHighWatermark(id)
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
}
