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

    /// Under which epoch of the ring a node has accepted a ballot.
    private var epochs: [NodeID: [Ballot: Epoch]] = [:]

    /// Takes note of what a node accepts, and of the epoch that it knows then. To be told of all events.
    mutating func take(_ event: ClusterEvent, _ cluster: VirtualCluster) {
        guard case .applied(let node, .register(let key, let state)) = event, let accepted = state.accepted,
            PartitionConfiguration.partition(of: key) != nil, epochs[node.nodeID]?[accepted.ballot] == nil
        else { return }
        epochs[node.nodeID, default: [:]][accepted.ballot] = cluster.virtualNodes[node].node?.ring?.epoch ?? .none
    }

    /// Looks at the disks; gives those that may be in force.
    mutating func look(_ partition: PartitionID, _ cluster: VirtualCluster) -> [Found] {
        let key = PartitionConfiguration.key(partition)
        guard let ring = cluster.newestRing else { return [] }
        let sets = [ring.replicas(of: key.token), ring.nextReplicas(of: key.token) ?? []].filter { !$0.isEmpty }
        let accepted = sets.map { replicas in
            replicas.compactMap { node -> (node: NodeID, cell: AcceptedCell)? in
                cluster.virtualNodes[node.index].store.durableRegister(key).accepted.map { (node, $0) }
            }
        }
        for (_, cell) in accepted.joined() where cell.ballot > decided[partition]?.ballot ?? .zero {
            let holders = accepted.map { $0.filter { $0.cell.ballot == cell.ballot }.map(\.node) }
            // While the ring changes a majority of each set is needed, since the new owners may have copied before; but for
            // what was accepted by those who did not know of the change.
            let isOfBoth = zip(sets, holders).allSatisfy { $1.count > $0.count / 2 }
            let unaware = holders[0].filter { epochs[$0]?[cell.ballot] ?? ring.epoch < ring.epoch }
            guard isOfBoth || unaware.count > sets[0].count / 2, let found = found(cell) else { continue }
            decided[partition] = found
        }
        guard let newest = decided[partition] else { return [] }
        var all = [newest]
        for (_, cell) in accepted.joined()
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
