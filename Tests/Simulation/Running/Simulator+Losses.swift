import NodeCore
import Wire

/// Losses: of whole databases, and of single rows. What one node has lost, a majority of the others must know, so they come
/// one after the other.
extension Simulator {
    func loseDatabase(_ fault: ScriptedFault) {
        guard canLose(fault.node), canLoseLogs(fault.node) else { return }
        statistics.add(.faults, "databases lost")
        crash(fault.node, downMs: fault.forMs)
        cluster.lose(fault.node)
    }

    func damageRegisters(_ fault: ScriptedFault) {
        guard canLose(fault.node) else { return }
        let keys = cluster.virtualNodes[fault.node].store.settledKeys.filter { _ in dice.chance(0.5) }
        statistics.add(.faults, "registers damaged", keys.count)
        cluster.damage(fault.node, keys)
    }

    /// Whether everything that a node has is known to a majority that does without it.
    func canLose(_ node: Int) -> Bool {
        let others = cluster.virtualNodes.indices.filter { $0 != node }
        // Who has not come to write its ballot ceiling has promised nothing yet, and cannot know that.
        guard cluster.virtualNodes[node].isUp, cluster.virtualNodes[node].store.durableFact(.ballotCeiling) != nil,
            !others.contains(where: { cluster.virtualNodes[$0].store.hasLosses })
        else { return false }
        return cluster.virtualNodes.allSatisfy { virtual in
            guard
                let ring = virtual.node?.ring ?? virtual.store.fact(.ring).flatMap({ Node<MemoryStore>.decodeRing($0) })
            else { return false }
            return ring.replicas > 2 && ring.next?.replicas ?? 3 > 2 && ring.acceptors.count > 2
        }
    }
}
