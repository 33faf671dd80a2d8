import NodeCore
import Wire

/// A change that was compared with what is there is proposed only under a ballot that majorities have promised.
struct ConditionsArePromised: Invariant {
    let name = "promised proposals"

    /// Those that were looked at. What is sent again later, for a read or as a hint, is no proposal any more.
    private var proposed: Set<Ballot> = []
    /// Since when anybody looks, in milliseconds since 1970: what was proposed before comes again for reads too.
    private var sinceMs: UInt64?

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        let sinceMs = sinceMs ?? cluster.wallMs
        self.sinceMs = sinceMs
        guard case .sent(let node, _, .accept(let accept)) = event, accept.ballot.node == node.nodeID,
            accept.cell.base != nil, accept.cell.version == accept.ballot, !accept.key.isLocal,
            accept.ballot.time.milliseconds >= sinceMs, proposed.insert(accept.ballot).inserted,
            let ring = cluster.virtualNodes[node].node?.ring,
            // What is on its own disk already was proposed before, perhaps to itself alone.
            cluster.virtualNodes[node].store.durableRegister(accept.key).accepted?.ballot != accept.ballot
        else { return nil }
        let token = accept.key.token
        var sets = [(nodes: ring.replicas(of: token), quorum: ring.quorum)]
        if let next = ring.next, let moved = ring.nextReplicas(of: token) { sets.append((moved, next.quorum)) }
        for set in sets {
            let promised = set.nodes.count { id in
                let store = cluster.virtualNodes[id.index].store
                // What was lost had been promised, and its node does not vote on anything else.
                // Nor does one that knows a later ring, and may have dropped what is not its own any more.
                return store.hasLosses || store.durableRegister(accept.key).promised >= accept.ballot
                    || store.fact(.ring).flatMap { Node<MemoryStore>.decodeRing($0) }?.epoch ?? .none > ring.epoch
            }
            if promised < set.quorum {
                return
                    "n\(node + 1) proposes \(Trace.cell(accept.cell)) for \(accept.key) under \(Trace.ballot(accept.ballot)), which \(promised) of \(set.nodes) have promised"
            }
        }
        return nil
    }
}
