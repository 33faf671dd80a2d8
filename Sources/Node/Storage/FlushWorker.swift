import Synchronization
import Wire

/// What the background has finished.
enum FlushEvent: Sendable {
    /// A memtable is in SQLite and in the files of its logs.
    case flushed(generation: UInt64, indexedBytes: [PartitionID: UInt64])
    /// The write-ahead log is in the database file, as far as readers allowed.
    case checkpointed
}

/// The background on a thread of its own: it writes memtables to SQLite and prepares segments of the journal.
final class FlushWorker: Sendable {
    private struct Flush: Sendable {
        let memtable: Memtable
        let use: UInt64
    }

    private struct Mailbox {
        var flushes: [Flush] = []
        var prepares: [JournalSlot] = []
        // How often in a row a segment could not be prepared. Memtables go first then: they need less room, and each
        // of them frees segments.
        var prepareFailures = 0
        // Something was written that is not in the database file yet.
        var needsCheckpoint = false
        // The loop has not taken up the last event. Until then its view keeps a checkpoint from being complete, and the
        // write-ahead log from beginning anew.
        var viewIsBehind = false
        var closing = false
        var events: [FlushEvent] = []
    }

    private enum Work: Sendable {
        case prepare(JournalSlot)
        case flush(Flush)
        case checkpoint
    }

    private let mailbox = Monitor(Mailbox())
    private let eventsWaiting = Atomic<Bool>(false)
    private let configuration: StorageConfiguration
    private let disk: any JournalDisk
    private let health: StorageHealth
    private let counters: StorageCounters
    private let notice: DurableNotice
    private let damage: DatabaseDamage

    /// A worker for the journal's `disk`.
    init(
        configuration: StorageConfiguration, disk: any JournalDisk, health: StorageHealth, counters: StorageCounters,
        notice: DurableNotice, damage: DatabaseDamage
    ) {
        self.damage = damage
        self.configuration = configuration
        self.disk = disk
        self.health = health
        self.counters = counters
        self.notice = notice
    }

    /// Asks for a memtable to be written; then SQLite has everything up to `use`.
    func flush(_ memtable: Memtable, use: UInt64) {
        mailbox.change { $0.flushes.append(Flush(memtable: memtable, use: use)) }
    }

    /// Asks for a segment. It goes before all other work: the journal may wait for it.
    func prepare(_ slot: JournalSlot) { mailbox.change { $0.prepares.append(slot) } }

    /// The loop has taken up all events: its view is of what is written, and it has let go of written memtables.
    func viewMoved() { mailbox.change { $0.viewIsBehind = !$0.events.isEmpty } }

    /// What was finished since the last call.
    func takeEvents() -> [FlushEvent] {
        guard eventsWaiting.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        return mailbox.withLock { mailbox in
            defer { mailbox.events = [] }
            return mailbox.events
        }
    }

    /// Ends the thread soon. What it leaves is in the journal.
    func close() { mailbox.change { $0.closing = true } }

    /// The body of the thread. `journal` hears of segments that are ready or free.
    ///
    /// Each memtable is followed by a checkpoint, also when others wait: so the write-ahead log is never larger than
    /// what one of them takes.
    func run(_ writer: consuming MemtableWriter, journal: JournalWorker) {
        // Given up only after the loop has let go of it: taking apart so many small values would stall it.
        var written: Memtable?
        while let work = next() {
            switch work {
            case .prepare(let slot): prepare(slot, journal)
            case .flush(let flush):
                guard write(flush, &writer, journal) else { continue }
                written = flush.memtable
            case .checkpoint:
                if let memtable = written {
                    removeCompacted(memtable, writer)
                    written = nil
                }
                guard persist({ () throws(FlushFailure) in try writer.checkpoint() }) else { continue }
                if let bytes = try? writer.databaseBytes() { counters.sqliteBytes.store(bytes, ordering: .relaxed) }
                report(.checkpointed)
            }
        }
        writer.close()
    }

    private func next() -> Work? {
        mailbox.wait { mailbox -> Work?? in
            if mailbox.closing { return .some(nil) }
            if !mailbox.prepares.isEmpty && (mailbox.prepareFailures == 0 || mailbox.flushes.isEmpty) {
                return .prepare(mailbox.prepares.removeFirst())
            }
            if mailbox.viewIsBehind { return nil }
            if mailbox.needsCheckpoint {
                mailbox.needsCheckpoint = false
                return .checkpoint
            }
            return mailbox.flushes.isEmpty ? nil : .flush(mailbox.flushes.removeFirst())
        }
    }

