import NodeCore
import Wire

/// A new owner that says it holds everything has, for each key, what a majority of the old replicas had accepted and
/// promised when they came to know the joint epoch.
struct CopiesAreOfMajorities: Invariant {
    let name = "copies"

    /// What each old replica had on its disk when a joint epoch came in force there.
    private var known: [Epoch: [NodeID: [Key: RegisterState]]] = [:]
    /// Epochs in which somebody has lost what he had.
    private var isLossy = false
    private var checked: Set<Held> = []

    private struct Held: Hashable {
        let node: Int
        let epoch: Epoch
    }

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .lost: isLossy = true
        case .applied(let node, .fact(.ring, let bytes)):
            guard let ring = Node<MemoryStore>.decodeRing(bytes), ring.next != nil else { return nil }
            known[ring.epoch, default: [:]][node.nodeID] = cluster.virtualNodes[node].store.durableRegisters
        case .sent(let node, _, .held(let held)):
            guard !isLossy, let ring = cluster.virtualNodes[node].node?.ring, ring.epoch == held.epoch,
                checked.insert(Held(node: node, epoch: held.epoch)).inserted
            else { return nil }
            return check(node, ring, cluster.virtualNodes[node].store)
        default: break
        }
        return nil
    }

    private func check(_ node: Int, _ ring: Ring, _ store: MemoryStore) -> String? {
        guard let next = ring.next else { return nil }
        for segment in ring.segments where segment.mustCopy(node.nodeID, ring.layout, next) {
            let old = segment.replicas.compactMap { known[ring.epoch]?[$0] }
            guard old.count >= ring.quorum else {
                return
                    "n\(node + 1) holds all of epoch \(ring.epoch), and only \(old.count) of \(segment.replicas) know it"
            }
            let keys = Set(old.flatMap(\.keys)).filter { !$0.isLocal && segment.range.contains($0.token) }
            for key in keys.sorted() {
                // Of every majority, somebody had at least this.
                func least(_ ballot: (RegisterState) -> Ballot) -> Ballot {
                    old.map { ballot($0[key] ?? .empty) }.sorted()[ring.quorum - 1]
                }
                let own = store.durableRegister(key)
                let (accepted, promised) = (least { $0.accepted?.ballot ?? .zero }, least(\.promised))
                if own.accepted?.ballot ?? .zero < accepted {
                    return
                        "n\(node + 1) holds \(key) at \(Trace.ballot(own.accepted?.ballot ?? .zero)), and a majority had \(Trace.ballot(accepted))"
                }
                if own.promised < promised {
                    return
                        "n\(node + 1) has promised \(Trace.ballot(own.promised)) for \(key), and a majority had \(Trace.ballot(promised))"
                }
            }
        }
        return nil
    }
}
