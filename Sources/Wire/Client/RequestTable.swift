import Wire

/// The requests in flight on one connection by their ids. Ids count up and are not used again before all 32 bits are,
/// so an answer that comes late is never taken for another's. Id and place agree in their low bits, so a lookup is one
/// comparison.
struct RequestTable {
    private var slots: [Slot?] = Array(repeating: nil, count: 64)
    private var lastID: UInt32 = 0
    private let max: Int

    private struct Slot {
        var id: UInt32
        var operation: Operation
    }

    /// Requests in flight.
    private(set) var count = 0

    /// A table for at most `max` requests.
    init(max: Int) { self.max = max }

    /// Keeps an operation until its answer; nil when the table is full.
    mutating func insert(_ operation: Operation) -> RequestID? {
        guard count < max else { return nil }
        if count * 2 >= slots.count { grow() }
        // Half of the places are free, so this ends soon.
        repeat { lastID &+= 1 } while lastID == 0 || slots[place(lastID)] != nil
        slots[place(lastID)] = Slot(id: lastID, operation: operation)
        count += 1
        return RequestID(lastID)
    }

    /// Takes out the operation of an id; nil when there is none.
    mutating func remove(_ id: RequestID) -> Operation? {
        let index = place(id.rawValue)
        guard let slot = slots[index], slot.id == id.rawValue else { return nil }
        slots[index] = nil
        count -= 1
        return slot.operation
    }

    /// Takes out those that `isOver` says are.
    mutating func removeAll(where isOver: (Operation) -> Bool) {
        guard count > 0 else { return }
        for index in slots.indices {
            guard let slot = slots[index], isOver(slot.operation) else { continue }
            slots[index] = nil
            count -= 1
        }
    }

    /// Takes out everything, in the order of the ids.
    mutating func removeAll() -> [Operation] {
        // Behind a wrap of the ids the order is the wrong way round, which does no harm.
        let all = slots.compactMap { $0 }.sorted { $0.id < $1.id }.map(\.operation)
        slots = Array(repeating: nil, count: 64)
        count = 0
        return all
    }

    private func place(_ id: UInt32) -> Int { Int(id) & (slots.count - 1) }

    /// Doubles the places. Ids that differed in their low bits before differ in more of them after.
    private mutating func grow() {
        let old = slots
        slots = Array(repeating: nil, count: old.count * 2)
        for case let slot? in old { slots[place(slot.id)] = slot }
    }
}
