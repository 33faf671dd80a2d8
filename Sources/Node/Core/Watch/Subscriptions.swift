import Wire

/// A replica's side of watches: who wants to hear of changed keys, and what has not been told yet.
struct Subscriptions {
    private struct Entry {
        let node: NodeID
        let prefix: [UInt8]
        var untilMs: UInt64
    }

    private var entries: [Entry] = []
    private var pending: [NodeID: [Key]] = [:]

    /// Whether nobody wants to hear anything: the case on every write of most clusters.
    var isEmpty: Bool { entries.isEmpty }

    /// How many there are.
    var count: Int { entries.count }

    /// Begins or renews an interest; says whether it was there, or nil when there are too many.
    mutating func renew(_ prefix: [UInt8], for node: NodeID, untilMs: UInt64, max: Int) -> Bool? {
        if let index = entries.firstIndex(where: { $0.node == node && $0.prefix == prefix }) {
            entries[index].untilMs = untilMs
            return true
        }
        guard entries.count < max else { return nil }
        entries.append(Entry(node: node, prefix: prefix, untilMs: untilMs))
        return false
    }

    /// A key has changed. A node that more is kept for than fits in a message loses its interests: it begins anew.
    mutating func changed(_ key: Key, keysMax: Int) {
        for entry in entries where key.bytes.starts(with: entry.prefix) && (entry.prefix.first == 0 || !key.isSystem) {
            if pending[entry.node]?.last == key { continue }
            pending[entry.node, default: []].append(key)
        }
        for (node, keys) in pending where keys.count > keysMax {
            pending[node] = nil
            entries.removeAll { $0.node == node }
        }
    }

    /// What is to be told now, and to whom.
    mutating func take(nowMs: UInt64) -> [(node: NodeID, keys: [Key])] {
        entries.removeAll { $0.untilMs <= nowMs }
        guard !pending.isEmpty else { return [] }
        defer { pending.removeAll(keepingCapacity: true) }
        return pending.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}

extension Node {
    /// Another node, or this one, wants to hear of changes under a prefix.
    mutating func subscribe(_ subscribe: Subscribe, for node: NodeID) -> Message {
        let known = subscriptions.renew(
            subscribe.prefix, for: node, untilMs: time.monotonicMs + limits.subscriptionMs,
            max: limits.subscriptionsMax)
        guard let known else {
            counters.overloaded += 1
            return .error(
                ErrorMessage(
                    code: .overloaded, detail: "\(identity.name) tells \(limits.subscriptionsMax) watches already"))
        }
        return .subscribed(Subscribed(wasKnown: known))
    }

    mutating func tickSubscriptions() {
        guard !subscriptions.isEmpty else { return }
        for (node, keys) in subscriptions.take(nowMs: time.monotonicMs) {
            if node == identity.id {
                receive(ChangedKeys(keys: keys))
                continue
            }
            for start in stride(from: 0, to: keys.count, by: WireLimits.scanItemsMax) {
                let part = Array(keys[start..<min(keys.count, start + WireLimits.scanItemsMax)])
                outputs.append(.send(node, .oneWay, .changedKeys(ChangedKeys(keys: part))))
            }
        }
    }
}
