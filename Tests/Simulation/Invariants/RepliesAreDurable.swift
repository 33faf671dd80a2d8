import NodeCore
import Wire

/// What a replica's answer is founded on would be found on its disk after a crash at this moment.
struct RepliesAreDurable: Invariant {
    let name = "durability"

    /// Registers that were forgotten at some time: their answers may be older than what is there now.
    private var forgotten: Set<NodeKey> = []

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .applied(let node, .forget(let key)):
            forgotten.insert(NodeKey(node: node, key: key))
            return nil
        case .replied(let node, let asked, let reply): return check(node, asked.message, reply, cluster)
        default: return nil
        }
    }

    private func check(_ node: Int, _ request: Message, _ reply: Message, _ cluster: VirtualCluster) -> String? {
        switch (request, reply) {
        case (.prepare(let request), .promise(let state)):
            return expect(state.promised, state.accepted, request.key, at: node, cluster, "promise")
        case (.accept(let request), .accepted(let reply)):
            let accepted = AcceptedCell(ballot: request.ballot, cell: request.cell)
            let promised = reply.nextPromised ? request.next ?? request.ballot : request.ballot
            return expect(promised, accepted, request.key, at: node, cluster, "acceptance")
        case (.replicaRead(let request), .replicaState(let state)):
            return expect(.zero, state.accepted, request.key, at: node, cluster, "copy")
        default: return nil
        }
    }

    private func expect(
        _ promised: Ballot, _ accepted: AcceptedCell?, _ key: Key, at node: Int, _ cluster: VirtualCluster,
        _ what: String
    ) -> String? {
        guard !forgotten.contains(NodeKey(node: node, key: key)) else { return nil }
        let durable = cluster.virtualNodes[node].store.durableRegister(key)
        if durable.promised < promised {
            return
                "n\(node + 1) answers with a \(what) of \(Trace.ballot(promised)) for \(key); on its disk is \(Trace.ballot(durable.promised))"
        }
        guard let accepted, durable.accepted?.ballot ?? .zero < accepted.ballot else { return nil }
        return
            "n\(node + 1) answers with a \(what) of \(key) at \(Trace.ballot(accepted.ballot)); on its disk is \(Trace.ballot(durable.accepted?.ballot ?? .zero))"
    }
}
