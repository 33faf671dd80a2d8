package import NodeCore
package import Wire

/// A disk in memory: what was applied, and apart from it what a crash would leave.
package final class MemoryStore: NodeStore {
    private struct Image {
        var registers: [Key: RegisterState] = [:]
        /// The keys of `registers`, in order.
        var order: [Key] = []
        var facts: [NodeFact: [UInt8]] = [:]
        var logs: [PartitionID: Log] = [:]

        struct Log {
            var facts: LogFacts
            var batches: [RecordBatch] = []
            var producers = ProducerTable()
        }

        /// Registers whose rows fail their checksum.
        var damaged: Set<Key> = []

        mutating func change(_ entry: JournalEntry) {
            // A row that is written again is whole.
            switch entry {
            case .register(let key, _), .forget(let key): if !damaged.isEmpty { damaged.remove(key) }
            default: break
            }
            switch entry {
            case .register(let key, let state):
                if registers.updateValue(state, forKey: key) == nil { order.insert(key, at: place(of: key)) }
            case .forget(let key):
                if registers.removeValue(forKey: key) != nil { order.remove(at: place(of: key)) }
            case .fact(let fact, let bytes): facts[fact] = bytes
            case .append(let id, let batches):
                logs[id]?.batches += batches
                for batch in batches { logs[id]?.producers.append(batch) }
            case .compact(let id, let compacted):
                for batch in compacted {
                    let place = logs[id]?.batches.firstIndex {
                        $0.baseOffset == batch.baseOffset && $0.endOffset == batch.endOffset && $0.epoch == batch.epoch
                    }
                    if let place { logs[id]?.batches[place] = batch }
                }
            case .truncate(let id, let from):
                logs[id]?.batches.removeAll { $0.endOffset > from }
                _ = logs[id]?.producers.truncate(to: from)
            case .log(let id, let facts):
                logs[id, default: Log(facts: facts)].facts = facts
                logs[id]?.batches.removeAll { $0.endOffset <= facts.firstOffset }
            case .producers(let id, let positions):
                for position in positions { logs[id]?.producers.add(position) }
            case .remove(let id): logs[id] = nil
            case .renew(let id, let facts): logs[id] = Log(facts: facts)
            }
        }

        private func place(of key: Key) -> Int {
            var low = 0
            var high = order.count
            while low < high {
                let middle = (low + high) / 2
                if order[middle] < key { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private var live = Image()
    private var disk = Image()
    /// What was applied since the last sync, in order; the first has the number `durable + 1`.
    private var unsynced: [JournalEntry] = []
    private(set) var durable: UInt64 = 0
    /// Why it takes no writes, when a test makes it so.
    package var readOnlyReason: String?
    /// Registers whose rows fail their checksum, when a test makes it so, until they are written again; a crash that loses
    /// the new row brings the damage back.
    package var damaged: Set<Key> {
        get { live.damaged }
        set {
            live.damaged = newValue
            disk.damaged = newValue
        }
    }
    /// Batches that fail their checksum, when a test makes it so.
    var damagedBatches: Set<StoredBatch> = []
    /// Whether something was lost and not learned again, so that a crash would not bring the loss back.
    var hasLosses: Bool {
        [live, disk].contains { !$0.damaged.isEmpty || $0.facts[.amnesia]?.isEmpty == false } || damagedCount() > 0
    }
    /// Whether all registers were lost, and a restart would find it so.
    var isAmnesiac: Bool { disk.facts[.amnesia]?.isEmpty == false }
    /// Bytes that wait for the journal, when a test makes it so.
    package var backlogBytes = 0

    /// An empty disk.
    package init() {}

    private init(disk: Image, damagedBatches: Set<StoredBatch>) {
        live = disk
        self.disk = disk
        self.damagedBatches = damagedBatches
    }

    /// Whether something was applied that a crash would lose.
    package var hasUnsynced: Bool { !unsynced.isEmpty }

    /// How many entries a crash would lose.
    var unsyncedCount: Int { unsynced.count }

    /// Registers whose rows are on the disk just as they were applied last.
    var settledKeys: [Key] {
        let changing = Set(
            unsynced.compactMap { entry in
                switch entry {
                case .register(let key, _), .forget(let key): key
                default: nil
                }
            })
        return disk.order.filter { !changing.contains($0) }
    }

    /// The number of the last entry.
    var applied: JournalSequence { JournalSequence(durable + UInt64(unsynced.count)) }

    /// The entries applied behind one.
    func entries(after sequence: JournalSequence) -> ArraySlice<JournalEntry> {
        unsynced[Int(max(sequence.rawValue, durable) - durable)...]
    }

    /// Makes everything applied so far durable.
    package func sync() -> JournalSequence { sync(through: applied) }

    /// Makes everything durable up to an entry.
    func sync(through sequence: JournalSequence) -> JournalSequence {
        let count = Int(max(sequence.rawValue, durable) - durable)
        for entry in unsynced.prefix(count) { disk.change(entry) }
        unsynced.removeFirst(count)
        durable += UInt64(count)
        return JournalSequence(durable)
    }

    /// What a restart finds: what was synced, and as many of the entries behind it as had reached the disk by chance.
    package func afterCrash(keeping count: Int = 0) -> MemoryStore {
        var disk = disk
        for entry in unsynced.prefix(count) { disk.change(entry) }
        return MemoryStore(disk: disk, damagedBatches: damagedBatches)
    }

    /// Applies a change and says its number.
    package func apply(_ entry: JournalEntry) -> JournalSequence {
        unsynced.append(entry)
        live.change(entry)
        return applied
    }

    /// The acceptor's state of a key.
    package func register(_ key: Key) throws(StoreError) -> RegisterState {
        try expectWhole([key])
        return live.registers[key] ?? .empty
    }

    /// What a restart would find of a key.
    func durableRegister(_ key: Key) -> RegisterState { disk.registers[key] ?? .empty }

    /// All registers as a restart would find them.
    var durableRegisters: [Key: RegisterState] { disk.registers }

    /// All registers, for assertions.
    var registers: [Key: RegisterState] { live.registers }

    /// Keys under a prefix, in order.
    package func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage {
        let matching = live.order.filter { key in
            key.bytes.starts(with: prefix) && after.lexicographicallyPrecedes(key.bytes)
                && (prefix.first == 0 || !key.isSystem) && (prefix.starts(with: [0, 0]) || !key.isLocal)
                && live.registers[key]?.accepted != nil
        }
        try expectWhole(matching.prefix(limit))
        let items = matching.prefix(limit).compactMap { key in
            live.registers[key]?.accepted.map { ReplicaPage.Item(key: key, accepted: $0) }
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
        let matching = live.order.filter { key in
            !key.isLocal && range.contains(key.token) && after.map { precedes($0, key) } ?? true
        }.sorted(by: precedes)
        try expectWhole(matching.prefix(limit))
        let items = matching.prefix(limit).compactMap { key in
            live.registers[key].map { RegisterPage.Item(key: key, state: $0) }
        }
        return RegisterPage(items: items, hasMore: matching.count > limit)
    }

    /// Batches of a partition.
    package func batches(_ partition: PartitionID, from: Offset, limit: Offset, bytesMax: Int) throws(StoreError)
        -> [RecordBatch]
    {
        var bytes = 0
        var found: [RecordBatch] = []
        for batch in live.logs[partition]?.batches ?? [] where batch.endOffset > from && batch.baseOffset < limit {
            bytes += batch.encodedCount
            if !found.isEmpty, bytes > bytesMax { break }
            found.append(batch)
        }
        try expectWhole(found, of: partition)
        return found
    }

    /// The first batch that answers a search.
    package func find(_ search: LogSearch, in partition: PartitionID, limit: Offset) throws(StoreError) -> BatchMark? {
        let batches = (live.logs[partition]?.batches ?? []).filter { $0.baseOffset < limit }
        var bytes: UInt64 = 0
        let found =
            switch search {
            case .holding(let offset): batches.first { $0.endOffset > offset }
            case .appended(let ms): batches.first { $0.appendedMs >= ms }
            case .lastOf(let producer): batches.last { $0.producerID == producer }
            case .bytesBefore(let wanted):
                batches.first { batch in
                    defer { bytes += UInt64(batch.encodedCount) }
                    return bytes >= wanted
                }
            }
        return found.map { BatchMark($0) }
    }

    /// Bytes of batches.
    package func bytes(of partition: PartitionID, from: Offset, limit: Offset) throws(StoreError) -> UInt64 {
        (live.logs[partition]?.batches ?? []).reduce(0) {
            $0 + ($1.baseOffset >= from && $1.baseOffset < limit ? UInt64($1.encodedCount) : 0)
        }
    }

    /// All batches of a partition, for assertions.
    package func allBatches(_ partition: PartitionID) -> [RecordBatch] { live.logs[partition]?.batches ?? [] }

    /// A fact as last applied.
    package func fact(_ fact: NodeFact) -> [UInt8]? { live.facts[fact] }

    /// A fact as a restart would find it.
    func durableFact(_ fact: NodeFact) -> [UInt8]? { disk.facts[fact] }

    /// A log as a restart would find it.
    func durableLog(_ partition: PartitionID) -> (facts: LogFacts, batches: [RecordBatch])? {
        disk.logs[partition].map { ($0.facts, $0.batches) }
    }

    /// What is remembered of a log beside its batches.
    func logFacts(_ partition: PartitionID) -> LogFacts? { live.logs[partition]?.facts }

    /// All logs as a start finds them.
    package func recoveredLogs() -> [RecoveredLog] {
        live.logs.keys.sorted().compactMap { id in
            guard let log = live.logs[id] else { return nil }
            var epochs: [EpochStart] = []
            for batch in log.batches where epochs.last?.epoch != batch.epoch {
                epochs.append(EpochStart(epoch: batch.epoch, start: batch.baseOffset))
            }
            return RecoveredLog(
                partition: id, facts: log.facts, endOffset: log.batches.last?.endOffset ?? log.facts.firstOffset,
                epochs: epochs,
                bytes: log.batches.reduce(0) { $0 + UInt64($1.encodedCount) },
                appendedMs: log.batches.last?.appendedMs ?? 0, producers: log.producers)
        }
    }
}
