import NodeCore
import Wire

/// Faults, as the scenario has them.
extension Simulator {
    func begin(_ index: Int) {
        guard isStormy else { return }
        let fault = scenario.faults[index]
        let virtual = cluster.virtualNodes[fault.node]
        note("fault \(index): \(fault.kind) n\(fault.node + 1) n\(fault.other + 1) for \(fault.forMs) ms")
        statistics.add(.faults, fault.kind.rawValue)
        switch fault.kind {
        case .oneWayCuts:
            cluster.cut(fault.node, fault.other)
            if dice.chance(0.3) { cluster.disconnect(fault.node, fault.other) }
        case .twoWayCuts:
            cut(fault.node, fault.other)
        case .isolation:
            for other in cluster.virtualNodes.indices where other != fault.node { cut(fault.node, other) }
            if dice.chance(0.3) { cluster.announce(fault.node, .dead) }
        case .flaps: cluster.disconnect(fault.node, fault.other)
        case .pauses: cluster.pause(fault.node, forMs: fault.forMs)
        case .crashes: return crash(fault.node, downMs: fault.forMs)
        case .clusterCrashes:
            let isStaggered = dice.chance(0.5)
            for node in cluster.virtualNodes.indices {
                crash(node, downMs: isStaggered ? dice.pick(1...fault.forMs + 1) : fault.forMs)
            }
            return
        case .fullDisks: virtual.store.readOnlyReason = "the disk is full"
        case .slowDisks: virtual.syncMs = 10...max(11, min(fault.forMs, 300))
        case .clockJumps, .wildClocks: virtual.skewMs = fault.amount
        case .falseDeaths: cluster.announce(fault.node, .dead)
        case .joins, .leaves, .replacements, .deadReplacements, .factorChanges: return changeRing(fault)
        case .lostDatabases: return loseDatabase(fault)
        case .damagedRegisters: return damageRegisters(fault)
        default: return
        }
        plan(.end(fault: index), inMs: fault.forMs)
    }

    func end(_ index: Int) {
        guard isStormy else { return }
        let fault = scenario.faults[index]
        let virtual = cluster.virtualNodes[fault.node]
        note("fault \(index) ends")
        switch fault.kind {
        case .oneWayCuts: cluster.mend(fault.node, fault.other)
        case .twoWayCuts: mend(fault.node, fault.other)
        case .isolation:
            for other in cluster.virtualNodes.indices where other != fault.node { mend(fault.node, other) }
            if virtual.isUp { cluster.announce(fault.node, .alive) }
        case .flaps: cluster.connect(fault.node, fault.other)
        case .fullDisks: virtual.store.readOnlyReason = nil
        case .slowDisks: virtual.syncMs = nil
        case .clockJumps, .wildClocks: virtual.skewMs = scenario.skewMs[fault.node]
        case .falseDeaths: if virtual.isUp { cluster.announce(fault.node, .alive) }
        default: break
        }
    }

    private func cut(_ a: Int, _ b: Int) {
        cluster.cut(a, b)
        cluster.cut(b, a)
        if dice.chance(0.3) { cluster.disconnect(a, b) }
    }

    private func mend(_ a: Int, _ b: Int) {
        cluster.mend(a, b)
        cluster.mend(b, a)
    }

    func crash(_ node: Int, downMs: UInt64) {
        let virtual = cluster.virtualNodes[node]
        guard isStormy, virtual.isUp else { return }
        let unsynced = virtual.store.unsyncedCount
        if unsynced > 0 { statistics.add(.faults, "crashes with unsynced entries") }
        cluster.crash(node, keeping: scenario.kinds.contains(.tornCommits) ? dice.pick(0...unsynced) : 0)
        plan(.restart(node: node), inMs: downMs)
        plan(.announceDead(node: node, run: virtual.run), inMs: dice.pick(scenario.deathNoticedMs))
    }

    /// A node has applied an entry that is not synced yet.
    func nodeApplied(_ index: Int) {
        guard isStormy, dice.chance(scenario.crashOnApply) else { return }
        statistics.add(.faults, "crashes aimed at an accept")
        plan(.crash(node: index, downMs: dice.pick(scenario.aimedDownMs)), inMs: 0)
    }

    /// A client was told that its change is made: what happens when those who know of it stop?
    func changeAnswered() {
        guard isStormy, dice.chance(scenario.crashOnAnswer) else { return }
        statistics.add(.faults, "crashes aimed at an answer")
        let count = dice.pick(1...cluster.virtualNodes.count)
        let first = dice.pick(0...cluster.virtualNodes.count - 1)
        for step in 0..<count {
            let node = (first + step) % cluster.virtualNodes.count
            plan(.crash(node: node, downMs: dice.pick(scenario.aimedDownMs)), inMs: 0)
        }
    }
}
