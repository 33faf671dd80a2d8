import NodeCore
import Wire

/// Where the copies of partitions must be when all is over.
extension Simulator {
    /// What a partition that does not rest where it should be lacks; nil when it does. `sets` has the configurations of all.
    func notInPlace(_ partition: Int, _ sets: [PartitionConfiguration]) -> String? {
        let id = logs.partitions[partition]
        let configuration = sets[partition]
        guard configuration.target.isEmpty else {
            return "\(id) is at \(configuration.replicas) and should be at \(configuration.target)"
        }
        // All of the partition was read there: damage has shown. A replica that nobody has read from may have some.
        let damaged = cluster.virtualNodes[configuration.primary.index].store.damagedCount(id)
        if damaged > 0 {
            return "n\(configuration.primary)'s copy of \(id) is primary and has \(damaged) damaged batches"
        }
        for (index, virtual) in cluster.virtualNodes.enumerated() where !configuration.replicas.contains(index.nodeID) {
            let count = virtual.store.allBatches(id).count
            // What remembers the identity of the next copy may stay.
            if count > 0 { return "n\(index + 1) has \(count) batches of \(id), which is at \(configuration.replicas)" }
        }
        return nil
    }

    /// What the placement of all partitions would still change; nil when nothing.
    func notPlaced(_ sets: [PartitionConfiguration]) -> String? {
        guard scenario.movesPartitions, let ring = currentRing, let plan = scenario.logs else { return nil }
        let present = zip(logs.partitions, zip(plan.partitions, sets)).map { id, entry in
            let factor = plan.topics[entry.0.topic].configuration.replicationFactor
            return PartitionPlacement.Present(id: id, replicas: entry.1.wanted, factor: Int(factor))
        }
        let places = ring.members.map { PartitionPlacement.Place(node: $0.id, zone: $0.zone) }
        return PartitionPlacement.changes(of: present, over: places, movesMax: 1).first.map {
            "\($0.id) should move to \($0.replicas), the ring has \(ring.members.map(\.id))"
        }
    }

    /// How long partitions may take to move, in milliseconds.
    var moveMs: UInt64 {
        guard scenario.movesPartitions else { return 0 }
        return (scenario.limits.balanceIntervalMs + scenario.limits.operationTimeoutMs * 2)
            * UInt64(logs.partitions.count)
    }
}
