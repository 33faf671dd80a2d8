import NodeCore
import Wire

/// In each epoch of a partition one node ships batches, and one run of it.
struct EpochsHaveOnePrimary: Invariant {
    let name = "primaries"

    private struct Reign: Hashable {
        let partition: PartitionID
        let epoch: LogEpoch
    }

    private var primaries: [Reign: (node: Int, run: Int)] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .sent(let node, _, .append(let append)) = event else { return nil }
        let reign = Reign(partition: append.partition, epoch: append.epoch)
        let run = cluster.virtualNodes[node].run
        guard let known = primaries[reign] else {
            primaries[reign] = (node, run)
            return nil
        }
        guard known != (node, run) else { return nil }
        return
            "n\(node + 1) in run \(run) is primary of \(append.partition) in epoch \(append.epoch), as n\(known.node + 1) was in run \(known.run)"
    }
}
