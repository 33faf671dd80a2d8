import NodeCore
import Wire

/// What a replica has promised and accepted only ever grows, until it is forgotten as a whole.
struct PromisesStay: Invariant {
    let name = "promises"

    private var states: [NodeKey: RegisterState] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .applied(let node, .forget(let key)): states[NodeKey(node: node, key: key)] = nil
        case .applied(let node, .register(let key, let state)) where key.isReplicated:
            let place = NodeKey(node: node, key: key)
            let before = states.updateValue(state, forKey: place) ?? .empty
            if state.promised < before.promised {
                return
                    "n\(node + 1) has promised \(Trace.ballot(before.promised)) for \(key) and goes back to \(Trace.ballot(state.promised))"
            }
            let (was, now) = (before.accepted?.ballot ?? .zero, state.accepted?.ballot ?? .zero)
            if now < was {
                return "n\(node + 1) has accepted \(Trace.ballot(was)) for \(key) and goes back to \(Trace.ballot(now))"
            }
            // Who copies takes over what was accepted before his own promises were given.
            let isCopying =
                cluster.virtualNodes[node].node?.ring?.next != nil || cluster.virtualNodes[node].store.isAmnesiac
            if now > was, now < before.promised, !isCopying {
                return
                    "n\(node + 1) accepts \(Trace.ballot(now)) for \(key) though it has promised \(Trace.ballot(before.promised))"
            }
        case .lost(let node, let keys):
            // What is not there any more cannot be compared; that it is not voted on stands elsewhere.
            for key in keys { states[NodeKey(node: node, key: key)] = nil }
        case .started(let node):
            // What was not on the disk is gone; what is there now is where it goes on.
            states = states.filter { $0.key.node != node }
            let store = cluster.virtualNodes[node].store
            for (key, state) in store.registers where !store.damaged.contains(key) {
                states[NodeKey(node: node, key: key)] = state
            }
        default: break
        }
        return nil
    }
}
