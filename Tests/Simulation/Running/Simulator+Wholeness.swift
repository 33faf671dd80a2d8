import NodeCore
import Wire

/// With all faults over, the cluster becomes whole by itself: one ring at rest, every key at each of its replicas alike and
/// nowhere else, nothing left to deliver, to mend or to learn again.
extension Simulator {
    func becomeWhole() {
        let limits = scenario.limits
        let beganMs = cluster.nowMs
        // What is held up longest: a comparison that waits for trees, and the delivery of hints that rests.
        let withinMs = 20_000 + 4 * limits.treeTimeoutMs + 4 * limits.hintRetryPauseMs + 2 * limits.mendRetryPauseMaxMs
        var nextRepairMs = cluster.nowMs
        while let problem = notWhole() {
            guard cluster.nowMs < beganMs + withinMs else {
                return fail("wholeness", "\(withinMs) ms after the last operation \(problem)")
            }
            if cluster.nowMs >= nextRepairMs {
                nextRepairMs = cluster.nowMs + 2_000
                for node in cluster.virtualNodes.indices { repair(node) }
            }
            cluster.run(forMs: 100)
        }
        statistics.add(.checked, "ms until whole", Int(cluster.nowMs - beganMs))
    }

    /// What was whole must also be what was written.
    func lookAgain() {
        for family in KeyFamily.allCases where family != .weak {
            for key in (scenario.keys[family] ?? []).indices {
                insist(family == .lock ? .getLock : .get, key, key % cluster.virtualNodes.count)
            }
        }
    }

    /// An operator asks a node to compare its ranges now.
    private func repair(_ node: Int) {
        cluster.request(
            RingOrder.firstRepair + node, to: node, .repairRequest(RepairRequest(begin: true)),
            epoch: cluster.virtualNodes[node].node?.ring?.epoch ?? .none)
    }

    /// What is missing; nil when the cluster is whole.
    private func notWhole() -> String? {
        guard let ring = currentRing else { return "there is no ring" }
        if ring.next != nil { return "ring epoch \(ring.epoch) is still joint" }
        for (index, virtual) in cluster.virtualNodes.enumerated() {
            guard let node = virtual.node else { return "n\(index + 1) is down" }
            if node.ring?.epoch != ring.epoch {
                return "n\(index + 1) has ring epoch \(node.ring?.epoch ?? .none) and not \(ring.epoch)"
            }
            if virtual.store.isAmnesiac { return "n\(index + 1) has not learned again what it lost" }
            // A register of the ring is looked at when the ring changes next.
            if let key = virtual.store.damaged.sorted().first(where: { !$0.isLocal }) {
                return "n\(index + 1)'s row of \(key) is damaged"
            }
            for gauge in node.gauges where gauge.value > 0 {
                switch gauge.name {
                case "hints_pending", "registers_damaged", "logs_damaged", "ranges_muted":
                    return "n\(index + 1) has \(gauge.value) \(gauge.name)"
                default: break
                }
            }
        }
        var keys: Set<Key> = []
        for virtual in cluster.virtualNodes { keys.formUnion(virtual.store.registers.keys.filter { !$0.isLocal }) }
        for key in keys.sorted() {
            if let problem = notWhole(key, ring) { return problem }
        }
        return nil
    }

    private func notWhole(_ key: Key, _ ring: Ring) -> String? {
        let replicas = ring.replicas(of: key.token)
        var first: (node: NodeID, accepted: AcceptedCell?)?
        for (index, virtual) in cluster.virtualNodes.enumerated() {
            let state = virtual.store.registers[key]
            guard replicas.contains(index.nodeID) else {
                if state != nil { return "n\(index + 1) has \(key), which is at \(replicas) only" }
                continue
            }
            guard let known = first else {
                first = (index.nodeID, state?.accepted)
                continue
            }
            guard known.accepted != state?.accepted else { continue }
            func text(_ accepted: AcceptedCell?) -> String {
                accepted.map { "\(Trace.cell($0.cell)) at \(Trace.ballot($0.ballot))" } ?? "nothing"
            }
            return
                "\(key) is \(text(known.accepted)) at n\(known.node) and \(text(state?.accepted)) at n\(index + 1)"
        }
        return nil
    }
}
