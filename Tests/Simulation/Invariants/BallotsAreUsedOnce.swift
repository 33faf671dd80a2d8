import NodeCore
import Wire

/// A ballot belongs to one run of its maker and is used for one key, and all accepts under it carry the same cell.
struct BallotsAreUsedOnce: Invariant {
    let name = "ballots"

    private struct Use {
        let run: Int
        let key: Key
        var cell: Cell?
    }

    private var uses: [Ballot: Use] = [:]
    /// The highest ballot that each node has prepared with in its present run, and in those before.
    private var highest: [Int: (present: Ballot, before: Ballot)] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .started(let node):
            let known = highest[node] ?? (.zero, .zero)
            highest[node] = (.zero, max(known.present, known.before))
            // What it finds on its disk it may go on with, also when nobody was sent it yet.
            for (key, state) in cluster.virtualNodes[node].store.registers {
                guard let accepted = state.accepted, let known = uses[accepted.ballot], known.key == key,
                    known.cell == nil
                else { continue }
                uses[accepted.ballot]?.cell = accepted.cell
            }
            return nil
        case .sent(let node, _, .prepare(let prepare)):
            let known = highest[node] ?? (.zero, .zero)
            highest[node]?.present = max(known.present, prepare.ballot)
            if prepare.ballot <= known.before {
                return
                    "n\(node + 1) prepares with \(Trace.ballot(prepare.ballot)), and has come to \(Trace.ballot(known.before)) in a run before"
            }
            return use(prepare.ballot, prepare.key, nil, by: node, cluster)
        case .sent(let node, _, .accept(let accept)):
            return use(accept.ballot, accept.key, accept.cell, by: node, cluster)
        default: return nil
        }
    }

    private mutating func use(_ ballot: Ballot, _ key: Key, _ cell: Cell?, by node: Int, _ cluster: VirtualCluster)
        -> String?
    {
        let isMaker = Int(ballot.node.rawValue) == node + 1
        guard let known = uses[ballot] else {
            // Others' ballots come back in write-backs: which run of theirs it was does not show.
            if isMaker { uses[ballot] = Use(run: cluster.virtualNodes[node].run, key: key, cell: cell) }
            return nil
        }
        let text = Trace.ballot(ballot)
        if known.key != key { return "\(text) is used for \(known.key) and for \(key)" }
        if isMaker, known.run != cluster.virtualNodes[node].run, known.cell == nil || known.cell != cell {
            return "\(text) is used by two runs of n\(node + 1) for \(key)"
        }
        guard let cell else { return nil }
        if let before = known.cell, before != cell {
            return "\(text) carries two cells of \(key): \(Trace.cell(before)) and \(Trace.cell(cell))"
        }
        uses[ballot]?.cell = cell
        return nil
    }
}
