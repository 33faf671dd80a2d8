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
        // While the ring changes a majority of each set is needed: the new owners may have copied before.
        let sets = [ring.replicas(of: key.token), ring.nextReplicas(of: key.token) ?? []].filter { !$0.isEmpty }
        let accepted = sets.map { replicas in
            replicas.compactMap { cluster.virtualNodes[$0.index].store.durableRegister(key).accepted }
        }
        for cell in accepted.joined() where cell.ballot > decided[partition]?.ballot ?? .zero {
            let isDecided = zip(sets, accepted).allSatisfy { replicas, cells in
                cells.count { $0.ballot == cell.ballot } > replicas.count / 2
            }
            guard isDecided, let found = found(cell) else { continue }
            decided[partition] = found
        }
        guard let newest = decided[partition] else { return [] }
        var all = [newest]
        for cell in accepted.joined()
        where cell.ballot > newest.ballot && !all.contains(where: { $0.ballot == cell.ballot }) {
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
