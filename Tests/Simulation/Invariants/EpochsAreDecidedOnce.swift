import NodeCore
import Wire

/// A ring epoch is one ring, wherever it is in force, and a node's ring never goes back.
struct EpochsAreDecidedOnce: Invariant {
    let name = "epochs"

    private var rings: [Epoch: Ring] = [:]
    private var epochs: [Int: Epoch] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .applied(let node, .fact(.ring, let bytes)):
            guard let ring = Node<MemoryStore>.decodeRing(bytes) else {
                return "n\(node + 1) stores a ring that nobody can read"
            }
            if let before = epochs[node], before >= ring.epoch {
                return "n\(node + 1) has ring epoch \(before) and puts epoch \(ring.epoch) in force"
            }
            epochs[node] = ring.epoch
            guard let known = rings.updateValue(ring, forKey: ring.epoch), known != ring else { return nil }
            return "ring epoch \(ring.epoch) is two rings: \(known) and, at n\(node + 1), \(ring)"
        case .started(let node): epochs[node] = cluster.virtualNodes[node].node?.ring?.epoch
        default: break
        }
        return nil
    }
}
