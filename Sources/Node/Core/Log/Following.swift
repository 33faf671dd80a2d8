import Wire

/// The secondary's side of the log: it takes what the primary ships, cuts what differs, and acknowledges the durable end
/// of what matched.
extension Node {
    mutating func receive(_ append: Append, from node: NodeID) {
        let id = append.partition
        guard isWellFormed(append) else {
            counters.batchesRefused += 1
            return note(
                .error,
                "\(name(of: node)) shipped batches of partition \(id) that do not follow on each other from offset \(append.previousEnd): it is at fault"
            )
        }
        let partition = touch(id)
        startAnewIfPassed(partition, by: append)
        let isNew = partition.log == nil
        if isNew {
            partition.log = ReplicaLog(
                facts: LogFacts(logID: logID(of: id), epoch: 0, highWatermark: 0, firstOffset: 0))
        }
        guard let epoch = partition.log?.facts.epoch else { return }
        guard append.epoch >= epoch || Mutation.lowerEpochTaken.isOn else {
            // A primary that does not know yet that its reign is over. A new log is of epoch 0, which none is below.
            return answer(append, to: node, partition, matched: false, end: partition.log?.end ?? 0)
        }
        if partition.isPrimary, append.epoch > epoch {
            stepDown(id, because: "\(name(of: node)) is primary of epoch \(append.epoch)")
        }
        guard !partition.isPrimary else { return }
        partition.isElsewhere = false
        if partition.isDamaged { dropDamagedLog(partition) }
        if time.monotonicMs >= partition.leaderHeardMs + limits.operationTimeoutMs { partition.copiedIn = nil }
        partition.leader = node
        partition.leaderHeardMs = time.monotonicMs
        partition.leaderlessSinceMs = nil

        if append.epoch > epoch || isNew {
            // Durable before anything is answered under it.
            partition.log?.facts.epoch = append.epoch
            if !Mutation.epochNotDurable.isOn || isNew { apply(.log(id, partition.log?.facts), to: partition) }
            if Mutation.truncatesByWatermark.isOn, let log = partition.log, log.facts.highWatermark < log.end {
                cut(partition, at: log.facts.highWatermark, for: append)
            }
        }
        trim(partition, to: append.firstOffset, for: append)
        if Mutation.secondaryTrims.isOn, let log = partition.log {
            trim(partition, to: log.facts.highWatermark, for: append)
        }
        if let damaged = append.batches.first(where: { !$0.isIntact }) {
            counters.batchesRefused += 1
            return note(
                .error, "\(name(of: node)) shipped a damaged batch of partition \(id) at offset \(damaged.baseOffset)")
        }
        guard store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax else { return }
        take(append.producers, partition)
        match(append, from: node, partition)
    }

    /// A reign's first word to a replica stands at the end that its log had at the election or behind it, and what retention
    /// has let go was acknowledged before: an end below this log's first offset is that of an unclean election, and nothing
    /// of this log is worth anything any more.
    private mutating func startAnewIfPassed(_ partition: Partition, by append: Append) {
        guard let facts = partition.log?.facts, append.epoch > facts.epoch, append.previousEnd < facts.firstOffset
        else {
            return
        }
        if partition.isPrimary { stepDown(partition.id, because: "epoch \(append.epoch) has begun") }
        dropLog(
            partition.id,
            because:
                "epoch \(append.epoch) begins at offset \(append.previousEnd), below its first one, \(facts.firstOffset)",
            livesOn: true)
    }

    private mutating func match(_ append: Append, from node: NodeID, _ partition: Partition) {
        guard let found = partition.log?.match(append) else { return }
        guard case .agrees(let truncateTo, let from) = found else {
            if case .differs(let tryAt) = found { answer(append, to: node, partition, matched: false, end: tryAt) }
            return
        }
        if let truncateTo { cut(partition, at: truncateTo, for: append) }
        let fresh = append.batches[from...]
        if let first = fresh.first {
            guard let end = partition.log?.end, first.baseOffset == end else {
                // A gap: something between was lost. The primary tries from here.
                return answer(append, to: node, partition, matched: false, end: partition.log?.end ?? 0)
            }
            if mayLackMarkers(partition, fresh, epoch: append.epoch) {
                dropLog(
                    partition.id, because: "it may lack deletions that were compacted away; it is copied anew",
                    livesOn: true)
                partition.leader = node
                counters.copiesBegunAnew += 1
                return answer(append, to: node, partition, matched: false, end: 0)
            }
            if first.baseOffset == partition.log?.facts.firstOffset { partition.copiedIn = append.epoch }
            for batch in fresh { partition.log?.append(batch) }
            counters.batchesReplicated += UInt64(fresh.count)
            apply(.append(partition.id, Array(fresh)), to: partition)
        }
        let matchedEnd = append.batches.last?.endOffset ?? append.previousEnd
        if let known = partition.log?.facts.highWatermark {
            partition.log?.facts.highWatermark = max(known, min(append.highWatermark, matchedEnd))
        }
        let end = Mutation.acknowledgesEnd.isOn ? partition.log?.end ?? matchedEnd : matchedEnd
        answer(append, to: node, partition, matched: true, end: end)
    }

