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
        touch(id)
        var log =
            partitions[id]?.log
            ?? ReplicaLog(facts: LogFacts(logID: logID(of: id), epoch: 0, highWatermark: 0, firstOffset: 0))
        guard append.epoch >= log.facts.epoch else {
            // A primary that does not know yet that its reign is over.
            return answer(
                append, to: node, log, matched: false, end: log.end, until: partitions[id]?.lastChange ?? .start)
        }
        if partitions[id]?.isPrimary == true, append.epoch > log.facts.epoch {
            stepDown(id, because: "\(name(of: node)) is primary of epoch \(append.epoch)")
        }
        guard partitions[id]?.isPrimary != true else { return }
        partitions[id]?.leader = node
        partitions[id]?.leaderHeardMs = time.monotonicMs

        var sequence = partitions[id]?.lastChange ?? .start
        if append.epoch > log.facts.epoch || partitions[id]?.log == nil {
            // Durable before anything is answered under it.
            log.facts.epoch = append.epoch
            if log.end == 0, log.facts.firstOffset < append.firstOffset {
                log = ReplicaLog(
                    facts: LogFacts(
                        logID: log.facts.logID, epoch: append.epoch, highWatermark: 0, firstOffset: append.firstOffset))
            }
            sequence = store.apply(.log(id, log.facts))
        }
        if let damaged = append.batches.first(where: { !$0.isIntact }) {
            counters.batchesRefused += 1
            note(.error, "\(name(of: node)) shipped a damaged batch of partition \(id) at offset \(damaged.baseOffset)")
            return keep(log, id, sequence)
        }
        guard store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax else {
            return keep(log, id, sequence)
        }

        switch log.match(previousEnd: append.previousEnd, previousEpoch: append.previousEpoch, batches: append.batches)
        {
        case .differs(let tryAt):
            keep(log, id, sequence)
            answer(append, to: node, log, matched: false, end: tryAt, until: sequence)
        case .agrees(let truncateTo, let from):
            if let truncateTo {
                counters.logTruncations += 1
                note(
                    .warning,
                    "\(identity.name) cuts partition \(id) from offset \(truncateTo) to \(log.end): epoch \(append.epoch) has other records there"
                )
                log.truncate(to: truncateTo)
                partitions[id]?.generation += 1
                sequence = store.apply(.truncate(id, from: truncateTo))
            }
            let fresh = Array(append.batches[from...])
            if !fresh.isEmpty {
                guard fresh[0].baseOffset == log.end else {
                    // A gap: something between was lost. The primary tries from here.
                    keep(log, id, sequence)
                    return answer(append, to: node, log, matched: false, end: log.end, until: sequence)
                }
                for batch in fresh { log.append(batch) }
                counters.batchesReplicated += UInt64(fresh.count)
                sequence = store.apply(.append(id, fresh))
            }
            let matchedEnd = append.batches.last?.endOffset ?? append.previousEnd
            log.facts.highWatermark = max(log.facts.highWatermark, min(append.highWatermark, matchedEnd))
            keep(log, id, sequence)
            answer(append, to: node, log, matched: true, end: matchedEnd, until: sequence)
        }
    }

    /// Whether the batches stand one behind the other, and no number is so large that one more would not fit.
    private func isWellFormed(_ append: Append) -> Bool {
        guard append.epoch < .max else { return false }
        var end = append.previousEnd
        for batch in append.batches {
            guard batch.baseOffset == end, end <= .max - Offset(batch.count), batch.epoch <= append.epoch else {
                return false
            }
            end = batch.endOffset
        }
        return true
    }

    private mutating func keep(_ log: ReplicaLog, _ id: PartitionID, _ sequence: JournalSequence) {
        partitions[id]?.log = log
        partitions[id]?.lastChange = sequence
    }

    private mutating func answer(
        _ append: Append, to node: NodeID, _ log: ReplicaLog, matched: Bool, end: Offset,
        until sequence: JournalSequence
    ) {
        let appended = Appended(
            partition: append.partition, epoch: log.facts.epoch, logID: log.facts.logID, matched: matched, end: end)
        let output = NodeOutput.send(node, .oneWay, .appended(appended))
        if sequence > gate.durable { gate.hold(.output(output), until: sequence) } else { outputs.append(output) }
    }
}
