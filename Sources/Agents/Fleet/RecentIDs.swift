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
