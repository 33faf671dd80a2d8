import NodeCore
import Wire

/// What a secondary acknowledges, and the epoch that it does so under, would be found on its disk after a crash at this
/// moment.
struct AcknowledgementsAreDurable: Invariant {
    let name = "log durability"

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .sent(let node, _, .appended(let answer)) = event else { return nil }
        let store = cluster.virtualNodes[node].store
        // A copy that was given up meanwhile says nothing any more.
        guard store.logFacts(answer.partition)?.logID == answer.logID else { return nil }
        let log = store.durableLog(answer.partition)
        let epoch = log?.facts.logID == answer.logID ? log?.facts.epoch ?? 0 : 0
        if epoch < answer.epoch {
            // A first answer of refusal leaves no trace.
            guard answer.matched || epoch > 0 else { return nil }
            return "n\(node + 1) answers for \(answer.partition) under epoch \(answer.epoch); on its disk is \(epoch)"
        }
        guard answer.matched, epoch == answer.epoch, let log else { return nil }
        let end = log.batches.last?.endOffset ?? log.facts.firstOffset
        guard end < answer.end else { return nil }
        return
            "n\(node + 1) acknowledges \(answer.partition) up to \(answer.end) in epoch \(epoch); on its disk are \(end)"
    }
}
