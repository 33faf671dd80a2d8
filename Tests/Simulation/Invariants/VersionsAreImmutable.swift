import NodeCore
import Wire

/// A version stands for one cell of one key, wherever it is accepted.
struct VersionsAreImmutable: Invariant {
    let name = "versions"

    private var cells: [Ballot: (key: Key, cell: Cell)] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .applied(let node, .register(let key, let state)) = event, let cell = state.accepted?.cell,
            !key.isLocal
        else { return nil }
        guard let known = cells[cell.version] else {
            cells[cell.version] = (key, cell)
            return nil
        }
        guard known.key != key || known.cell != cell else { return nil }
        return
            "version \(Trace.ballot(cell.version)) of \(known.key) is \(Trace.cell(known.cell)), and n\(node + 1) accepts it as \(Trace.cell(cell)) of \(key)"
    }
}
