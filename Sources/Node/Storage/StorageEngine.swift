package import NodeCore
import Wire

/// What a node keeps on disk, and the core's `NodeStore`. Confined to the thread that opened it: the node's event loop.
///
/// A change goes to the memtable, where reads find it, and to the journal's buffer. After applying entries the shell
/// calls `commit()`, at the end of each tick of the loop and after each notice of `onDurable`. Full memtables go to
/// SQLite in the background; then their part of the journal is used again.
package final class StorageEngine: NodeStore {
    let configuration: StorageConfiguration
    private let lock: DirectoryLock
    private let health: StorageHealth
    private let databaseDamage: DatabaseDamage
    let counters: StorageCounters
    let journal: JournalWorker
    private let journalThread: StorageThread
    private let background: FlushWorker
    private let backgroundThread: StorageThread

    // What is newest first: the active memtable, those that wait for SQLite from the last to the first, SQLite.
    var active: Memtable
    var frozen: [Memtable] = []
    var reader: StorageReader
    var cache: LRUCache
    var logs: LogTable
    private var facts: [NodeFact: [UInt8]]
    private let recovered: [RecoveredLog]
    // The last memtable that `reader` sees.
    private(set) var writtenGeneration: UInt64 = 0

    // What waits for the journal: first jobs in order, then the newest entries.
    private var outgoing: [JournalJob] = []
    private var outgoingBytes = 0
    private var pending = JournalBuffer()
    private var sequence: UInt64 = 0
    // Bytes that the active memtable has in the journal.
    private var journalledBytes = 0
    /// Entries that came when the active memtable was full and could not be handed on.
    private(set) var memtableWaits: UInt64 = 0
    private var isClosed = false

    init(_ parts: StorageParts) throws(StorageOpenError) {
        configuration = parts.configuration
        lock = parts.lock
        let health = StorageHealth()
        let counters = StorageCounters()
        let notice = DurableNotice(parts.onDurable)
        let background = FlushWorker(
            configuration: parts.configuration, disk: parts.disk, health: health, counters: counters, notice: notice,
            damage: parts.damage)
        let journal = JournalWorker(
            configuration: parts.configuration, health: health, counters: counters, notice: notice,
            want: { background.prepare($0) })
        databaseDamage = parts.damage
        self.health = health
        self.counters = counters
        self.background = background
        self.journal = journal
        reader = parts.reader
        cache = LRUCache(itemsMax: parts.configuration.cacheItemsMax, bytesMax: parts.configuration.cacheBytesMax)
        logs = parts.logs
        facts = parts.facts
        recovered = parts.recovered
        active = Memtable(generation: parts.replayed.generation + 1)

        let writer = parts.writer
        let found = parts.journal
        backgroundThread = try StorageThread(name: "stormo-flush", isInBackground: true) {
            background.run(writer, journal: journal)
        }
        do throws(StorageOpenError) {
            journalThread = try StorageThread(name: "stormo-journal") { journal.run(found) }
        } catch {
            background.close()
            backgroundThread.join()
            throw error
        }
        if parts.replayed.isEmpty {
            writtenGeneration = parts.replayed.generation
        } else {
            frozen.append(parts.replayed)
            background.flush(parts.replayed, use: found.lastUse)
        }
    }

    deinit { try? close() }

    /// See `NodeStore`.
    package func fact(_ fact: NodeFact) -> [UInt8]? { facts[fact] }

    /// See `NodeStore`.
    package func recoveredLogs() -> [RecoveredLog] { recovered }

    /// See `NodeStore`. Takes effect at once, is durable once `onDurable` has said so.
    ///
    /// Batches must go to a log that exists, at or behind its end; a truncation must be at the edge of a batch.
    package func apply(_ entry: JournalEntry) -> JournalSequence {
        let objection = logs.objection(to: entry)
        // To go on would lose records that were there, or leave some that nobody ever sees.
        precondition(objection == nil, "the node's core applied \(objection ?? "")")
        sequence += 1
        let before = pending.count
        pending.append(entry)
        journalledBytes += pending.count - before
        switch entry {
        case .register(let key, let state):
            active.update(key, state)
            cache.update(key, state)
        case .forget(let key):
            active.update(key, .empty)
            cache.update(key, .empty)
        case .fact(let fact, let value):
            active.update(fact, value)
            facts[fact] = value
        case .append, .compact, .truncate, .log, .producers, .remove, .renew: logs.apply(entry, to: &active)
        }
        freezeIfFull()
        return JournalSequence(sequence)
    }

    /// Hands what was applied to the journal, in one write and one sync, unless the journal is at work: then it goes
    /// with the next call after the notice. Also takes over what the background has finished.
    package func commit() {
        collect()
        guard !isClosed, pending.records > 0 || !outgoing.isEmpty, journal.isIdle else { return }
        queuePending()
        let jobs = outgoing
        outgoing = []
        outgoingBytes = 0
        if var spare = journal.submit(jobs) {
            spare.removeAll()
            pending = spare
        }
    }

    /// Hands the active memtable to the background though it is not full, so that SQLite gets it soon. For tests, and
    /// before the directory is copied.
    package func flush() {
        guard !active.isEmpty else { return commit() }
        freeze()
        commit()
    }

    /// Takes over what the background and the journal have finished. `commit` does it too; this one hands nothing to
    /// the journal.
    package func collect() {
        for event in background.takeEvents() {
            switch event {
            case .flushed(let generation, let indexedBytes):
                written(generation, indexedBytes)
                freezeIfFull()
            // The view moves to the database file, so that the write-ahead log can begin anew.
            case .checkpointed: reader.refresh()
            }
            background.viewMoved()
        }
        for sealed in journal.takeSealed() {
            guard let memtable = frozen.first(where: { $0.generation == sealed.generation }) else { continue }
            background.flush(memtable, use: sealed.use)
        }
    }

    /// See `NodeStore`. What the active memtable holds above its size counts too: it waits for those before it.
    package var backlogBytes: Int {
        pending.count + outgoingBytes + journal.inFlightBytes + max(0, active.bytes - configuration.memtableBytesMax)
    }

    /// See `NodeStore`.
    package var readOnlyReason: String? { health.reason }

    /// What of the database was found damaged while it was read or written, and where: not the state of one key that is
    /// mended by writing it again, but a page, whose keys nobody knows. Stays until the directory is opened with
    /// `salvage`; nil while nothing was found.
    package var damage: String? { databaseDamage.found }

    /// Makes all that was applied durable and ends the storage's threads. Throws when the disk refused it; what was
    /// reported durable is so all the same. The storage must not be used afterwards.
    package func close() throws(StoreError) {
        guard !isClosed else { return }
        isClosed = true
        queuePending()
        if !outgoing.isEmpty { _ = journal.submit(outgoing) }
        outgoing = []
        journal.close()
        journalThread.join()
        background.close()
        backgroundThread.join()
        reader.close()
        lock.release()
        if let lost = journal.lost { throw .io("the last entries could not be written to the journal: \(lost)") }
    }

    private func queuePending() {
        guard pending.records > 0 else { return }
        outgoing.append(.block(pending, through: sequence))
        outgoingBytes += pending.count
        pending = JournalBuffer()
    }

    private func freezeIfFull() {
        guard active.bytes >= configuration.memtableBytesMax || journalledBytes >= configuration.journalSegmentBytes
        else { return }
        if frozen.count < configuration.memtablesWaitingMax { freeze() } else { memtableWaits += 1 }
    }

    private func freeze() {
        queuePending()
        outgoing.append(.seal(generation: active.generation))
        logs.summarize(&active)
        active.sort()
        frozen.append(active)
        active = Memtable(generation: active.generation + 1)
        journalledBytes = 0
    }

    private func written(_ generation: UInt64, _ indexedBytes: [PartitionID: UInt64]) {
        reader.refresh()
        writtenGeneration = generation
        if let index = frozen.firstIndex(where: { $0.generation == generation }) {
            let memtable = frozen.remove(at: index)
            logs.flushed(memtable, indexedBytes: indexedBytes)
            if !memtable.logs.isEmpty { reader.closeFiles() }
        }
    }
}
