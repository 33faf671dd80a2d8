import NodeCore
import Wire

/// A copy never goes back to an epoch below one that it has heard of: neither on its disk nor in what it answers.
struct LogEpochsGoUp: Invariant {
    let name = "log epochs"

    private var answered: [LogCopy: LogEpoch] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .sent(let node, _, .appended(let answer)):
            return look(node, answer.partition, answer.logID, answer.epoch, "answers under")
        case .applied(let node, .log(let partition, let facts)):
            let copy = LogCopy(node: node, partition: partition, logID: facts.logID)
            guard let known = answered[copy], facts.epoch < known else { return nil }
            return "n\(node + 1) has answered for \(partition) under epoch \(known) and goes back to \(facts.epoch)"
        case .applied(let node, .append(let partition, let batches)):
            guard let logID = cluster.virtualNodes[node].store.logFacts(partition)?.logID,
                let last = batches.last
            else { return nil }
            let copy = LogCopy(node: node, partition: partition, logID: logID)
            let all = cluster.virtualNodes[node].store.allBatches(partition)
            if let index = all.indices.dropFirst().first(where: { all[$0].epoch < all[$0 - 1].epoch }) {
                return
                    "n\(node + 1)'s log of \(partition) has epoch \(all[index].epoch) behind \(all[index - 1].epoch) at \(all[index].baseOffset)"
            }
            guard let known = answered[copy], let heard = cluster.virtualNodes[node].store.logFacts(partition)?.epoch,
                heard < known
            else { return nil }
            return
                "n\(node + 1) takes \(last.baseOffset) of \(partition) in epoch \(heard), and has answered under \(known)"
        default: return nil
        }
    }

    private mutating func look(
        _ node: Int, _ partition: PartitionID, _ logID: LogID, _ epoch: LogEpoch, _ what: String
    ) -> String? {
        let copy = LogCopy(node: node, partition: partition, logID: logID)
        let known = answered[copy] ?? 0
        answered[copy] = max(known, epoch)
        guard epoch < known else { return nil }
        return "n\(node + 1) has answered for \(partition) under epoch \(known) and \(what) \(epoch)"
    }
}
