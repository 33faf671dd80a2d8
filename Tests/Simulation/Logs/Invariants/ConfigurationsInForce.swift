import NodeCore
import Wire

/// Which configurations of partitions may be in force: what a majority has on disk, and what others have accepted above it.
struct ConfigurationsInForce {
    /// A configuration as it stands in its register.
    struct Found {
        let ballot: Ballot
        let version: Ballot
        let base: Ballot?
        let configuration: PartitionConfiguration
    }

    /// The newest known to be decided.
    private(set) var decided: [PartitionID: Found] = [:]

    /// Looks at the disks; gives those that may be in force.
    mutating func look(_ partition: PartitionID, _ cluster: VirtualCluster) -> [Found] {
        let key = PartitionConfiguration.key(partition)
        guard let ring = cluster.newestRing else { return [] }
        var accepted: [AcceptedCell] = []
        // While the ring changes both sets are asked, so that what a majority of either has is seen by whoever asks.
        for replicas in [ring.replicas(of: key.token), ring.nextReplicas(of: key.token) ?? []] {
            let cells = replicas.compactMap { cluster.virtualNodes[$0.index].store.durableRegister(key).accepted }
            for cell in cells where cell.ballot > decided[partition]?.ballot ?? .zero {
                guard cells.count(where: { $0.ballot == cell.ballot }) > replicas.count / 2, let found = found(cell)
                else { continue }
                decided[partition] = found
            }
            accepted += cells
        }
        guard let newest = decided[partition] else { return [] }
        var all = [newest]
        for cell in accepted where cell.ballot > newest.ballot && !all.contains(where: { $0.ballot == cell.ballot }) {
            if let found = found(cell) { all.append(found) }
        }
        return all
    }

    private func found(_ accepted: AcceptedCell) -> Found? {
        guard case .value(let bytes) = accepted.cell.content, let configuration = PartitionConfiguration(bytes) else {
            return nil
        }
        return Found(
            ballot: accepted.ballot, version: accepted.cell.version, base: accepted.cell.base,
            configuration: configuration)
    }
}
