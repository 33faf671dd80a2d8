import NodeCore
import Wire

/// A replica answers no request that was sent too long ago by its clock.
struct OldFramesAreRefused: Invariant {
    let name = "age"

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .replied(let node, let request, let reply) = event, reply.isWordOfReplica,
            let wallMs = request.arrivals.map(\.wallMs).min(),
            request.header.time.milliseconds + cluster.limits.operationAgeMaxMs < wallMs
        else { return nil }
        return
            "n\(node + 1) answers a \(request.message.type) with a \(reply.type) that was sent \(wallMs - request.header.time.milliseconds) ms ago"
    }
}
