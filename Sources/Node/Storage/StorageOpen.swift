package import NodeCore
import Wire

/// What an engine is made of, as found in its directory.
struct StorageParts {
    let configuration: StorageConfiguration
    let lock: DirectoryLock
    let disk: any JournalDisk
    let journal: Journal
    let writer: MemtableWriter
    let reader: StorageReader
    let facts: [NodeFact: [UInt8]]
    let logs: LogTable
    let recovered: [RecoveredLog]
    /// What the journal has and SQLite has not.
    let replayed: Memtable
    let damage: DatabaseDamage
    let onDurable: @Sendable (JournalSequence) -> Void
}

extension StorageEngine {
    /// Opens a data directory, creating what is not there, and replays its journal.
    ///
    /// With `salvage` a database that was found damaged, here or by the engine before (`damage`), is put aside into
    /// `damaged-<n>`. The node then has no registers and no logs, its facts with `NodeFact.amnesia`, and logs that it
    /// begins have new ids. Throws `identityLost` when the facts may be lost too.
    ///
    /// `onDurable` is called on a thread of the storage with the last durable entry, in order; it may repeat a number,
    /// which tells that there is other news for `commit()`. It must not block. `journalDisk` stands in for the files of
    /// the journal in tests.
    package static func open(
        configuration: StorageConfiguration, salvage: Bool = false, journalDisk: (any JournalDisk)? = nil,
        onDurable: @escaping @Sendable (JournalSequence) -> Void
    ) throws(StorageOpenError) -> StorageEngine {
        let configuration = try configuration.validated()
        do throws(DiskError) {
            try PosixDirectory.create(configuration.directory)
        } catch { throw .disk(error) }
        let lock = try DirectoryLock(directory: configuration.directory)
        do throws(StorageOpenError) {
            let disk = if let journalDisk { journalDisk } else { try files(configuration) }
            let seed = salvage ? try Salvage.putAside(configuration, disk: disk) : nil
            return try StorageEngine(
                recover(configuration, lock: lock, disk: disk, seed: seed, onDurable: onDurable))
        } catch {
            lock.release()
            throw error
        }
    }

    private static func files(_ configuration: StorageConfiguration) throws(StorageOpenError) -> any JournalDisk {
        do throws(DiskError) {
            return try PosixJournalDisk(directory: configuration.directory + "/journal")
        } catch { throw .disk(error) }
    }

    private static func recover(
        _ configuration: StorageConfiguration, lock: DirectoryLock, disk: any JournalDisk, seed: DatabaseSeed?,
        onDurable: @escaping @Sendable (JournalSequence) -> Void
    ) throws(StorageOpenError) -> StorageParts {
        let directory = configuration.directory
        let path = directory + "/state.sqlite"
        let damage = DatabaseDamage()
        // A damaged one is made anew from the database.
        var factsFile = try unlessCorrupt { () throws(StorageOpenError) in try FactsFile.load(from: directory) }
        let isInUse = seed == nil && PosixDirectory.exists(directory + "/FACTS")
        try DatabaseFiles.check(path, isInUse: isInUse)
        let database = try sql { () throws(SQLiteError) in
            try SQLiteDatabase(path: path, cacheBytes: configuration.sqliteCacheBytes, damage: damage)
        }
        try StorageSchema.open(database, seed: seed ?? DatabaseSeed(), isInUse: isInUse)
        let (reader, facts, use) = try readings(path, configuration, damage)
        var recovery = Recovery(facts: facts)
        for (partition, summary) in try reader.index.logs() { recovery.restore(partition, summary) }

        do throws(DiskError) {
            if use == 0, try disk.slots().isEmpty { try disk.prepare(0, bytes: configuration.journalFirstSegmentBytes) }
        } catch { throw .disk(error) }
        var random = SystemRandomNumberGenerator()
        let limits = JournalLimits(
            segmentBytes: configuration.journalSegmentBytes, segmentsMax: configuration.journalSegmentsMax,
            saltSeed: random.next())
        let journal = try Journal.recover(disk: disk, limits: limits, flushedUse: use) {
            (entry) throws(StorageOpenError) in try recovery.apply(entry)
        }
        let recovered = try sql { () throws(SQLiteError) in try recovery.recoveredLogs(reader.index) }
        recovery.finish()
        if factsFile?.facts != recovery.facts {
            let file = FactsFile(facts: recovery.facts, use: journal.lastUse)
            do throws(DiskError) { try file.store(in: directory) } catch { throw .disk(error) }
            factsFile = file
        }
        let writer = try sql { () throws(SQLiteError) in
            try MemtableWriter(
                database, configuration: configuration,
                factsFile: factsFile ?? FactsFile(facts: recovery.facts, use: journal.lastUse))
        }
        return StorageParts(
            configuration: configuration, lock: lock, disk: disk, journal: journal, writer: writer, reader: reader,
            facts: recovery.facts, logs: recovery.logs, recovered: recovered, replayed: recovery.memtable,
            damage: damage, onDurable: onDurable)
    }