    private func report(_ event: FlushEvent) {
        mailbox.withLock { mailbox in
            if case .flushed = event { mailbox.needsCheckpoint = true }
            mailbox.viewIsBehind = true
            mailbox.events.append(event)
        }
        eventsWaiting.store(true, ordering: .releasing)
        notice.news()
    }

    private func prepare(_ slot: JournalSlot, _ journal: JournalWorker) {
        do throws(DiskError) {
            try disk.prepare(slot.number, bytes: slot.bytes)
        } catch {
            let failures = mailbox.withLock { mailbox in
                mailbox.prepares.insert(slot, at: 0)
                mailbox.prepareFailures += 1
                return mailbox.prepareFailures
            }
            fail(.disk(error))
            let doublings = min(failures - 1, 16)
            let pauseMs = min(configuration.retryPauseMsMin << doublings, configuration.retryPauseMsMax)
            _ = mailbox.wait(atMostMs: pauseMs) { $0.closing || !$0.flushes.isEmpty ? () : nil }
            return
        }
        let failures = mailbox.withLock { mailbox in
            defer { mailbox.prepareFailures = 0 }
            return mailbox.prepareFailures
        }
        if failures > 0 { health.report(.background, nil) }
        journal.prepared(slot)
    }

    private func fail(_ failure: FlushFailure) {
        if case .sqlite(let error) = failure { damage.note(error) }
        counters.flushFailures.add(1)
        health.report(.background, failure.reason)
        // News, so that the node hears of it at once.
        notice.news()
    }

    private func write(_ flush: Flush, _ writer: inout MemtableWriter, _ journal: JournalWorker) -> Bool {
        let began = StorageCounters.now()
        var indexedBytes: [PartitionID: UInt64] = [:]
        let done = persist { () throws(FlushFailure) in
            indexedBytes = try writer.write(flush.memtable, use: flush.use) { () throws(FlushFailure) in
                try between(journal)
            }
        }
        guard done else { return false }
        do throws(FlushFailure) {
            try writer.removeFiles(after: flush.memtable, compacted: false)
        } catch {
            // They only take room; the next change of the log tries again.
            counters.flushFailures.add(1)
        }
        counters.flushes.add(1)
        counters.flushedRegisters.add(UInt64(flush.memtable.entries.count))
        counters.flushedBatchBytes.add(
            flush.memtable.logs.values.reduce(0) { $0 + $1.batches.reduce(0) { $0 + UInt64($1.encodedCount) } })
        counters.flushNs.add(StorageCounters.now() - began)
        journal.freed(upTo: flush.use)
        report(.flushed(generation: flush.memtable.generation, indexedBytes: indexedBytes))
        return true
    }

    // The loop's view is of what is written: it reads nothing of what compaction has left.
    private func removeCompacted(_ memtable: Memtable, _ writer: borrowing MemtableWriter) {
        do throws(FlushFailure) {
            try writer.removeFiles(after: memtable, compacted: true)
        } catch {
            // They only take room; the next change of the log tries again.
            counters.flushFailures.add(1)
        }
    }

    // While a memtable is written, the journal may ask for a segment, and the storage may close.
    private func between(_ journal: JournalWorker) throws(FlushFailure) {
        let (closing, slot) = mailbox.withLock { mailbox in
            let slot = mailbox.prepareFailures == 0 ? mailbox.prepares.first : nil
            if slot != nil { mailbox.prepares.removeFirst() }
            return (mailbox.closing, slot)
        }
        if closing { throw .closing }
        if let slot { prepare(slot, journal) }
    }

    // Tries until it works; false when the storage closes before.
    private func persist(_ body: () throws(FlushFailure) -> Void) -> Bool {
        var pauseMs = configuration.retryPauseMsMin
        var failed = false
        while true {
            do throws(FlushFailure) {
                try body()
                if failed { health.report(.background, nil) }
                return true
            } catch {
                if case .closing = error { return false }
                failed = true
                fail(error)
            }
            if mailbox.wait(atMostMs: pauseMs, { $0.closing ? () : nil }) != nil { return false }
            pauseMs = min(pauseMs * 2, configuration.retryPauseMsMax)
        }
    }
}
