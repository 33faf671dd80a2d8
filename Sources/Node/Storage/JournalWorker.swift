import Synchronization

/// What the journal's thread is asked to do, in order.
enum JournalJob: Sendable {
    /// To commit records; the last has the sequence `through`.
    case block(JournalBuffer, through: UInt64)
    /// To end the use of the present segment: what follows belongs to the next memtable.
    case seal(generation: UInt64)
}

/// A memtable of which everything is durable in the journal, up to a use of a segment.
struct SealedGeneration: Sendable, Hashable {
    /// The memtable's number.
    var generation: UInt64
    /// The last use that holds something of it.
    var use: UInt64
}

/// The journal on a thread of its own. It commits what the loop hands it, one write and one sync for a whole block, and
/// tries for as long as it takes.
final class JournalWorker: Sendable {
    private struct Mailbox {
        var jobs: [JournalJob] = []
        var busy = false
        var closing = false
        // What failed for good, once closing; nil when nothing did.
        var lost: String?
        var freedUse: UInt64 = 0
        var prepared: [JournalSlot] = []
        var sealed: [SealedGeneration] = []
        // Storage of a block that was committed, for the next one.
        var spare: JournalBuffer?
        // Grows with everything that may help a commit that waits.
        var supplies: UInt64 = 0
    }

    private let mailbox = Monitor(Mailbox())
    private let configuration: StorageConfiguration
    private let health: StorageHealth
    private let counters: StorageCounters
    private let notice: DurableNotice
    private let want: @Sendable (JournalSlot) -> Void
    private let inFlight = Atomic<Int>(0)
    private let sealedWaiting = Atomic<Bool>(false)

    /// `want` is called on the journal's thread when a segment should be prepared.
    init(
        configuration: StorageConfiguration, health: StorageHealth, counters: StorageCounters, notice: DurableNotice,
        want: @escaping @Sendable (JournalSlot) -> Void
    ) {
        self.configuration = configuration
        self.health = health
        self.counters = counters
        self.notice = notice
        self.want = want
    }

    /// Bytes handed over and not yet durable.
    var inFlightBytes: Int { inFlight.load(ordering: .relaxed) }

    /// Whether jobs can be handed over now.
    var isIdle: Bool { mailbox.withLock { !$0.busy } }

    /// Hands jobs over and returns storage for the next block when there is some; nil storage otherwise.
    func submit(_ jobs: [JournalJob]) -> JournalBuffer? {
        var bytes = 0
        for case .block(let buffer, _) in jobs { bytes += buffer.count }
        inFlight.wrappingAdd(bytes, ordering: .relaxed)
        return mailbox.change { mailbox in
            mailbox.jobs.append(contentsOf: jobs)
            mailbox.busy = true
            return mailbox.spare.take()
        }
    }

    /// Memtables that can go to SQLite since the last call.
    func takeSealed() -> [SealedGeneration] {
        guard sealedWaiting.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        return mailbox.withLock { mailbox in
            defer { mailbox.sealed = [] }
            return mailbox.sealed
        }
    }

    /// Everything up to a use is durable in SQLite.
    func freed(upTo use: UInt64) {
        mailbox.change {
            $0.freedUse = max($0.freedUse, use)
            $0.supplies += 1
        }
    }

    /// A slot that was wanted is there.
    func prepared(_ slot: JournalSlot) {
        mailbox.change {
            $0.prepared.append(slot)
            $0.supplies += 1
        }
    }

    /// Ends the thread after the jobs it has. A disk that fails is given one more chance then.
    func close() {
        mailbox.change {
            $0.closing = true
            $0.supplies += 1
        }
    }

    /// What could not be committed before the end; nil when all was.
    var lost: String? { mailbox.withLock { $0.lost } }

