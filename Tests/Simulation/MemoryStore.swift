package import NodeCore
package import Wire

/// A store in memory that forgets what was not synced when its node crashes.
package final class MemoryStore: NodeStore {
    private var entries: [(sequence: UInt64, entry: JournalEntry)] = []
    private var registers: [Key: RegisterState] = [:]
    private var order: [Key] = []
    private var facts: [NodeFact: [UInt8]] = [:]
    private var logs: [PartitionID: (facts: LogFacts, batches: [RecordBatch])] = [:]
    private var sequence: UInt64 = 0
    private(set) var durable: UInt64 = 0
    /// Why it takes no writes, when a test makes it so.
    package var readOnlyReason: String?
    /// Bytes that wait for the journal, when a test makes it so.
    package var backlogBytes = 0

    /// An empty disk.
    package init() {}

    /// Whether something was applied that a crash would lose.
    package var hasUnsynced: Bool { sequence > durable }

    /// Makes everything applied so far durable.
    package func sync() -> JournalSequence {
        durable = sequence
        return JournalSequence(durable)
    }

    /// What a restart finds: the synced entries, numbered anew.
    package func afterCrash() -> MemoryStore {
        let store = MemoryStore()
        for (sequence, entry) in entries where sequence <= durable {
            store.change(entry)
            store.entries.append((0, entry))
        }
        return store
    }

    /// Applies a change and says its number.
    package func apply(_ entry: JournalEntry) -> JournalSequence {
        sequence += 1
        entries.append((sequence, entry))
        change(entry)
        return JournalSequence(sequence)
    }

    private func change(_ entry: JournalEntry) {
        switch entry {
        case .register(let key, let state):
            if registers[key] == nil {
                order.append(key)
                order.sort()
            }
            registers[key] = state
        case .forget(let key):
            registers[key] = nil
            order.removeAll { $0 == key }
        case .fact(let fact, let bytes): facts[fact] = bytes
        case .append(let id, let batches): logs[id]?.batches += batches
        case .truncate(let id, let from): logs[id]?.batches.removeAll { $0.baseOffset >= from }
        case .log(let id, let facts): logs[id] = (facts, logs[id]?.batches ?? [])
        case .remove(let id): logs[id] = nil
        }
    }

    /// The acceptor's state of a key.
    package func register(_ key: Key) throws(StoreError) -> RegisterState { registers[key] ?? .empty }

    /// Keys under a prefix, in order.
    package func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage {
        let matching = order.filter { key in
            key.bytes.starts(with: prefix) && after.lexicographicallyPrecedes(key.bytes)
                && (prefix.first == 0 || !key.isSystem)
                && registers[key]?.accepted != nil
        }
        let items = matching.prefix(limit).compactMap { key in
            registers[key]?.accepted.map { ReplicaPage.Item(key: key, accepted: $0) }
        }
        return ReplicaPage(items: items, hasMore: matching.count > limit)
    }

    /// Registers of a stretch of the ring, in order of their tokens.
    package func registers(in range: TokenRange, after: Key?, limit: Int, bytesMax: Int) throws(StoreError)
        -> RegisterPage
    {
        func precedes(_ a: Key, _ b: Key) -> Bool {
            a.token == b.token ? a < b : range.distance(to: a.token) < range.distance(to: b.token)
        }
        let matching = order.filter { key in
            !key.isLocal && range.contains(key.token) && after.map { precedes($0, key) } ?? true
        }.sorted(by: precedes)
        let items = matching.prefix(limit).compactMap { key in
            registers[key].map { RegisterPage.Item(key: key, state: $0) }
        }
        return RegisterPage(items: items, hasMore: matching.count > limit)
    }

    /// Batches of a partition.
    package func batches(_ partition: PartitionID, from: Offset, limit: Offset, bytesMax: Int) throws(StoreError)
        -> [RecordBatch]
    {
        var bytes = 0
        var found: [RecordBatch] = []
        for batch in logs[partition]?.batches ?? [] where batch.endOffset > from && batch.baseOffset < limit {
            bytes += batch.encodedCount
            if !found.isEmpty, bytes > bytesMax { break }
            found.append(batch)
        }
        return found
    }

    /// All batches of a partition, for assertions.
    package func allBatches(_ partition: PartitionID) -> [RecordBatch] { logs[partition]?.batches ?? [] }

    /// A fact as last applied.
    package func fact(_ fact: NodeFact) -> [UInt8]? { facts[fact] }

    /// All logs as a start finds them.
    package func recoveredLogs() -> [RecoveredLog] {
        logs.keys.sorted().compactMap { id in
            guard let log = logs[id] else { return nil }
            var epochs: [EpochStart] = []
            for batch in log.batches where epochs.last?.epoch != batch.epoch {
                epochs.append(EpochStart(epoch: batch.epoch, start: batch.baseOffset))
            }
            return RecoveredLog(
                partition: id, facts: log.facts, endOffset: log.batches.last?.endOffset ?? log.facts.firstOffset,
                epochs: epochs,
                bytes: log.batches.reduce(0) { $0 + UInt64($1.encodedCount) })
        }
    }
}
