import DequeModule
import Wire

/// The primary takes publishes and acknowledges them.
extension Node {
    /// Appends a batch; it is acknowledged when every set that may be in force has it on disk.
    mutating func produce(_ request: Produce, for channel: ChannelID, _ id: RequestID) {
        guard let partition = partitions[request.partition], let primary = partition.primary,
            let end = partition.log?.end
        else {
            return waitForConfiguration(request.partition, channel, id, .produce(request))
        }
        guard isSound(request.batch, channel, id) else { return }
        guard primary.isReady else {
            return refuse(
                channel, id, .notReady,
                "\(identity.name) has just become primary and is still committing what it inherited")
        }
        guard !primary.isHandingOver else {
            return refuse(
                channel, id, .notReady, "\(identity.name) is giving partition \(partition.id) to another node")
        }
        var wait = WaitingProduce(
            base: end, end: end + Offset(request.batch.count), channel: channel, request: id,
            untilMs: time.monotonicMs + limits.operationTimeoutMs)
        switch partition.log?.producers.verdict(on: request.batch) {
        case .duplicate(let base, _)? where base < partition.log?.facts.firstOffset ?? 0:
            // It may have been another reign's and never kept: below the first offset nothing tells any more.
            return refuse(
                channel, id, .outcomeUnknown,
                "retention has passed offset \(base) of partition \(partition.id): whether this batch of producer \(request.batch.producerID) was kept there cannot be told any more"
            )
        case .duplicate(let base, let end)?:
            counters.duplicatesAnswered += 1
            (wait.base, wait.end) = (base, end)
            return acknowledge(wait, primary)
        case .outOfOrder(let expected)? where !Mutation.sequenceGapsTaken.isOn:
            counters.sequenceGaps += 1
            return refuse(
                channel, id, .sequenceGap,
                "producer \(request.batch.producerID) comes with sequence \(request.batch.sequence), \(expected) is its next in partition \(partition.id): begin anew with another producer id"
            )
        default: break
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
                "partition \(partition.id) has \(primary.produces.count) publishes waiting: try again after a pause")
        }
        var batch = request.batch
        batch.baseOffset = end
        batch.epoch = primary.epoch
        batch.appendedMs = max(partition.log?.appendedMs ?? 0, time.wallMs)
        counters.batchesAppended += 1
        counters.recordsAppended += UInt64(batch.count)
        partition.log?.append(batch)
        let sequence = store.apply(.append(partition.id, [batch]))
        primary.produces.append(wait)
        for index in primary.followers.indices { ship(partition, primary, index, fresh: batch) }
        holdLog(partition.id, end: batch.endOffset, until: sequence)
    }

    /// Whether a batch is what it says; refuses it if not. What is stored is never opened again on its way to consumers,
    /// so this is where a lie must end.
    private mutating func isSound(_ batch: RecordBatch, _ channel: ChannelID, _ id: RequestID) -> Bool {
        let problem: String
        if !batch.isIntact {
            problem = "the batch's checksum is not that of its bytes: it was damaged on the way or badly made"
        } else if batch.isSparse {
            problem = "the batch lacks records, as only compaction may make it"
        } else {
            do throws(WireError) {
                try batch.validate()
                return true
            } catch { problem = "the batch does not hold what it says: \(error)" }
        }
        counters.batchesRefused += 1
        refuse(channel, id, .corruptBatch, problem)
        return false
    }

    /// Answers a publish whose records are in the log already, once they are committed.
    private mutating func acknowledge(_ wait: WaitingProduce, _ primary: Primary) {
        if wait.end <= primary.highWatermark || Mutation.duplicateAnsweredEarly.isOn {
            return reply(wait.channel, wait.request, .produced(Produced(baseOffset: wait.base)))
        }
        guard primary.produces.count < limits.producesWaitingMax else {
            counters.overloaded += 1
            return refuse(
                wait.channel, wait.request, .overloaded,
                "\(primary.produces.count) publishes wait already: try again after a pause")
        }
        let place = primary.produces.lastIndex { $0.end <= wait.end }.map { $0 + 1 } ?? primary.produces.startIndex
        primary.produces.insert(wait, at: place)
    }

    /// Moves the high watermark to what every set that may be in force has on disk, and answers who waited for it.
    mutating func advanceHighWatermark(_ partition: Partition) {
        guard let primary = partition.primary else { return }
        let committed = primary.committed(ownEnd: partition.durableEnd, own: identity.id)
        guard committed > primary.highWatermark else { return }
        primary.highWatermark = committed
        partition.log?.facts.highWatermark = committed
        while let first = primary.produces.first, first.end <= committed {
            primary.produces.removeFirst()
            reply(first.channel, first.request, .produced(Produced(baseOffset: first.base)))
        }
        guard primary.isReady, !primary.fetches.isEmpty else { return }
        let waiting = primary.fetches
        primary.fetches = []
        for entry in waiting { serve(entry, partition, primary) }
    }

    /// Publishes that waited too long: their outcome is not known.
    mutating func expireProduces(_ primary: Primary) {
        // A duplicate may wait behind later records with an earlier end of its time.
        while let index = primary.produces.firstIndex(where: { $0.untilMs <= time.monotonicMs }) {
            let late = primary.produces.remove(at: index)
            counters.outcomesUnknown += 1
            refuse(
                late.channel, late.request, .outcomeUnknown,
                "the in-sync replicas did not acknowledge within \(limits.operationTimeoutMs) ms: the batch may or may not be kept"
            )
        }
    }
}