    /// The body of the thread.
    func run(_ journal: consuming Journal) {
        supply(&journal)
        while var jobs = takeJobs() {
            for job in jobs {
                switch job {
                case .seal(let generation):
                    let use = journal.seal()
                    mailbox.withLock { $0.sealed.append(SealedGeneration(generation: generation, use: use)) }
                    sealedWaiting.store(true, ordering: .releasing)
                case .block(let buffer, let through):
                    guard commit(buffer, &journal) else { return }
                    inFlight.wrappingSubtract(buffer.count, ordering: .relaxed)
                    notice.durable(through: through)
                }
            }
            finish(&jobs)
            supply(&journal)
        }
        // Nothing depends on it: what was committed is durable without the mark.
        try? journal.mark()
    }

    private func takeJobs() -> [JournalJob]? {
        mailbox.wait { mailbox -> [JournalJob]?? in
            if !mailbox.jobs.isEmpty {
                defer { mailbox.jobs = [] }
                return .some(mailbox.jobs)
            }
            return mailbox.closing ? .some(nil) : nil
        }
    }

    private func finish(_ jobs: inout [JournalJob]) {
        var spare: JournalBuffer?
        if case .block(let buffer, _) = jobs.first { spare = buffer }
        // The loop writes into the storage again, in place as long as nobody else holds it.
        jobs = []
        mailbox.change {
            $0.busy = !$0.jobs.isEmpty
            $0.spare = spare.take()
        }
        // Only now does the loop find the thread idle: what gathered meanwhile goes with the commit that follows.
        notice.news()
    }

    // Tells the journal what was freed and prepared, and asks for what it wants.
    private func supply(_ journal: inout Journal) {
        let (freed, prepared) = mailbox.withLock { mailbox in
            defer { mailbox.prepared = [] }
            return (mailbox.freedUse, mailbox.prepared)
        }
        for slot in prepared { journal.prepared(slot) }
        journal.free(upTo: freed)
        if let slot = journal.wanted() { want(slot) }
    }

    // Commits a block; false when that failed and the storage is closing.
    private func commit(_ buffer: JournalBuffer, _ journal: inout Journal) -> Bool {
        var pauseMs = configuration.retryPauseMsMin
        var failed = false
        while true {
            let (closing, supplies) = mailbox.withLock { ($0.closing, $0.supplies) }
            supply(&journal)
            let began = StorageCounters.now()
            do throws(JournalFailure) {
                try journal.commit(buffer)
                let tookNs = StorageCounters.now() - began
                counters.journalSyncs.add(1)
                counters.journalRecords.add(UInt64(buffer.records))
                counters.journalBytes.add(UInt64(buffer.count))
                counters.journalSyncNs.add(tookNs)
                counters.journalSyncNsMax.raise(to: tookNs)
                if failed { health.report(.journal, nil) }
                return true
            } catch {
                switch error {
                case .noSegment:
                    counters.journalWaits.add(1)
                    supply(&journal)
                    if waitForSupplies(after: supplies, closing: closing) { continue }
                    abandon("there was no free segment for it")
                    return false
                case .disk(let error):
                    failed = true
                    counters.journalFailures.add(1)
                    health.report(.journal, "\(error.isFull ? "the disk is full" : "the disk failed"): \(error)")
                    // News, so that the node hears of it at once.
                    notice.news()
                    guard !closing else {
                        abandon("\(error)")
                        return false
                    }
                    _ = mailbox.wait(atMostMs: pauseMs) { $0.closing ? true : nil }
                    pauseMs = min(pauseMs * 2, configuration.retryPauseMsMax)
                }
            }
        }
    }

    // Waits for a segment; false when it did not come in time and the storage is closing.
    private func waitForSupplies(after supplies: UInt64, closing: Bool) -> Bool {
        guard closing else {
            mailbox.wait { $0.supplies != supplies ? () : nil }
            return true
        }
        return mailbox.wait(atMostMs: configuration.closeWaitMsMax) { $0.supplies != supplies ? () : nil } != nil
    }

    private func abandon(_ reason: String) {
        mailbox.change {
            $0.lost = reason
            $0.busy = false
        }
    }
}
