import NodeCore
import Wire

/// Why a memtable was not written. Nothing of it counts as written; it can be tried again.
enum FlushFailure: Error {
    /// A file of a log or a directory.
    case disk(DiskError)
    /// The database.
    case sqlite(SQLiteError)
    /// The storage is closing; the journal has it all.
    case closing

    /// As the node's reason for taking no writes.
    var reason: String {
        switch self {
        case .disk(let error): "\(error.isFull ? "the disk is full" : "the disk failed"): \(error)"
        case .sqlite(let error): error.storeError.description
        case .closing: "the storage is closing"
        }
    }
}

/// Writes memtables: batches to the files of their logs, all the rest to SQLite in one transaction, registers in the
/// order of their keys.
struct MemtableWriter: Sendable {
    private let database: SQLiteDatabase
    private var registers: RegisterWriter
    private let facts: SQLiteStatement
    private let index: LogIndexWriter
    private var segments: LogSegmentWriter
    private let progress: SQLiteStatement
    private let directory: String
    private var factsFile: FactsFile

    /// Rows between two calls of `between`.
    private static let rowsBetween = 512
    /// So many small files that compaction has made become one.
    private static let smallFilesMax = 8

    /// Prepares the statements. `factsFile` is what that file holds.
    init(
        _ database: SQLiteDatabase, configuration: StorageConfiguration, factsFile: FactsFile
    ) throws(SQLiteError) {
        self.database = database
        directory = configuration.directory
        self.factsFile = factsFile
        registers = try RegisterWriter(database)
        facts = try FactTable.writer(database)
        index = try LogIndexWriter(database)
        segments = LogSegmentWriter(
            directory: configuration.directory, segmentBytesMax: configuration.logSegmentBytesMax)
        progress = try database.prepare("UPDATE progress SET value = ?1 WHERE name = 'journal use'")
    }

    /// Writes a memtable and notes that SQLite has everything up to a use of the journal's segments; all of it is
    /// durable when this returns. Calls `between` every now and then; what it throws ends the work. Returns the bytes
    /// in files of each log that was touched.
    mutating func write(
        _ memtable: Memtable, use: UInt64, between: () throws(FlushFailure) -> Void
    ) throws(FlushFailure) -> [PartitionID: UInt64] {
        do throws(FlushFailure) {
            try sql { () throws(SQLiteError) in try database.execute("BEGIN IMMEDIATE") }
            var bytes: [PartitionID: UInt64] = [:]
            for (partition, delta) in memtable.logs.sorted(by: { $0.key < $1.key }) {
                bytes[partition] = try write(delta, of: partition)
                try between()
            }
            try writeRegisters(memtable, between)
            try keep(memtable.facts, use: use)
            try sql { () throws(SQLiteError) in
                for fact in NodeFact.allCases {
                    if let value = memtable.facts[fact] { try FactTable.write(fact, value, with: facts) }
                }
                progress.bind(1, use)
                try progress.run()
                try database.execute("COMMIT")
            }
            return bytes
        } catch {
            // The first error is the one to report.
            if database.isInTransaction { try? database.execute("ROLLBACK") }
            throw error
        }
    }

    /// Removes the files that a memtable, once written, has left without batches: those of logs that it compacts, which are
    /// read until the loop's view has moved, or those of the others.
    func removeFiles(after memtable: Memtable, compacted: Bool) throws(FlushFailure) {
        for (partition, delta) in memtable.logs.sorted(by: { $0.key < $1.key }) {
            guard delta.compacted.isEmpty != compacted else { continue }
            guard
                compacted || delta.reset || delta.cutFrom != .max || delta.summary?.facts.firstOffset ?? 0 > 0
            else { continue }
            let kept = try sql { () throws(SQLiteError) in try index.files(partition) }
            do throws(DiskError) {
                try segments.removeFiles(of: partition, except: kept)
            } catch { throw .disk(error) }
        }
    }

    /// Moves the write-ahead log into the database file, as far as readers allow.
    func checkpoint() throws(FlushFailure) {
        try sql { () throws(SQLiteError) in try database.checkpoint() }
    }

    /// Bytes of the database file.
    func databaseBytes() throws(FlushFailure) -> UInt64 {
        try sql { () throws(SQLiteError) in
            let pages = try database.number("PRAGMA page_count") ?? 0
            return UInt64(pages * (try database.number("PRAGMA page_size") ?? 0))
        }
    }

    /// Ends the connection.
    func close() { database.close() }

    // Before the transaction: once that is durable, the journal's segments that have the facts may go.
    private mutating func keep(_ changed: [NodeFact: [UInt8]], use: UInt64) throws(FlushFailure) {
        guard !changed.isEmpty else { return }
        var next = factsFile
        next.facts.merge(changed) { _, new in new }
        next.use = use
        do throws(DiskError) { try next.store(in: directory) } catch { throw .disk(error) }
        factsFile = next
    }

