/// Where a node keeps its state and how much of each resource its storage may take. Every bound of this layer is here.
package struct StorageConfiguration: Sendable, Hashable {
    /// The data directory; created when it is not there. One running node owns it.
    package var directory: String

    /// Bytes of one journal segment, at least 64 KiB: large enough that a segment lasts for seconds of writes, so that
    /// what is overwritten meanwhile reaches SQLite once.
    package var journalSegmentBytes = 64 << 20
    /// Bytes of the first segment of a new directory. It is written at the first start, which waits for it, so it is
    /// small; it grows when it is used again.
    package var journalFirstSegmentBytes = 1 << 20
    /// Segments on disk, at least 2. When all of them wait for SQLite the journal takes no more, its backlog grows and
    /// the core refuses writes: this bounds the disk used and the time of a restart.
    package var journalSegmentsMax = 6
    /// Bytes of the newest states in memory, with their overhead, before they are handed to the background.
    package var memtableBytesMax = 64 << 20
    /// Memtables that may wait for SQLite, 1 to 16. While so many do, the newest one grows beyond its size; what it has
    /// too much counts as backlog, so that the core refuses writes before memory grows without bound.
    package var memtablesWaitingMax = 1

    /// Bytes of the cache of registers read from SQLite; 0 switches it off.
    package var cacheBytesMax = 64 << 20
    /// Registers in that cache; 0 switches it off.
    package var cacheItemsMax = 1_000_000
    /// Bytes of SQLite's page cache, for each of its two connections: the inner pages of the key index stay in it.
    package var sqliteCacheBytes = 16 << 20

    /// Bytes of one segment file of a partition's log: retention drops whole files, so they should not be huge.
    package var logSegmentBytesMax = 64 << 20
    /// Files of logs kept open for reading: a consumer that catches up reads the same file many times.
    package var openLogFilesMax = 64

    /// First pause after a failed attempt on the disk, in milliseconds.
    package var retryPauseMsMin = 50
    /// Longest pause between attempts, in milliseconds: a disk that comes back is noticed within this time.
    package var retryPauseMsMax = 2_000
    /// How long closing waits for a segment that the last entries need, in milliseconds: a flush to SQLite may be under
    /// way.
    package var closeWaitMsMax = 30_000

    /// The defaults, for a directory.
    package init(directory: String) { self.directory = directory }

    /// Throws when a value makes no sense.
    package func validated() throws(StorageOpenError) -> StorageConfiguration {
        func require(_ holds: Bool, _ what: String) throws(StorageOpenError) {
            guard holds else { throw .configuration(what) }
        }
        try require(!directory.isEmpty, "the data directory is empty; name one")
        try require(
            journalSegmentBytes >= 64 << 10,
            "journalSegmentBytes is \(journalSegmentBytes), expected at least \(64 << 10)")
        try require(
            (16 << 10...journalSegmentBytes).contains(journalFirstSegmentBytes),
            "journalFirstSegmentBytes is \(journalFirstSegmentBytes), expected \(16 << 10) to \(journalSegmentBytes)")
        try require(
            (2...64).contains(journalSegmentsMax), "journalSegmentsMax is \(journalSegmentsMax), expected 2 to 64")
        try require(
            memtableBytesMax >= 64 << 10, "memtableBytesMax is \(memtableBytesMax), expected at least \(64 << 10)")
        try require(
            (1...16).contains(memtablesWaitingMax), "memtablesWaitingMax is \(memtablesWaitingMax), expected 1 to 16")
        try require(cacheBytesMax >= 0, "cacheBytesMax is \(cacheBytesMax), expected 0 or more")
        try require(
            (0...1 << 30).contains(cacheItemsMax), "cacheItemsMax is \(cacheItemsMax), expected 0 to \(1 << 30)")
        try require(
            sqliteCacheBytes >= 1 << 20, "sqliteCacheBytes is \(sqliteCacheBytes), expected at least \(1 << 20)")
        try require(
            logSegmentBytesMax >= 64 << 10, "logSegmentBytesMax is \(logSegmentBytesMax), expected at least \(64 << 10)"
        )
        try require((1...4_096).contains(openLogFilesMax), "openLogFilesMax is \(openLogFilesMax), expected 1 to 4096")
        try require(
            retryPauseMsMin >= 1 && retryPauseMsMax >= retryPauseMsMin,
            "the retry pauses are \(retryPauseMsMin) and \(retryPauseMsMax) ms, expected 1 or more, in order")
        try require(closeWaitMsMax >= 0, "closeWaitMsMax is \(closeWaitMsMax), expected 0 or more")
        return self
    }
}
