package import NodeCore
package import Wire

extension StorageEngine {
    /// See `NodeStore`.
    package func register(_ key: Key) throws(StoreError) -> RegisterState {
        if let state = active.state(key) { return state }
        for memtable in frozen.reversed() {
            if let state = memtable.state(key) { return state }
        }
        if let state = cache.state(key) { return state }
        guard let state = try reader.registers.state(key) else { return .empty }
        cache.insert(key, state)
        return state
    }

    /// See `NodeStore`.
    package func registers(in range: TokenRange, after: Key?, limit: Int, bytesMax: Int) throws(StoreError)
        -> RegisterPage
    {
        throw .io("registers are not indexed by their tokens")
    }

    /// See `NodeStore`.
    package func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage {
        let (lower, upper) = KeyOrder.range(prefix: prefix, after: after)
        active.sort()
        // From the newest on: of equal keys the first one counts.
        var memtables = [active.cursor(from: lower)]
        for memtable in frozen.reversed() { memtables.append(memtable.cursor(from: lower)) }
        var table = try reader.registers.cursor(from: lower, below: upper)
        defer { table.end() }

        var page = ReplicaPage(items: [], hasMore: false)
        var bytes = 0
        while true {
            var source: Int?
            var least: [UInt8] = []
            for index in memtables.indices {
                guard let key = memtables[index].key else { continue }
                if let upper, !KeyOrder.precedes(key, upper) { continue }
                if source != nil, !KeyOrder.precedes(key, least) { continue }
                source = index
                least = key
            }
            let entry: Memtable.Entry
            if let key = table.current, source == nil || KeyOrder.precedes(key.bytes, least) {
                entry = Memtable.Entry(key: key, state: try table.state())
                try table.advance()
            } else if let source, let found = memtables[source].current {
                entry = found
                if table.current?.bytes == least { try table.advance() }
                for index in memtables.indices where memtables[index].key == least { memtables[index].advance() }
            } else {
                return page
            }

            guard let accepted = entry.state.accepted else { continue }
            let size = Self.itemBytes + entry.key.bytes.count + entry.state.contentBytes
            guard page.items.count < limit, page.items.isEmpty || bytes + size <= bytesMax else {
                page.hasMore = true
                return page
            }
            page.items.append(ReplicaPage.Item(key: entry.key, accepted: accepted))
            bytes += size
        }
    }

    /// See `NodeStore`.
    package func batches(
        _ partition: PartitionID, from: Offset, limit: Offset, bytesMax: Int
    ) throws(StoreError) -> [RecordBatch] {
        guard let log = logs.logs[partition] else { return [] }
        let from = max(from, log.facts.firstOffset)
        guard from < min(limit, log.endOffset) else { return [] }
        var batches: [RecordBatch] = []
        var left = bytesMax
        // Until the memtable that made the log is written, the files hold nothing of it.
        if from < log.recentStart && log.generation <= writtenGeneration {
            let (found, isAll) = try reader.batches(
                partition, from: from, limit: min(limit, log.recentStart), end: log.recentStart, bytesMax: bytesMax)
            guard isAll else { return found }
            batches = found
            for batch in found { left -= batch.encodedCount }
        }
        log.recentBatches(from: from, limit: limit, bytes: left, first: batches.isEmpty, into: &batches)
        return batches
    }

    // What an item of a page takes beside its key and value.
    private static let itemBytes = 64
}
