/// The ids met last, to know a duplicate by.
package struct RecentIDs: Sendable {
    private let capacity: Int
    private var known: Set<String> = []
    private var order: [String] = []
    private var oldest = 0

    /// Remembers up to `capacity` ids; older ones are forgotten.
    package init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Whether the id is remembered.
    package func contains(_ id: String) -> Bool {
        known.contains(id)
    }

    /// Remembers an id; false when it was remembered already.
    @discardableResult
    package mutating func insert(_ id: String) -> Bool {
        guard known.insert(id).inserted else { return false }
        if order.count < capacity {
            order.append(id)
        } else {
            known.remove(order[oldest])
            order[oldest] = id
            oldest = (oldest + 1) % capacity
        }
        return true
    }
}

/// The greatest ids met, which for deliveries are the newest.
package struct NewestIDs: Sendable {
    private let capacity: Int
    private var ids: [String] = []
    private var isChanged = false

    /// Keeps up to `capacity` ids.
    package init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Takes an id in; nearly always it is the greatest or one that is known.
    package mutating func insert(_ id: String) {
        if ids.count == capacity, let least = ids.first, id < least { return }
        let place = (ids.lastIndex { $0 <= id } ?? -1) + 1
        if place > 0, ids[place - 1] == id { return }
        ids.insert(id, at: place)
        if ids.count > capacity { ids.removeFirst() }
        isChanged = true
    }

    /// All ids, greatest first, when there is a new one since the last call.
    package mutating func takeIfChanged() -> [String]? {
        guard isChanged else { return nil }
        isChanged = false
        return ids.reversed()
    }
}
