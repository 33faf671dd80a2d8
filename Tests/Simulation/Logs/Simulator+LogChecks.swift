import NodeCore
import Wire

/// What must hold of topics when all is over.
extension Simulator {
    /// With all faults over, every partition takes records and serves all that was acknowledged or read.
    func finalLogs() {
        for partition in logs.partitions.indices {
            insistOnPublishing(partition)
            guard failures.isEmpty, let (first, batches) = insistOnReading(partition) else { return }
            check(partition, first, batches)
        }
    }

    /// Whether what a node has lost is still there: an intact copy in every set that may be in force.
    func canLoseLogs(_ node: Int) -> Bool {
        logs.partitions.allSatisfy { partition in
            let key = PartitionConfiguration.key(partition)
            return cluster.virtualNodes.allSatisfy { virtual in
                guard case .value(let bytes)? = virtual.store.registers[key]?.accepted?.cell.content,
                    let configuration = PartitionConfiguration(bytes)
                else { return true }
                return configuration.inSync.contains { member in
                    let index = Int(member.node.rawValue) - 1
                    let store = cluster.virtualNodes[index].store
                    return index != node && store.durableLog(partition)?.facts.logID == member.logID
                        && store.logFacts(partition)?.logID == member.logID && store.damagedCount(partition) == 0
                }
            }
        }
    }

    private var patienceMs: UInt64 {
        let limits = scenario.limits
        return limits.operationTimeoutMs * 6 + limits.unseenMemberMs + limits.resignPauseMs + limits.electionTurnMs * 4
            + limits.inSyncTimeoutMs * 4 + 10_000
    }

    private func insistOnPublishing(_ partition: Int) {
        let deadlineMs = cluster.nowMs + patienceMs
        while cluster.nowMs < deadlineMs {
            let index = logs.producers.count
            let planned = LogPlan.Producer(
                partition: partition, isNumbered: true, batches: 1, recordsMax: 1, bytesMax: 0, thinkMaxMs: 1,
                patienceMs: scenario.limits.operationTimeoutMs + 100, deadlineMs: 2_000)
            let dice = Dice(seed: scenario.seed, Scenario.logDice, UInt64(index) << 32)
            logs.producers.append(SimulatedProducer(plan: planned, dice: dice, left: 1))
            plan(.log(.produce(index)), inMs: 0)
            cluster.run(forMs: patienceMs) { !failures.isEmpty || logs.producers[index].isDone }
            guard failures.isEmpty else { return }
            if case .kept? = logs.batches.last(where: { $0.producer == index })?.outcome { return }
        }
        fail(
            "liveness",
            "\(logs.partitions[partition]) takes no records \(patienceMs) ms after the faults: \(String(describing: configuration(of: partition)))"
        )
    }

    /// All that the partition has, and its first offset.
    private func insistOnReading(_ partition: Int) -> (Offset, [RecordBatch])? {
        let deadlineMs = cluster.nowMs + patienceMs
        var found: [RecordBatch] = []
        var next: Offset = 0
        var first: Offset = 0
        while cluster.nowMs < deadlineMs {
            guard let primary = configuration(of: partition)?.primary,
                let answer = ask(
                    Int(primary.rawValue) - 1,
                    .fetch(Fetch(partition: logs.partitions[partition], offset: next, bytesMax: 1 << 20, waitMs: 0))),
                case .fetched(let body) = answer
            else {
                cluster.run(forMs: 20)
                continue
            }
            if next < body.firstOffset {
                // Retention may have passed what was read just now.
                (first, next, found) = (body.firstOffset, body.firstOffset, [])
                continue
            }
            if let problem = logs.histories[partition].fetched(
                body, from: next, floors: logs.histories[partition].floors)
            {
                fail(problem.check, "\(logs.partitions[partition]): \(problem.detail)")
                return nil
            }
            found += body.batches
            next = max(next, body.batches.last?.endOffset ?? next)
            if next >= body.highWatermark { return (first, found) }
        }
        fail("liveness", "\(logs.partitions[partition]) is not served \(patienceMs) ms after the faults")
        return nil
    }

    /// Asks a node something outside of all histories.
    private func ask(_ node: Int, _ message: Message) -> Message? {
        let index = logs.requests.count
        logs.requests.append(LogRequest(sender: .checker, node: node))
        cluster.request(LogClients.numbers.lowerBound + index, to: node, message)
        cluster.run(forMs: scenario.limits.operationTimeoutMs + 100) { logs.checkerHeard[index] != nil }
        return logs.checkerHeard.removeValue(forKey: index)
    }

