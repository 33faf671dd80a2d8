import NodeCore
import Wire

/// Only primaries let go of records, only of committed ones, and no copy takes back what it has let go of.
struct FirstOffsetsAreShipped: Invariant {
    let name = "first offsets"

    /// The highest first offset of each copy.
    private var ofCopies: [LogCopy: Offset] = [:]
    /// The highest first offset and the highest high watermark that any primary has shipped.
    private var firsts: [PartitionID: Offset] = [:]
    private var committed: [PartitionID: Offset] = [:]
    /// Whom a configuration that somebody has accepted names as the primary of an epoch.
    private var primaries: Set<Reign> = []

    private struct Reign: Hashable {
        let partition: PartitionID
        let epoch: LogEpoch
        let primary: NodeID
    }

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .sent(let node, _, .append(let append)):
            let id = append.partition
            firsts[id] = max(firsts[id] ?? 0, append.firstOffset)
            // A new primary may know what was let go of before it knows how much is committed.
            let end = max(committed[id] ?? 0, append.highWatermark)
            committed[id] = end
            guard append.firstOffset > end else { return nil }
            return "n\(node + 1) lets go of \(id) up to \(append.firstOffset), \(end) are committed"
        case .applied(let node, .log(let id, let facts)): return look(node, id, facts)
        case .applied(_, .register(let key, let state)):
            guard let id = PartitionConfiguration.partition(of: key),
                case .value(let bytes)? = state.accepted?.cell.content,
                let configuration = PartitionConfiguration(bytes)
            else { return nil }
            primaries.insert(Reign(partition: id, epoch: configuration.epoch, primary: configuration.primary))
            return nil
        case .crashed(let node):
            // What was not synced is back.
            for copy in ofCopies.keys where copy.node == node {
                ofCopies[copy] = cluster.virtualNodes[node].store.durableLog(copy.partition)?.facts.firstOffset ?? 0
            }
            return nil
        default: return nil
        }
    }

    private mutating func look(_ node: Int, _ id: PartitionID, _ facts: LogFacts) -> String? {
        let copy = LogCopy(node: node, partition: id, logID: facts.logID)
        let before = ofCopies[copy] ?? 0
        ofCopies[copy] = facts.firstOffset
        if facts.firstOffset < before {
            return "n\(node + 1) goes back from first offset \(before) of \(id) to \(facts.firstOffset)"
        }
        let reign = Reign(partition: id, epoch: facts.epoch, primary: node.nodeID)
        guard facts.firstOffset > before, facts.firstOffset > firsts[id] ?? 0, !primaries.contains(reign) else {
            return nil
        }
        return "n\(node + 1) lets go of \(id) up to \(facts.firstOffset), and no primary went beyond \(firsts[id] ?? 0)"
    }
}