    private static func readings(
        _ path: String, _ configuration: StorageConfiguration, _ damage: DatabaseDamage
    ) throws(StorageOpenError) -> (StorageReader, [NodeFact: [UInt8]], UInt64) {
        let database = try sql { () throws(SQLiteError) in
            try SQLiteDatabase(path: path, cacheBytes: configuration.sqliteCacheBytes, damage: damage)
        }
        let use = try sql { () throws(SQLiteError) in
            guard let use = try database.number("SELECT value FROM progress WHERE name = 'journal use'") else {
                throw SQLiteError(code: 0, message: "the journal's progress is missing", path: path)
            }
            return UInt64(bitPattern: use)
        }
        let facts = try FactTable.load(database)
        let reader = try sql { () throws(SQLiteError) in
            try StorageReader(database, configuration: configuration)
        }
        return (reader, facts, use)
    }

    private static func unlessCorrupt<T>(_ body: () throws(StorageOpenError) -> T?) throws(StorageOpenError) -> T? {
        do throws(StorageOpenError) { return try body() } catch {
            if case .corrupt = error { return nil }
            throw error
        }
    }

    private static func sql<T>(_ body: () throws(SQLiteError) -> T) throws(StorageOpenError) -> T {
        do throws(SQLiteError) { return try body() } catch { throw error.openError }
    }
}

/// The state of a node while its journal is replayed over what SQLite has.
private struct Recovery {
    private(set) var memtable = Memtable(generation: 1)
    private(set) var facts: [NodeFact: [UInt8]]
    private(set) var logs = LogTable()
    private var stored: [PartitionID: LogSummary] = [:]

    init(facts: [NodeFact: [UInt8]]) { self.facts = facts }

    /// Takes a log that SQLite has.
    mutating func restore(_ partition: PartitionID, _ summary: LogSummary) {
        logs.restore(partition, summary)
        stored[partition] = summary
    }

    /// Takes an entry of the journal.
    mutating func apply(_ entry: JournalEntry) throws(StorageOpenError) {
        if let objection = logs.objection(to: entry) { throw .corrupt("the journal has \(objection)") }
        switch entry {
        case .register(let key, let state): memtable.update(key, state)
        case .forget(let key): memtable.update(key, .empty)
        case .fact(let fact, let value):
            memtable.update(fact, value)
            facts[fact] = value
        case .append, .compact, .truncate, .log, .producers, .remove, .renew: logs.apply(entry, to: &memtable)
        }
    }

    /// The logs as they are now, in order.
    func recoveredLogs(_ index: LogIndexReader) throws(SQLiteError) -> [RecoveredLog] {
        var recovered: [RecoveredLog] = []
        for (partition, log) in logs.logs.sorted(by: { $0.key < $1.key }) {
            var bytes = log.recent.reduce(UInt64(0)) { $0 + UInt64($1.batch.encodedCount) }
            if let stored = stored[partition], log.generation == 0 {
                let isWhole =
                    memtable.logs[partition]?.cutFrom ?? .max == .max
                    && stored.facts.firstOffset == log.facts.firstOffset
                bytes +=
                    isWhole
                    ? stored.indexedBytes
                    : try index.bytes(partition, after: log.facts.firstOffset, through: log.recentStart)
                bytes = UInt64(
                    clamping: Int64(clamping: bytes)
                        + (try log.compactedDifference(index, partition, from: 0, limit: .max)))
            }
            recovered.append(
                RecoveredLog(
                    partition: partition, facts: log.facts, endOffset: log.endOffset, epochs: log.epochs, bytes: bytes,
                    appendedMs: log.appendedMs, producers: log.producers))
        }
        return recovered
    }

    /// Makes the memtable ready for the background.
    mutating func finish() {
        logs.summarize(&memtable)
        memtable.sort()
    }
}
