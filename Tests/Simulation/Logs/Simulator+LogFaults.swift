import NodeCore
import Wire

/// Faults that hit whoever is primary.
extension Simulator {
    func begin(logFault index: Int) {
        guard isStormy, let fault = scenario.logs?.faults[index],
            let configuration = configuration(of: fault.partition)
        else { return }
        let primary = Int(configuration.primary.rawValue) - 1
        let others = configuration.replicas.map { Int($0.rawValue) - 1 }.filter { $0 != primary }
        guard !others.isEmpty else { return }
        let other = others[Int(fault.draw % UInt64(others.count))]
        note("fault of a reign \(index): \(fault.kind) n\(primary + 1) n\(other + 1) for \(fault.forMs) ms")
        statistics.add(.faults, "reigns: \(fault.kind)")
        switch fault.kind {
        case .crash: return crash(primary, downMs: fault.forMs + scenario.deathNoticedMs.lowerBound)
        case .restart: return crash(primary, downMs: 1 + fault.forMs % 20)
        case .secondaryCrash: return crash(other, downMs: fault.forMs)
        case .falseDeath: cluster.announce(primary, .dead)
        case .silence:
            for node in cluster.virtualNodes.indices where node != primary { cluster.cut(primary, node) }
            plan(.log(.suspect(primary)), inMs: fault.forMs / 2)
        case .deafness:
            for node in cluster.virtualNodes.indices where node != primary { cluster.cut(node, primary) }
            plan(.log(.suspect(primary)), inMs: fault.forMs / 2)
        case .isolation:
            for node in cluster.virtualNodes.indices where node != primary {
                cluster.cut(node, primary)
                cluster.cut(primary, node)
            }
            plan(.log(.suspect(primary)), inMs: fault.forMs / 4)
        case .lag: cluster.cut(primary, other)
        case .unheard: cluster.cut(other, primary)
        case .fullDisk:
            cluster.virtualNodes[primary].store.readOnlyReason = "the disk is full"
            return plan(.log(.mend(primary)), inMs: fault.forMs)
        case .damage: return damageBatch(fault, of: fault.draw >> 32 % 3 == 0 ? other : primary)
        case .pause: return cluster.pause(primary, forMs: fault.forMs)
        case .loss:
            let node = fault.draw >> 32 & 1 == 0 ? primary : other
            return loseDatabase(
                ScriptedFault(kind: .lostDatabases, atMs: 0, forMs: fault.forMs, node: node, other: other, amount: 0))
        }
        plan(.log(.mend(primary)), inMs: fault.forMs)
    }

    func suspect(_ node: Int) {
        guard isStormy else { return }
        cluster.announce(node, .dead)
    }

    func mendLog(_ node: Int) {
        guard isStormy else { return }
        for other in cluster.virtualNodes.indices where other != node {
            cluster.mend(node, other)
            cluster.mend(other, node)
        }
        cluster.virtualNodes[node].store.readOnlyReason = nil
        if cluster.virtualNodes[node].isUp { cluster.announce(node, .alive) }
    }

    /// A batch fails its checksum from now on, at a node without which everything is whole: another member of every set
    /// that may be in force has it too. Where one copy is enough for an acknowledgement, its damage is a loss.
    private func damageBatch(_ fault: LogFault, of node: Int) {
        let id = logs.partitions[fault.partition]
        guard canLose(node), canLoseLogs(node), let configuration = configuration(of: fault.partition),
            configuration.minInSync >= 2
        else { return }
        var others: [[RecordBatch]] = []
        for member in configuration.inSync where member.node.index != node {
            let store = cluster.virtualNodes[member.node.index].store
            // What is being given up counts no more, and a copy with a damaged batch is given up with all others. Any of
            // them may be who stays in the set.
            guard let log = store.durableLog(id), log.facts.logID == member.logID,
                store.logFacts(id)?.logID == member.logID, store.damagedCount(id) == 0
            else { return }
            others.append(log.batches)
        }
        let store = cluster.virtualNodes[node].store
        let batches = (store.durableLog(id)?.batches ?? []).filter { batch in
            !others.isEmpty && others.allSatisfy { $0.contains(batch) }
        }
        guard !batches.isEmpty else { return }
        let batch = batches[Int((fault.draw >> 8) % UInt64(batches.count))]
        note("n\(node + 1)'s batch of \(id) at \(batch.baseOffset) is damaged")
        statistics.add(.faults, "batches damaged")
        store.damage(batch, of: id)
    }
}