    /// Whether the batches stand one behind the other, and no number is so large that one more would not fit.
    private func isWellFormed(_ append: Append) -> Bool {
        guard append.epoch < .max, append.firstOffset <= append.previousEnd else { return false }
        var end = append.previousEnd
        for batch in append.batches {
            guard batch.baseOffset == end, end <= .max - Offset(batch.count), batch.epoch <= append.epoch else {
                return false
            }
            end = batch.endOffset
        }
        return true
    }

    /// Takes over what retention has left: what the primary has not any more was acknowledged long ago.
    private mutating func trim(_ partition: Partition, to first: Offset, for append: Append) {
        guard let log = partition.log, first > log.facts.firstOffset else { return }
        // The primary's first offset is where one of its batches begins or its log ends: a batch across it is another
        // one's and was never committed, and what stands behind it neither.
        if first < log.end, let base = startOfBatch(across: first, partition.id, log.end) {
            cut(partition, at: base, for: append)
        }
        partition.trimmed(to: first, bytes: bytes(of: partition.id, from: log.facts.firstOffset, limit: first))
        apply(.log(partition.id, partition.log?.facts), to: partition)
    }

    /// Where the batch begins that has records before an offset and behind it; nil when there is none.
    private mutating func startOfBatch(across offset: Offset, _ id: PartitionID, _ end: Offset) -> Offset? {
        do throws(StoreError) {
            return try store.find(.holding(offset), in: id, limit: end).flatMap { $0.base < offset ? $0.base : nil }
        } catch {
            counters.storeErrors += 1
            note(.error, "\(identity.name) cannot look into partition \(id): \(error)")
            // Nothing is cut on a doubt.
            return nil
        }
    }

    /// Cuts what this log has and the primary's has not.
    private mutating func cut(_ partition: Partition, at offset: Offset, for append: Append) {
        let id = partition.id
        guard let end = partition.log?.end, let known = partition.log?.facts.highWatermark else { return }
        counters.logTruncations += 1
        note(
            .warning,
            "\(identity.name) cuts partition \(id) from offset \(offset) to \(end): epoch \(append.epoch) has other records there"
        )
        let cut = bytes(of: id, from: offset, limit: end)
        let doubtful = partition.log?.truncate(to: offset, bytes: cut) ?? []
        partition.generation += 1
        if offset < partition.clean.end { partition.clean = CleanPart() }
        var earlier: [ProducerPosition] = []
        for producer in doubtful {
            do throws(StoreError) {
                if let position = try store.find(.lastOf(producer), in: id, limit: offset)?.position {
                    earlier.append(position)
                }
            } catch {
                counters.storeErrors += 1
                note(
                    .error,
                    "\(identity.name) cannot look for batches of producer \(producer) in partition \(id): \(error)")
            }
        }
        // Below the high watermark only after an unclean election; never on disk above what will stand there then.
        if let facts = partition.log?.facts, facts.highWatermark < known { apply(.log(id, facts), to: partition) }
        apply(.truncate(id, from: offset), to: partition)
        take(earlier, partition)
    }

    /// Takes in positions of producers that no batch of the log tells of.
    private mutating func take(_ positions: [ProducerPosition], _ partition: Partition) {
        guard !positions.isEmpty else { return }
        for position in positions { partition.log?.producers.add(position) }
        apply(.producers(partition.id, positions), to: partition)
    }

    /// Bytes of batches; 0 when they cannot be read, so that a count is wrong and not a log.
    mutating func bytes(of id: PartitionID, from: Offset, limit: Offset) -> UInt64 {
        do throws(StoreError) { return try store.bytes(of: id, from: from, limit: limit) } catch {
            counters.storeErrors += 1
            note(.error, "\(identity.name) cannot count the bytes of partition \(id): \(error)")
            return 0
        }
    }

    private mutating func apply(_ entry: JournalEntry?, to partition: Partition) {
        guard let entry else { return }
        partition.lastChange = store.apply(entry)
    }

    private mutating func answer(_ append: Append, to node: NodeID, _ partition: Partition, matched: Bool, end: Offset)
    {
        guard let facts = partition.log?.facts else { return }
        let appended = Appended(
            partition: append.partition, epoch: facts.epoch, logID: facts.logID, matched: matched, end: end)
        let output = NodeOutput.send(node, .oneWay, .appended(appended))
        let sequence = partition.lastChange
        if sequence > gate.durable, !Mutation.appendedBeforeDurable.isOn {
            gate.hold(.output(output), until: sequence)
        } else {
            outputs.append(output)
        }
    }
}

extension JournalEntry {
    fileprivate static func log(_ id: PartitionID, _ facts: LogFacts?) -> JournalEntry? {
        facts.map { .log(id, $0) }
    }
}