    private func check(_ partition: Int, _ first: Offset, _ batches: [RecordBatch]) {
        let id = logs.partitions[partition]
        statistics.add(.checked, "partitions")
        statistics.add(.checked, "batches in logs", batches.count)
        statistics.add(.checked, "readers that fell behind", logs.histories[partition].fellBehind)
        let topic = scenario.logs.map { $0.topics[$0.partitions[partition].topic].configuration }
        if first > 0, topic?.retentionMs == 0, topic?.retentionBytes == 0 {
            fail("retention", "\(id) begins at \(first), and keeps everything")
        }
        var present: [Offset: RecordLabel] = [:]
        var sequences: [UInt64: UInt64] = [:]
        for batch in batches {
            for entry in (try? batch.entries()) ?? [] { present[entry.offset] = RecordLabel(entry.record) }
            if batch.isSparse, topic?.cleanup != .compact {
                fail("compaction", "\(id) has lost records at \(batch.baseOffset), and is not compacted")
            }
            guard batch.producerID != 0 else { continue }
            let expected = sequences[batch.producerID] ?? (first == 0 ? 0 : batch.sequence)
            if batch.sequence != expected {
                fail(
                    "sequences",
                    "\(id) has sequence \(batch.sequence) of producer \(batch.producerID) at \(batch.baseOffset), \(expected) is its next"
                )
            }
            sequences[batch.producerID] = batch.sequence + UInt64(batch.count)
        }
        let known = logs.histories[partition].known
        let newest = newestOffsets(known + present.map { ($0.key, $0.value) })
        for (offset, label) in known where offset >= first && present[offset] != label {
            if topic?.cleanup == .compact, present[offset] == nil, mayBeGone(label, at: offset, newest) { continue }
            fail(
                "lost",
                "\(id) had record \(label) at \(offset), and has \(present[offset].map { "\($0)" } ?? "nothing")")
        }
        for (offset, label) in present where logs.batches[label.batch].outcome == .refused {
            fail("refused", "\(id) has record \(label) at \(offset), which was refused for certain")
        }
    }

    /// All replicas become equal, but for what compaction has taken, and members of the in-sync set.
    func logsBecomeWhole() {
        guard scenario.logs != nil else { return }
        let beganMs = cluster.nowMs
        // Who catches up has to be let: each replica may have to have everything anew, at the pace that is allowed.
        let stores = cluster.virtualNodes.map(\.store)
        let bytes = logs.partitions.reduce(0) { sum, id in
            sum + stores.reduce(0) { sum, store in sum + store.allBatches(id).reduce(0) { $0 + $1.encodedCount } }
        }
        let withinMs = patienceMs + moveMs + UInt64(bytes * 1_000 / scenario.limits.catchUpBytesPerSecond)
        while let problem = logsNotWhole() {
            guard cluster.nowMs < beganMs + withinMs else {
                return fail("wholeness", "\(withinMs) ms after the last record \(problem)")
            }
            readWhereDamaged()
            cluster.run(forMs: 50)
        }
        statistics.add(.checked, "ms until logs are whole", Int(cluster.nowMs - beganMs))
    }

    /// Damage shows when somebody reads, and the reign may have come to a damaged copy since everything was read.
    private func readWhereDamaged() {
        for (index, id) in logs.partitions.enumerated() {
            guard let primary = configuration(of: index)?.primary.index else { continue }
            let store = cluster.virtualNodes[primary].store
            guard store.damagedCount(id) > 0, let first = store.logFacts(id)?.firstOffset else { continue }
            _ = ask(primary, .fetch(Fetch(partition: id, offset: first, bytesMax: 1 << 20, waitMs: 0)))
        }
    }

    private func logsNotWhole() -> String? {
        var sets: [PartitionConfiguration] = []
        for (index, id) in logs.partitions.enumerated() {
            guard let configuration = configuration(of: index) else { return "\(id) has no configuration" }
            sets.append(configuration)
        }
        for index in sets.indices {
            if let problem = notInPlace(index, sets) ?? notEqual(index, sets[index]) { return problem }
        }
        return notPlaced(sets)
    }

    private func notEqual(_ partition: Int, _ configuration: PartitionConfiguration) -> String? {
        let id = logs.partitions[partition]
        var first: (node: NodeID, facts: LogFacts, batches: [RecordBatch])?
        for node in configuration.replicas {
            let store = cluster.virtualNodes[Int(node.rawValue) - 1].store
            guard let facts = store.logFacts(id) else { return "\(id) has no log at n\(node)" }
            guard configuration.inSync.contains(LogMember(node: node, logID: facts.logID)) else {
                return "n\(node) is not in sync for \(id)"
            }
            let batches = store.allBatches(id)
            guard let known = first else {
                first = (node, facts, batches)
                continue
            }
            // Another primary before may have let go of more; of less than the present one nobody has.
            let from = max(known.facts.firstOffset, facts.firstOffset)
            func rest(_ batches: [RecordBatch]) -> [RecordBatch] { batches.filter { $0.baseOffset >= from } }
            if let problem = difference(rest(known.batches), rest(batches)) {
                return "\(id) at n\(known.node) and n\(node): \(problem)"
            }
            let primary = cluster.virtualNodes[configuration.primary.index].store.logFacts(id)
            if facts.firstOffset < primary?.firstOffset ?? 0 {
                return
                    "\(id) begins at \(facts.firstOffset) at n\(node), and at \(primary?.firstOffset ?? 0) at its primary"
            }
        }
        return nil
    }
}