    private mutating func writeRegisters(
        _ memtable: Memtable, _ between: () throws(FlushFailure) -> Void
    ) throws(FlushFailure) {
        // Those of an attempt that failed went with its transaction.
        _ = registers.takeTokenChanges()
        var cursor = memtable.cursor()
        var rows = 0
        while let entry = cursor.current {
            do throws(SQLiteError) {
                try registers.write(entry.key, entry.state)
            } catch { throw .sqlite(error) }
            cursor.advance()
            rows += 1
            if rows % Self.rowsBetween == 0 { try between() }
        }
        let changes = registers.takeTokenChanges()
        for change in changes {
            try sql { () throws(SQLiteError) in try registers.write(change) }
            rows += 1
            if rows % Self.rowsBetween == 0 { try between() }
        }
        try sql { () throws(SQLiteError) in
            try registers.count(changes.reduce(0) { $0 + ($1.isAdded ? 1 : -1) })
        }
    }

    private mutating func write(_ delta: LogDelta, of partition: PartitionID) throws(FlushFailure) -> UInt64 {
        var bytes = try sql { () throws(SQLiteError) in
            if delta.reset {
                try index.reset(partition)
                return UInt64(0)
            }
            // What came is cut too, in case that it was written before and only the answer got lost.
            let from = min(delta.cutFrom, delta.batches.first?.baseOffset ?? .max)
            let bytes = try index.indexedBytes(partition)
            return bytes - min(bytes, try index.cut(partition, from: from))
        }
        guard var summary = delta.summary else {
            try sql { () throws(SQLiteError) in try index.set(partition, nil) }
            return 0
        }
        let last = try sql { () throws(SQLiteError) in try index.last(partition) }
        let places: [BatchPlace]
        do throws(DiskError) {
            places = try segments.append(delta.batches, to: partition, after: last)
        } catch { throw .disk(error) }
        try sql { () throws(SQLiteError) in
            for place in places {
                try index.insert(partition, place)
                bytes += UInt64(place.length)
            }
        }
        bytes = UInt64(clamping: Int64(clamping: bytes) + (try compact(delta, of: partition)))
        try sql { () throws(SQLiteError) in
            bytes -= min(bytes, try index.drop(partition, below: summary.facts.firstOffset))
            summary.indexedBytes = bytes
            try index.set(partition, summary)
        }
        return bytes
    }

    /// Writes batches as compaction has left them to files of their own, with all that is left in files of which more is
    /// gone than is left: so that those files can be removed, and batches that change are not worth a file each. Returns by
    /// how many bytes the log has grown, which is less than 0.
    private mutating func compact(_ delta: LogDelta, of partition: PartitionID) throws(FlushFailure) -> Int64 {
        guard !delta.compacted.isEmpty else { return 0 }
        var (moved, unused) = try sql { () throws(SQLiteError) in try moves(delta, of: partition) }
        let places: [BatchPlace]
        do throws(DiskError) {
            do throws(DiskError) {
                places = try segments.write(moved, of: partition, to: unused)
            } catch {
                // What only makes room must hold nothing up: it may be what cannot be read.
                moved.removeAll { $0.batch == nil }
                places = try segments.write(moved, of: partition, to: unused)
            }
        } catch { throw .disk(error) }
        return try sql { () throws(SQLiteError) in
            var difference: Int64 = 0
            for (place, former) in zip(places, moved) {
                try index.insert(partition, place)
                difference += Int64(place.length - former.place.length)
            }
            return difference
        }
    }

    // What is moved, in order, and to which file.
    private func moves(
        _ delta: LogDelta, of partition: PartitionID
    ) throws(SQLiteError) -> ([LogSegmentWriter.Moved], LogFile) {
        var leaving: [LogFile: [LogSegmentWriter.Moved]] = [:]
        for batch in delta.compacted.values {
            // Those that were cut off meanwhile are not there any more.
            guard let place = try index.place(of: batch, partition) else { continue }
            leaving[place.file, default: []].append(LogSegmentWriter.Moved(place: place, batch: batch))
        }
        let files = try index.files(partition)
        let small = files.filter { file in
            file.isCompacted && segments.bytes(partition, file).map { $0 < segments.segmentBytesMax / 2 } ?? false
        }
        if small.count >= Self.smallFilesMax { for file in small { leaving[file, default: []] += [] } }
        var moved: [LogSegmentWriter.Moved] = []
        for (file, changed) in leaving {
            moved += changed
            let bases = Set(changed.map(\.place.base))
            let staying = try index.places(partition, in: file).filter { !bases.contains($0.base) }
            let left = staying.reduce(0) { $0 + $1.length }
            guard let bytes = segments.bytes(partition, file),
                2 * left <= bytes || small.count >= Self.smallFilesMax && small.contains(file)
            else { continue }
            moved += staying.map { LogSegmentWriter.Moved(place: $0, batch: nil) }
        }
        moved.sort { $0.place.base < $1.place.base }
        return (moved, LogFile.unused(among: files))
    }

    private func sql<T>(_ body: () throws(SQLiteError) -> T) throws(FlushFailure) -> T {
        do throws(SQLiteError) { return try body() } catch { throw .sqlite(error) }
    }
}
