import Wire

/// News that has not been repeated often enough. The newest comes first; what was sent goes to the back.
struct GossipQueue: Sendable {
    private struct Item: Sendable {
        let id: NodeID
        let source: NodeID
        var sent: Int
    }

    private var items: [Item] = []

    var isEmpty: Bool { items.isEmpty }

    /// Puts news of a member in front. The state itself is looked up when it is sent. Only suspicions are kept apart
    /// by source; other news takes the place of everything queued about the member.
    mutating func add(_ id: NodeID, source: NodeID, isConfirmation: Bool = false) {
        items.removeAll { $0.id == id && (!isConfirmation || $0.source == source) }
        items.insert(Item(id: id, source: source, sent: 0), at: 0)
    }

    /// Drops all news of a member.
    mutating func forget(_ id: NodeID) { items.removeAll { $0.id == id } }

    /// Takes news of up to `bytesMax` bytes for one message. Each piece leaves the queue after `limit` messages.
    mutating func take(bytesMax: Int, limit: Int, members: MemberTable) -> [MembershipUpdate] {
        guard !items.isEmpty else { return [] }
        var taken: [MembershipUpdate] = []
        var again: [Item] = []
        var bytes = 0
        var count = 0
        for item in items {
            guard let member = members[item.id] else {
                count += 1
                continue
            }
            let update = MembershipUpdate(state: member.state, identity: member.identity, source: item.source)
            guard bytes + update.encodedCount <= bytesMax || taken.isEmpty else { break }
            count += 1
            bytes += update.encodedCount
            taken.append(update)
            if item.sent + 1 < limit { again.append(Item(id: item.id, source: item.source, sent: item.sent + 1)) }
        }
        items.removeFirst(count)
        items.append(contentsOf: again)
        return taken
    }
}
