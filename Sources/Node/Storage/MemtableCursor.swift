import Wire

/// A walk over the registers of a memtable, in one of their orders.
protocol MemtableWalk {
    /// Whether a key comes before another in this order.
    static func precedes(_ a: Key, _ b: Key) -> Bool
    /// The register it stands at; nil at the end.
    var current: Memtable.Entry? { get }
    /// The key it stands at; nil at the end.
    var key: Key? { get }
    /// Goes to the next register.
    mutating func advance()
}

/// A walk over the keys of a memtable in their order: its sorted runs, merged by a heap of their next keys.
struct MemtableCursor: MemtableWalk {
    private struct Head {
        var run: Int
        var at: Int
        // Number of the entry there.
        var number: Int
    }

    private let entries: [Memtable.Entry]
    private let runs: [[UInt32]]
    private let upper: [UInt8]?
    private var heap: [Head] = []

    /// Stands at the first key that is not before `lower`; ends before `upper`.
    init(_ table: Memtable, from lower: [UInt8], below upper: [UInt8]?) {
        entries = table.entries
        runs = table.runs.runs
        self.upper = upper
        for run in runs.indices {
            let at = start(runs[run], lower)
            if at < runs[run].count { heap.append(Head(run: run, at: at, number: Int(runs[run][at]))) }
        }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    static func precedes(_ a: Key, _ b: Key) -> Bool { KeyOrder.precedes(a.bytes, b.bytes) }

    var current: Memtable.Entry? { number.map { entries[$0] } }

    var key: Key? { number.map { entries[$0].key } }

    private var number: Int? {
        guard let first = heap.first else { return nil }
        if let upper, !KeyOrder.precedes(entries[first.number].key.bytes, upper) { return nil }
        return first.number
    }

    mutating func advance() {
        guard !heap.isEmpty else { return }
        let run = heap[0].run
        let at = heap[0].at + 1
        if at == runs[run].count {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
        } else {
            heap[0] = Head(run: run, at: at, number: Int(runs[run][at]))
        }
        sink(0)
    }

    private func start(_ run: [UInt32], _ lower: [UInt8]) -> Int {
        var low = 0
        var high = run.count
        while low < high {
            let middle = (low + high) / 2
            if KeyOrder.precedes(entries[Int(run[middle])].key.bytes, lower) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        KeyOrder.precedes(entries[heap[a].number].key.bytes, entries[heap[b].number].key.bytes)
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}
