import Wire

/// The primary ships its log to the secondaries.
extension Node {
    /// Sends a follower what it lacks, as far as its window allows. `fresh` is the batch just appended, which spares the
    /// store when it is what comes next.
    mutating func ship(_ partition: Partition, _ primary: Primary, _ index: Int, fresh: RecordBatch? = nil) {
        guard let end = partition.log?.end, isReachable(primary.followers[index].node) else { return }
        let follower = primary.followers[index]
        if follower.isProbing {
            guard time.monotonicMs >= follower.lastSentMs + limits.appendHeartbeatMs || follower.lastSentMs == 0 else {
                return
            }
            return send([], to: index, partition, primary)
        }
        if let fresh, fresh.baseOffset == follower.next, follower.inFlightBytes < limits.appendWindowBytes {
            return send([fresh], to: index, partition, primary)
        }
        // Retention may have passed where it stands, up to the end: then there is nothing to send but where the log begins.
        if let first = partition.log?.facts.firstOffset, follower.next < first {
            primary.followers[index].next = first
        }
        // Who is not in the set holds nobody up.
        let isThrottled = !primary.configuration.inSync.contains {
            $0.node == follower.node && $0.logID == follower.logID
        }
        while primary.followers[index].next < end, primary.followers[index].inFlightBytes < limits.appendWindowBytes {
            guard !isThrottled || catchUpBudget.isOpen else {
                counters.catchUpsThrottled += 1
                return beat(index, partition, primary)
            }
            do throws(StoreError) {
                let batches = try store.batches(
                    partition.id, from: primary.followers[index].next, limit: end, bytesMax: limits.appendBytesMax)
                guard !batches.isEmpty else { return }
                if isThrottled { catchUpBudget.spend(batches.reduce(0) { $0 + $1.encodedCount }) }
                send(batches, to: index, partition, primary)
            } catch {
                if !noticeLogDamage(partition, error) {
                    note(.error, "\(identity.name) cannot read partition \(partition.id) to ship it: \(error)")
                }
                // It is the one to take over.
                beat(index, partition, primary)
                return
            }
        }
    }

    /// Whoever is not sent the next batch now must not pass for dead.
    private mutating func beat(_ index: Int, _ partition: Partition, _ primary: Primary) {
        guard time.monotonicMs >= primary.followers[index].lastSentMs + limits.appendHeartbeatMs else { return }
        send([], to: index, partition, primary)
    }

    private mutating func send(_ batches: [RecordBatch], to index: Int, _ partition: Partition, _ primary: Primary) {
        guard let log = partition.log else { return }
        let first = log.facts.firstOffset
        let previousEnd = max(first, batches.first?.baseOffset ?? primary.followers[index].next)
        let append = Append(
            partition: partition.id, epoch: primary.epoch, previousEnd: previousEnd,
            previousEpoch: log.epoch(endingAt: previousEnd) ?? 0, highWatermark: primary.highWatermark,
            firstOffset: first, producers: positions(log, batches, previousEnd, primary.followers[index]),
            batches: batches)
        outputs.append(.send(primary.followers[index].node, .oneWay, .append(append)))
        if let last = batches.last { primary.followers[index].next = last.endOffset }
        primary.followers[index].inFlightBytes += batches.reduce(0) { $0 + $1.encodedCount }
        primary.followers[index].lastSentMs = time.monotonicMs
    }

    /// What the batches themselves do not tell of producers: what retention has taken, to whom begins at the first offset.
    /// Also when there are no batches: a follower may let go, as the primary did, of what it never had.
    private func positions(
        _ log: ReplicaLog, _ batches: [RecordBatch], _ previousEnd: Offset, _ follower: Follower
    ) -> [ProducerPosition] {
        let first = log.facts.firstOffset
        guard !log.producers.isEmpty, previousEnd == first, first > 0, !batches.isEmpty || follower.acknowledged < first
        else { return [] }
        return log.producers.last(below: previousEnd)
    }

    /// What was in flight may be lost: looks again for where the logs agree.
    mutating func restartShipping(_ partition: Partition, _ primary: Primary, _ index: Int) {
        guard let end = partition.log?.end else { return }
        primary.followers[index].next = end
        primary.followers[index].inFlightBytes = 0
        primary.followers[index].isProbing = true
        primary.followers[index].lastSentMs = 0
        ship(partition, primary, index)
    }

