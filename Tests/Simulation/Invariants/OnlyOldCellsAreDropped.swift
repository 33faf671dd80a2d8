import NodeCore
import Wire

/// A replica forgets a register of its own only when its ballots are past the grace period, and when all replicas have had
/// that very cell.
struct OnlyOldCellsAreDropped: Invariant {
    let name = "collection"

    private struct Drop: Hashable {
        let place: NodeKey
        let ballot: Ballot
    }

    private var states: [NodeKey: RegisterState] = [:]
    private var drops: Set<Drop> = []

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .applied(let node, .register(let key, let state)) where !key.isLocal:
            states[NodeKey(node: node, key: key)] = state
        case .applied(let node, .forget(let key)) where !key.isLocal:
            guard let state = states.removeValue(forKey: NodeKey(node: node, key: key)),
                let ballot = state.accepted?.ballot
            else { return nil }
            return forgets(node, key, state, ballot, cluster)
        case .lost(let node, let keys):
            for key in keys { states[NodeKey(node: node, key: key)] = nil }
        case .started(let node):
            states = states.filter { $0.key.node != node }
            let store = cluster.virtualNodes[node].store
            for (key, state) in store.registers where !store.damaged.contains(key) && !key.isLocal {
                states[NodeKey(node: node, key: key)] = state
            }
        default: break
        }
        return nil
    }

    private mutating func forgets(
        _ node: Int, _ key: Key, _ state: RegisterState, _ ballot: Ballot, _ cluster: VirtualCluster
    ) -> String? {
        // While the ring changes, and behind a change, nodes forget what others own.
        guard let ring = cluster.virtualNodes[node].node?.ring, ring.next == nil else { return nil }
        let replicas = ring.replicas(of: key.token)
        guard replicas.contains(node.nodeID), !cluster.virtualNodes[node].store.hasLosses else { return nil }
        drops.insert(Drop(place: NodeKey(node: node, key: key), ballot: ballot))
        let newest = max(ballot, state.promised.witnessed)
        let wallMs = cluster.wallMs(of: node)
        if newest.time.milliseconds + cluster.limits.graceMs >= wallMs {
            return
                "n\(node + 1) forgets \(key) with a ballot of \(Trace.ballot(newest)), \(Int64(wallMs) - Int64(newest.time.milliseconds)) ms old"
        }
        for other in replicas.map(\.index) where other != node {
            let place = NodeKey(node: other, key: key)
            let store = cluster.virtualNodes[other].store
            guard !store.hasLosses, !drops.contains(Drop(place: place, ballot: ballot)),
                store.registers[key]?.accepted?.ballot ?? .zero < ballot
            else { continue }
            return "n\(node + 1) forgets \(key) at \(Trace.ballot(ballot)), which n\(other + 1) has never had"
        }
        return nil
    }
}
