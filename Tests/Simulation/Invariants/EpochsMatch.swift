import NodeCore
import Wire

/// A replica answers requests of its own ring epoch only.
struct EpochsMatch: Invariant {
    let name = "epochs of answers"

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .replied(let node, let request, let reply) = event, reply.isWordOfReplica,
            !request.arrivals.contains(where: { $0.epoch == request.header.epoch })
        else { return nil }
        return
            "n\(node + 1) was at ring epoch \(request.arrivals.map(\.epoch)) and answers a \(request.message.type) of epoch \(request.header.epoch) with a \(reply.type)"
    }
}