    /// A follower has answered.
    mutating func receive(_ appended: Appended, from node: NodeID) {
        guard let partition = partitions[appended.partition], let primary = partition.primary,
            let end = partition.log?.end
        else { return }
        if appended.epoch > primary.epoch {
            return stepDown(partition.id, because: "\(name(of: node)) knows epoch \(appended.epoch)")
        }
        guard appended.epoch == primary.epoch || Mutation.answerEpochUnchecked.isOn,
            let index = primary.followers.firstIndex(where: { $0.node == node })
        else { return }
        var follower = primary.followers[index]
        if follower.logID != appended.logID {
            // Another log: what the former one held says nothing about this one.
            follower.logID = appended.logID
            follower.acknowledged = 0
        }
        follower.lastAnsweredMs = time.monotonicMs
        if appended.matched {
            follower.take(acknowledged: min(appended.end, end))
        } else {
            follower.isProbing = true
            let wanted = min(appended.end, follower.next > 0 ? follower.next - 1 : 0, end)
            // A late answer may ask for what was acknowledged since: that stays.
            follower.next = max(follower.acknowledged, start(ofBatchAt: wanted, in: partition))
            follower.inFlightBytes = 0
            follower.lastSentMs = 0
        }
        primary.followers[index] = follower
        ship(partition, primary, index)
        advanceHighWatermark(partition)
    }

    /// The nearest offset at or below one at which no batch is cut in two: what a follower acknowledges is made of batches,
    /// and so the high watermark is.
    private mutating func start(ofBatchAt offset: Offset, in partition: Partition) -> Offset {
        guard let log = partition.log, offset < log.end else { return offset }
        do throws(StoreError) {
            let mark = try store.find(.holding(offset), in: partition.id, limit: log.end)
            return min(offset, mark?.base ?? offset)
        } catch {
            counters.storeErrors += 1
            note(.error, "\(identity.name) cannot look into partition \(partition.id): \(error)")
            return log.facts.firstOffset
        }
    }

    // MARK: Time

    mutating func tickPrimary(_ partition: Partition) {
        guard let primary = partition.primary else { return }
        expireFetches(partition, primary)
        expireProduces(primary)
        for index in primary.followers.indices { tickFollower(partition, primary, index) }
        reviewInSyncSet(partition, primary)
        if store.readOnlyReason != nil || isLeaving || partition.isDamaged, let heir = heirs(of: primary).first {
            if store.readOnlyReason != nil { resign(partition, to: heir, because: "its disk takes no writes") }
            if isLeaving { handOver(partition, primary, to: heir, because: "\(identity.name) is going down") }
            // What cannot be read cannot be shipped, so that publishes under way may wait for nothing.
            if partition.isDamaged { resign(partition, to: heir, because: "its copy is damaged") }
        }
        guard partition.isPrimary else { return }
        reviewTopic(of: partition, primary)
    }

    private mutating func tickFollower(_ partition: Partition, _ primary: Primary, _ index: Int) {
        let now = time.monotonicMs
        let follower = primary.followers[index]
        if follower.acknowledged < follower.next, now >= follower.lastAnsweredMs + limits.appendResendMs,
            now >= follower.lastSentMs + limits.appendResendMs
        {
            restartShipping(partition, primary, index)
        } else if follower.next < partition.log?.end ?? 0 || follower.isProbing {
            ship(partition, primary, index)
        } else if isReachable(follower.node) {
            beat(index, partition, primary)
        }
    }
}

extension Follower {
    /// The follower has what the primary has up to `end`, which is within the primary's log.
    fileprivate mutating func take(acknowledged end: Offset) {
        let before = acknowledged
        acknowledged = max(before, end)
        if isProbing {
            isProbing = false
            // What was acknowledged before need not be sent again, however late the answer is; and what is in flight is
            // always above it, so that it is sent again when it was lost.
            next = acknowledged
            inFlightBytes = 0
        }
        if acknowledged >= next {
            inFlightBytes = 0
        } else if acknowledged > before, next > before {
            // In proportion: the sizes of the batches between are not remembered.
            inFlightBytes = Int(Double(inFlightBytes) * Double(next - acknowledged) / Double(next - before))
        }
    }
}
