import Wire

/// The replica sets of a ring, computed once, so that routing a request allocates nothing.
struct RouteTable {
    /// The ring that it was made from.
    let ring: Ring
    private let tokens: [UInt64]
    private let replicas: [[NodeID]]

    /// Computes the replica set that begins at every token of the ring.
    init(_ ring: Ring) {
        self.ring = ring
        tokens = ring.members.flatMap(\.tokens).sorted()
        replicas = tokens.map { ring.replicas(of: $0) }
    }

    /// The replica set of a key's token, first replica first.
    func replicas(of token: UInt64) -> [NodeID] {
        guard !tokens.isEmpty else { return [] }
        var low = 0
        var high = tokens.count
        while low < high {
            let middle = (low + high) / 2
            if tokens[middle] < token { low = middle + 1 } else { high = middle }
        }
        return replicas[low == tokens.count ? 0 : low]
    }
}
