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
        var page = RegisterPage(items: [], hasMore: false)
        if let after, !range.contains(after.token) { return page }
        active.fileTokens()
        for index in frozen.indices { frozen[index].fileTokens() }
        var bytes = 0
        for stretch in TokenOrder.stretches(from: after?.token ?? range.after &+ 1, through: range.through) {
            var walk = MergedRegisters(
                memtables: allMemtables { TokenCursor($0, stretch) },
                table: try reader.registers.cursor(of: stretch))
            defer { walk.end() }
            while let entry = try walk.next() {
                // Keys of one token are in the order of their bytes.
                if let after, after.token == entry.key.token, !(after < entry.key) { continue }
                guard entry.state != .empty else { continue }
                let size = Self.size(entry)
                guard page.items.count < limit, page.items.isEmpty || bytes + size <= bytesMax else {
                    page.hasMore = true
                    return page
                }
                page.items.append(RegisterPage.Item(key: entry.key, state: entry.state))
                bytes += size
            }
        }
        return page
    }

    /// See `NodeStore`.
    package func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage {
        active.sort()
        var page = ReplicaPage(items: [], hasMore: false)
        var bytes = 0
        for (lower, upper) in KeyOrder.ranges(prefix: prefix, after: after) {
            var walk = MergedRegisters(
                memtables: allMemtables { $0.cursor(from: lower, below: upper) },
                table: try reader.registers.cursor(from: lower, below: upper))
            defer { walk.end() }
            while let entry = try walk.next() {
                guard let accepted = entry.state.accepted else { continue }
                let size = Self.size(entry)
                guard page.items.count < limit, page.items.isEmpty || bytes + size <= bytesMax else {
                    page.hasMore = true
                    return page
                }
                page.items.append(ReplicaPage.Item(key: entry.key, accepted: accepted))
                bytes += size
            }
        }
        return page
    }

    // What is made of each memtable, from the newest on.
    private func allMemtables<T>(_ make: (Memtable) -> T) -> [T] { [make(active)] + frozen.reversed().map(make) }

    // What an item of a page takes.
    private static func size(_ entry: Memtable.Entry) -> Int {
        itemBytes + entry.key.bytes.count + entry.state.contentBytes
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
        if from < log.recentStart && hasFiles(log) {
            let (found, isAll) = try reader.batches(
                partition, from: from, limit: min(limit, log.recentStart), end: log.recentStart, bytesMax: bytesMax)
            batches = log.compacted.isEmpty ? found : found.map(log.present)
            guard isAll else { return batches }
            for batch in batches { left -= batch.encodedCount }
        }
        log.recentBatches(from: from, limit: limit, bytes: left, first: batches.isEmpty, into: &batches)
        return batches
    }

    /// See `NodeStore`.
    package func find(_ search: LogSearch, in partition: PartitionID, limit: Offset) throws(StoreError) -> BatchMark? {
        guard let log = logs.logs[partition] else { return nil }
        let first = log.facts.firstOffset
        let recent = log.recentMarks(below: limit)
        if case .lastOf(let producer) = search {
            if let found = recent.last(where: { $0.producerID == producer }) { return found }
            return try filed(search, log, partition, limit)
        }
        if let found = try filed(search, log, partition, limit) { return found }
        switch search {
        case .holding(let offset): return recent.first { $0.end > max(first, offset) }
        case .appended(let ms): return recent.first { $0.appendedMs >= ms }
        case .bytesBefore(let bytes):
            var before = try hasFiles(log) ? reader.index.bytes(of: partition, from: first, limit: log.recentStart) : 0
            for (mark, entry) in zip(recent, log.recent) {
                if before >= bytes { return mark }
                before += UInt64(entry.batch.encodedCount)
            }
            return nil
        case .lastOf: return nil
        }
    }

    /// See `NodeStore`.
    package func bytes(of partition: PartitionID, from: Offset, limit: Offset) throws(StoreError) -> UInt64 {
        guard let log = logs.logs[partition] else { return 0 }
        var bytes = log.recentBytes(from: from, limit: limit)
        if from < log.recentStart, hasFiles(log) {
            bytes += try reader.index.bytes(of: partition, from: from, limit: min(limit, log.recentStart))
            do throws(SQLiteError) {
                let difference = try log.compactedDifference(reader.index, partition, from: from, limit: limit)
                bytes = UInt64(clamping: Int64(clamping: bytes) + difference)
            } catch { throw error.storeError }
        }
        return bytes
    }

    private func filed(_ search: LogSearch, _ log: LogState, _ partition: PartitionID, _ limit: Offset)
        throws(StoreError) -> BatchMark?
    {
        guard hasFiles(log), log.facts.firstOffset < log.recentStart else { return nil }
        return try reader.index.find(
            search, in: partition, from: log.facts.firstOffset, limit: min(limit, log.recentStart))
    }

    // Until the memtable that made the log is written, the files hold nothing of it.
    private func hasFiles(_ log: LogState) -> Bool { log.generation <= writtenGeneration }

    // What an item of a page takes beside its key and value.
    private static let itemBytes = 64
}
