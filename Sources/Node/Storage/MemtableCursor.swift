import Wire

/// A walk over the keys of a memtable in their order: its sorted runs, merged by a heap of their next keys.
struct MemtableCursor {
    private struct Head {
        var run: Int
        var at: Int
    }

    private let entries: [Memtable.Entry]
    private let runs: [[UInt32]]
    private var heap: [Head] = []

    /// Stands at the first key that is not before `lower`.
    init(_ table: Memtable, from lower: [UInt8]) {
        entries = table.entries
        runs = table.runs.runs
        for run in runs.indices {
            let at = start(runs[run], lower)
            if at < runs[run].count { heap.append(Head(run: run, at: at)) }
        }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    /// The register it stands at; nil at the end.
    var current: Memtable.Entry? { heap.first.map(entry) }

    /// Goes to the next key.
    mutating func advance() {
        guard !heap.isEmpty else { return }
        heap[0].at += 1
        if heap[0].at == runs[heap[0].run].count {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
        }
        sink(0)
    }

    private func entry(_ head: Head) -> Memtable.Entry { entries[Int(runs[head.run][head.at])] }

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
        let first = entries[Int(runs[heap[a].run][heap[a].at])].key.bytes
        return KeyOrder.precedes(first, entries[Int(runs[heap[b].run][heap[b].at])].key.bytes)
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && precedes(child, least) { least = child }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}
