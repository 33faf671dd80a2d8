/// What is going to happen, in the order of time and, at one time, in the order in which it was decided: a binary heap
/// of small entries that point to the payloads, so that moving them about is cheap.
struct EventQueue<Payload> {
    private struct Entry {
        let atMs: UInt64
        let order: UInt64
        let slot: Int

        func precedes(_ other: Entry) -> Bool {
            atMs == other.atMs ? order < other.order : atMs < other.atMs
        }
    }

    private var heap: [Entry] = []
    private var payloads: [Payload?] = []
    private var free: [Int] = []
    private var nextOrder: UInt64 = 0

    /// When the next one is due; nil when there is none.
    var nextMs: UInt64? { heap.first?.atMs }

    mutating func push(_ payload: Payload, atMs: UInt64) {
        let slot: Int
        if let reused = free.popLast() {
            payloads[reused] = payload
            slot = reused
        } else {
            slot = payloads.count
            payloads.append(payload)
        }
        nextOrder += 1
        let entry = Entry(atMs: atMs, order: nextOrder, slot: slot)
        heap.append(entry)
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard entry.precedes(heap[parent]) else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = entry
    }

    /// Takes the next one when it is due by `nowMs`.
    mutating func pop(dueBy nowMs: UInt64) -> Payload? {
        guard let first = heap.first, first.atMs <= nowMs, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        defer {
            payloads[first.slot] = nil
            free.append(first.slot)
        }
        return payloads[first.slot]
    }

    private mutating func sink(_ entry: Entry) {
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(entry) else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = entry
    }
}
