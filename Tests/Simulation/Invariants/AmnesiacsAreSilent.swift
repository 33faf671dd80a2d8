import NodeCore
import Wire

/// A node that would find after a crash that it has lost its registers votes on none of them.
struct AmnesiacsAreSilent: Invariant {
    let name = "amnesia"

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .replied(let node, let request, let reply) = event, cluster.virtualNodes[node].store.isAmnesiac
        else { return nil }
        switch reply {
        case .promise, .accepted, .replicaState, .refused, .rangePage, .replicaPage, .tree, .collected:
            return "n\(node + 1) has lost its registers and answers a \(request.type) with a \(reply.type)"
        default: return nil
        }
    }
}
