import NodeCore
import Wire

/// A node that would find after a crash that it has lost its registers votes on none of them.
struct AmnesiacsAreSilent: Invariant {
    let name = "amnesia"

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .replied(let node, let request, let reply) = event, cluster.virtualNodes[node].store.isAmnesiac
        else { return nil }
        guard reply.isWordOfReplica else { return nil }
        return "n\(node + 1) has lost its registers and answers a \(request.message.type) with a \(reply.type)"
    }
}
