import NodeCore
import Wire

/// An overwrite is proposed anew without a prepare only when no replica has taken its former proposal, or ever will.
struct GivenUpIsGone: Invariant {
    let name = "given up"

    /// A value, which only one operation writes.
    private struct Value: Hashable {
        let key: Key
        let bytes: [UInt8]
    }

    private var prepared: Set<Ballot> = []
    private var proposals: Set<Ballot> = []
    private var proposed: [Value: Ballot] = [:]
    private var accepted: Set<Ballot> = []
    private var givenUp: Set<Ballot> = []

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .sent(_, _, .prepare(let prepare)): prepared.insert(prepare.ballot)
        case .applied(let node, .register(let key, let state)):
            guard !key.isLocal, let cell = state.accepted?.cell else { return nil }
            accepted.insert(cell.version)
            if givenUp.contains(cell.version) {
                return "n\(node + 1) accepts \(Trace.cell(cell)) for \(key), which its proposer has given up"
            }
        case .sent(let node, _, .accept(let accept)):
            let cell = accept.cell
            // Writes that one copy is enough for keep no such promise.
            guard accept.ballot.node == node.nodeID, cell.version == accept.ballot, cell.base == nil,
                case .value(let bytes) = cell.content, KeyFamily(of: accept.key) != .weak,
                // What is sent again for a read or as a hint is no proposal.
                proposals.insert(cell.version).inserted
            else { return nil }
            let before = proposed.updateValue(cell.version, forKey: Value(key: accept.key, bytes: bytes))
            guard let before, before != cell.version, !prepared.contains(accept.ballot) else { return nil }
            givenUp.insert(before)
            if accepted.contains(before) {
                return
                    "n\(node + 1) proposes \(Trace.cell(cell)) for \(accept.key) anew, and \(Trace.ballot(before)) was accepted before"
            }
        default: break
        }
        return nil
    }
}
