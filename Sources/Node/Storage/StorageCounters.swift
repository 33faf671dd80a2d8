import Glibc
import Synchronization

/// Counters of what the storage's threads do; any thread may read them.
final class StorageCounters: Sendable {
    /// Bytes of records written to the journal.
    let journalBytes = Atomic<UInt64>(0)
    /// Records written to the journal.
    let journalRecords = Atomic<UInt64>(0)
    /// Commits: each was one write and one sync.
    let journalSyncs = Atomic<UInt64>(0)
    /// Time spent in them, in nanoseconds.
    let journalSyncNs = Atomic<UInt64>(0)
    /// The longest of them, in nanoseconds.
    let journalSyncNsMax = Atomic<UInt64>(0)
    /// Commits that the disk refused.
    let journalFailures = Atomic<UInt64>(0)
    /// Commits that had to wait for a segment.
    let journalWaits = Atomic<UInt64>(0)
    /// Memtables written to SQLite.
    let flushes = Atomic<UInt64>(0)
    /// Registers written to SQLite.
    let flushedRegisters = Atomic<UInt64>(0)
    /// Bytes of batches written to the files of the logs.
    let flushedBatchBytes = Atomic<UInt64>(0)
    /// Time spent in writing memtables, in nanoseconds.
    let flushNs = Atomic<UInt64>(0)
    /// Writes in the background that the disk refused.
    let flushFailures = Atomic<UInt64>(0)
    /// Bytes of SQLite's file.
    let sqliteBytes = Atomic<UInt64>(0)

    /// The monotonic clock, in nanoseconds.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension Atomic<UInt64> {
    /// The value, for figures: no order with other memory is implied.
    var value: UInt64 { load(ordering: .relaxed) }

    /// Adds to a figure.
    func add(_ more: UInt64) { wrappingAdd(more, ordering: .relaxed) }

    /// Keeps the greater of the value and `other`.
    func raise(to other: UInt64) { max(other, ordering: .relaxed) }
}
