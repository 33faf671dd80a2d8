import NodeCore
import Wire

/// A walk over the registers of all ages, each once and as it is now, in the order of the memtables' walks. One at a
/// time over SQLite; `end` it.
struct MergedRegisters<Walk: MemtableWalk> {
    // From the newest on: of equal keys the first one counts.
    private var memtables: [Walk]
    private var table: RegisterCursor

    /// Merges walks that stand where it should begin, the newest memtable's first.
    init(memtables: [Walk], table: RegisterCursor) {
        self.memtables = memtables
        self.table = table
    }

    /// The next register; nil at the end. Throws when the table's row is damaged.
    mutating func next() throws(StoreError) -> Memtable.Entry? {
        var source: Int?
        var least: Key?
        for index in memtables.indices {
            guard let key = memtables[index].key else { continue }
            if let least, !Walk.precedes(key, least) { continue }
            source = index
            least = key
        }
        if let key = table.current, least.map({ Walk.precedes(key, $0) }) ?? true {
            let entry = Memtable.Entry(key: key, state: try table.state())
            try table.advance()
            return entry
        }
        guard let source, let least, let entry = memtables[source].current else { return nil }
        if table.current == least { try table.advance() }
        for index in memtables.indices where memtables[index].key == least { memtables[index].advance() }
        return entry
    }

    /// Leaves what is left.
    func end() { table.end() }
}
