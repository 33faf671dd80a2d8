import DequeModule

/// Operations of one key take turns at their coordinator: either one that writes, or any number that read. Without it,
/// the operations of one node would collide with each other.
struct KeyQueue {
    private var waiting: Deque<(id: OperationID, isRead: Bool)> = []
    private var readers = 0
    private var writing = false

    /// Whether nobody runs or waits.
    var isIdle: Bool { readers == 0 && !writing && waiting.isEmpty }

    /// Adds an operation; says whether it may run at once.
    mutating func enter(_ id: OperationID, isRead: Bool) -> Bool {
        if waiting.isEmpty, !writing, isRead || readers == 0 {
            if isRead { readers += 1 } else { writing = true }
            return true
        }
        waiting.append((id, isRead))
        return false
    }

    /// An operation that ran is over.
    mutating func leave(isRead: Bool) {
        if isRead { readers -= 1 } else { writing = false }
    }

    /// An operation that never ran is over.
    mutating func abandon(_ id: OperationID) { waiting.removeAll { $0.id == id } }

    /// The next operation that may run now.
    mutating func next() -> OperationID? {
        guard let first = waiting.first, !writing, first.isRead || readers == 0 else { return nil }
        waiting.removeFirst()
        if first.isRead { readers += 1 } else { writing = true }
        return first.id
    }
}
