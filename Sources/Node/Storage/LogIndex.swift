import NodeCore
import Wire

/// Where a batch is.
struct BatchPlace: Hashable, Sendable {
    /// Offset of its first record.
    var base: Offset { mark.base }
    /// The offset behind its last.
    var end: Offset { mark.end }
    /// The primary's epoch.
    var epoch: LogEpoch
    /// Which file of the partition.
    var file: LogFile
    /// Where in the file, in bytes.
    var position: Int
    /// How many bytes.
    var length: Int
    /// What is known of it without reading it.
    var mark: BatchMark

    fileprivate init(_ row: SQLiteStatement) {
        mark = BatchMark(
            base: row.uint64(0), end: row.uint64(1), appendedMs: row.uint64(6), producerID: row.uint64(7),
            sequence: row.uint64(8))
        epoch = LogEpoch(truncatingIfNeeded: row.int64(2))
        file = LogFile(rawValue: row.uint64(3))
        position = Int(row.int64(4))
        length = Int(row.int64(5))
    }

    /// Puts the place of a batch together.
    init(of batch: RecordBatch, file: LogFile, position: Int) {
        mark = BatchMark(batch)
        epoch = batch.epoch
        self.file = file
        self.position = position
        length = batch.encodedCount
    }

    /// The place of the same batch elsewhere.
    func moved(to file: LogFile, position: Int, length: Int) -> BatchPlace {
        var place = self
        (place.file, place.position, place.length) = (file, position, length)
        return place
    }

    /// Whether a batch, or what compaction has left of it, stands here.
    func isPlace(of batch: RecordBatch) -> Bool {
        base == batch.baseOffset && end == batch.endOffset && epoch == batch.epoch
    }

    /// The columns that make a place, in order.
    fileprivate static let columns = "base, end, epoch, file, position, length, appended, producer, sequence"
}

/// Where the batches of logs are, for reading.
struct LogIndexReader {
    private let database: SQLiteDatabase
    private let places: SQLiteStatement
    private let visible: SQLiteStatement
    private let within: SQLiteStatement
    private let onward: SQLiteStatement
    private let lastOf: SQLiteStatement

    /// Prepares the statements.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        self.database = database
        places = try database.prepare(
            """
            SELECT \(BatchPlace.columns) FROM batches
            WHERE topic = ?1 AND partition = ?2 AND base < ?4 AND base >= coalesce(
                (SELECT max(base) FROM batches WHERE topic = ?1 AND partition = ?2 AND base <= ?3), ?3)
            ORDER BY base
            """)
        visible = try database.prepare(
            """
            SELECT coalesce(sum(length), 0) FROM batches
            WHERE topic = ?1 AND partition = ?2 AND end > ?3 AND end <= ?4 AND base < ?4
            """)
        within = try database.prepare(
            """
            SELECT coalesce(sum(length), 0) FROM batches
            WHERE topic = ?1 AND partition = ?2 AND base >= ?3 AND base < ?4
            """)
        // Batches do not overlap: only the last one that begins before an offset can hold it.
        onward = try database.prepare(
            """
            SELECT \(BatchPlace.columns) FROM batches
            WHERE topic = ?1 AND partition = ?2 AND base < ?4 AND end > ?3 AND base >= coalesce(
                (SELECT max(base) FROM batches WHERE topic = ?1 AND partition = ?2 AND base <= ?3), ?3)
            ORDER BY base
            """)
        lastOf = try database.prepare(
            """
            SELECT \(BatchPlace.columns) FROM batches
            WHERE topic = ?1 AND partition = ?2 AND base >= ?3 AND base < ?4 AND producer = ?5
            ORDER BY base DESC LIMIT 1
            """)
    }

    /// The first batch that answers a search, among those that end behind `from` and begin below `limit`.
    func find(_ search: LogSearch, in partition: PartitionID, from: Offset, limit: Offset) throws(StoreError)
        -> BatchMark?
    {
        do throws(SQLiteError) {
            switch search {
            case .holding(let offset): return try first(in: partition, from: max(from, offset), limit: limit)?.mark
            case .appended(let ms): return try find(appendedAtOrAfter: ms, in: partition, from: from, limit: limit)
            case .bytesBefore(let bytes): return try find(bytesBefore: bytes, in: partition, from: from, limit: limit)
            case .lastOf(let producer):
                bind(lastOf, partition, from, limit)
                lastOf.bind(5, producer)
                defer { lastOf.reset() }
                return try lastOf.step() ? BatchPlace(lastOf).mark : nil
            }
        } catch { throw error.storeError }
    }

    // By halves: the times of a log's batches never go back.
    private func find(
        appendedAtOrAfter ms: UInt64, in partition: PartitionID, from: Offset, limit: Offset
    ) throws(SQLiteError) -> BatchMark? {
        var (low, high) = (from, limit)
        var found: BatchMark?
        while low < high {
            guard let mark = try first(in: partition, from: low + (high - low) / 2, limit: high)?.mark else {
                high = low + (high - low) / 2
                continue
            }
            if mark.appendedMs >= ms {
                found = mark
                high = min(mark.base, low + (high - low) / 2)
            } else {
                low = mark.end
            }
        }
        return found
    }

    private func find(bytesBefore bytes: UInt64, in partition: PartitionID, from: Offset, limit: Offset)
        throws(SQLiteError) -> BatchMark?
    {
        bind(onward, partition, from, limit)
        defer { onward.reset() }
        var before: UInt64 = 0
        while try onward.step() {
            let place = BatchPlace(onward)
            if before >= bytes { return place.mark }
            before += UInt64(place.length)
        }
        return nil
    }

    private func first(in partition: PartitionID, from: Offset, limit: Offset) throws(SQLiteError) -> BatchPlace? {
        bind(onward, partition, from, limit)
        defer { onward.reset() }
        return try onward.step() ? BatchPlace(onward) : nil
    }

    /// Bytes of batches that begin at `from` or behind it, and below `limit`.
    func bytes(of partition: PartitionID, from: Offset, limit: Offset) throws(StoreError) -> UInt64 {
        do throws(SQLiteError) {
            bind(within, partition, from, limit)
            defer { within.reset() }
            return try within.step() ? within.uint64(0) : 0
        } catch { throw error.storeError }
    }

    /// Bytes in a file of the batch that has the ends and epoch of another; nil for none.
    func length(of batch: RecordBatch, _ partition: PartitionID) throws(SQLiteError) -> Int? {
        guard let place = try first(in: partition, from: batch.baseOffset, limit: batch.baseOffset + 1),
            place.isPlace(of: batch)
        else { return nil }
        return place.length
    }

    private func bind(_ statement: SQLiteStatement, _ partition: PartitionID, _ from: Offset, _ limit: Offset) {
        statement.bind(1, partition.topic.rawValue)
        statement.bind(2, Int64(partition.index))
        statement.bind(3, offset: from)
        statement.bind(4, offset: limit)
    }

    /// Places of batches from the one that holds `from` on, that begin below `limit` and end by `end`: as many as
    /// `bytesMax` holds, at least one. Also whether these are all.
    func places(
        _ partition: PartitionID, from: Offset, limit: Offset, end: Offset, bytesMax: Int
    ) throws(StoreError) -> (places: [BatchPlace], isAll: Bool) {
        do throws(SQLiteError) {
            places.bind(1, partition.topic.rawValue)
            places.bind(2, Int64(partition.index))
            places.bind(3, offset: from)
            places.bind(4, offset: limit)
            var found: [BatchPlace] = []
            var bytes = 0
            while try places.step() {
                let place = BatchPlace(places)
                if place.end <= from { continue }
                guard place.end <= end else { break }
                guard found.isEmpty || bytes + place.length <= bytesMax else {
                    places.reset()
                    return (found, false)
                }
                found.append(place)
                bytes += place.length
            }
            places.reset()
            return (found, true)
        } catch { throw error.storeError }
    }

    /// Bytes of a log's batches that end behind `after` and not behind `end`.
    func bytes(_ partition: PartitionID, after: Offset, through end: Offset) throws(SQLiteError) -> UInt64 {
        visible.bind(1, partition.topic.rawValue)
        visible.bind(2, Int64(partition.index))
        visible.bind(3, offset: after)
        visible.bind(4, offset: end)
        defer { visible.reset() }
        return try visible.step() ? visible.uint64(0) : 0
    }

    /// All logs. Throws when one is damaged.
    func logs() throws(StorageOpenError) -> [(PartitionID, LogSummary)] {
        var logs: [(PartitionID, LogSummary)] = []
        do throws(SQLiteError) {
            let statement = try database.prepare("SELECT topic, partition, summary FROM logs ORDER BY topic, partition")
            while try statement.step() {
                let partition = PartitionID(
                    topic: TopicID(statement.uint64(0)), index: UInt32(truncatingIfNeeded: statement.int64(1)))
                guard let summary = LogSummary(row: statement.view(2), of: partition) else {
                    throw SQLiteError(
                        code: 0, message: "the log of partition \(partition) is damaged", path: database.path)
                }
                logs.append((partition, summary))
            }
        } catch { throw error.openError }
        return logs
    }
}

/// Where the batches of logs are, for writing.
struct LogIndexWriter {
    private let database: SQLiteDatabase
    private let insert: SQLiteStatement
    private let deleteFrom: SQLiteStatement
    private let deleteBelow: SQLiteStatement
    private let deleteAll: SQLiteStatement
    private let sumFrom: SQLiteStatement
    private let sumBelow: SQLiteStatement
    private let last: SQLiteStatement
    private let place: SQLiteStatement
    private let within: SQLiteStatement
    private let files: SQLiteStatement
    private let summary: SQLiteStatement
    private let setSummary: SQLiteStatement
    private let removeSummary: SQLiteStatement

    /// Prepares the statements.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        self.database = database
        let these = "FROM batches WHERE topic = ?1 AND partition = ?2"
        insert = try database.prepare(
            "INSERT OR REPLACE INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
        // Batches do not overlap: only the last one that begins before an offset can reach beyond it.
        let beyond = "base >= coalesce((SELECT max(base) \(these) AND base < ?3), ?3) AND end > ?3"
        deleteFrom = try database.prepare("DELETE \(these) AND \(beyond)")
        deleteBelow = try database.prepare("DELETE \(these) AND base < ?3 AND end <= ?3")
        deleteAll = try database.prepare("DELETE \(these)")
        sumFrom = try database.prepare("SELECT coalesce(sum(length), 0) \(these) AND \(beyond)")
        sumBelow = try database.prepare("SELECT coalesce(sum(length), 0) \(these) AND base < ?3 AND end <= ?3")
        last = try database.prepare(
            "SELECT \(BatchPlace.columns) \(these) ORDER BY base DESC LIMIT 1")
        place = try database.prepare("SELECT \(BatchPlace.columns) \(these) AND base = ?3")
        within = try database.prepare("SELECT \(BatchPlace.columns) \(these) AND file = ?3 ORDER BY base")
        files = try database.prepare("SELECT DISTINCT file \(these)")
        summary = try database.prepare("SELECT summary FROM logs WHERE topic = ?1 AND partition = ?2")
        setSummary = try database.prepare(
            "INSERT INTO logs VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET summary = excluded.summary")
        removeSummary = try database.prepare("DELETE FROM logs WHERE topic = ?1 AND partition = ?2")
    }

    /// Takes out batches that end behind `from`; returns their bytes.
    func cut(_ partition: PartitionID, from: Offset) throws(SQLiteError) -> UInt64 {
        try remove(partition, from, sum: sumFrom, delete: deleteFrom)
    }

    /// Takes out batches that end at or before `first`; returns their bytes.
    func drop(_ partition: PartitionID, below first: Offset) throws(SQLiteError) -> UInt64 {
        try remove(partition, first, sum: sumBelow, delete: deleteBelow)
    }

    /// Takes out all batches.
    func reset(_ partition: PartitionID) throws(SQLiteError) {
        bind(deleteAll, partition)
        try deleteAll.run()
    }

    /// Takes in a batch.
    func insert(_ partition: PartitionID, _ place: BatchPlace) throws(SQLiteError) {
        bind(insert, partition)
        insert.bind(3, offset: place.base)
        insert.bind(4, offset: place.end)
        insert.bind(5, Int64(place.epoch))
        insert.bind(6, place.file.rawValue)
        insert.bind(7, Int64(place.position))
        insert.bind(8, Int64(place.length))
        insert.bind(9, place.mark.appendedMs)
        insert.bind(10, place.mark.producerID)
        insert.bind(11, place.mark.sequence)
        try insert.run()
    }

    /// The last batch; nil for none.
    func last(_ partition: PartitionID) throws(SQLiteError) -> BatchPlace? {
        bind(last, partition)
        defer { last.reset() }
        return try last.step() ? BatchPlace(last) : nil
    }

    /// Files that hold a batch.
    func files(_ partition: PartitionID) throws(SQLiteError) -> [LogFile] {
        bind(files, partition)
        var found: [LogFile] = []
        while try files.step() { found.append(LogFile(rawValue: files.uint64(0))) }
        return found
    }

    /// The place of the batch that has the ends and epoch of another; nil for none.
    func place(of batch: RecordBatch, _ partition: PartitionID) throws(SQLiteError) -> BatchPlace? {
        bind(place, partition)
        place.bind(3, offset: batch.baseOffset)
        defer { place.reset() }
        guard try place.step() else { return nil }
        let found = BatchPlace(place)
        return found.isPlace(of: batch) ? found : nil
    }

    /// The places in a file, in order.
    func places(_ partition: PartitionID, in file: LogFile) throws(SQLiteError) -> [BatchPlace] {
        bind(within, partition)
        within.bind(3, file.rawValue)
        defer { within.reset() }
        var found: [BatchPlace] = []
        while try within.step() { found.append(BatchPlace(within)) }
        return found
    }

    /// Bytes of the log's batches in files, as last written.
    func indexedBytes(_ partition: PartitionID) throws(SQLiteError) -> UInt64 {
        bind(summary, partition)
        defer { summary.reset() }
        guard try summary.step() else { return 0 }
        guard let found = LogSummary(row: summary.view(0), of: partition) else {
            throw SQLiteError(code: 0, message: "the log of partition \(partition) is damaged", path: database.path)
        }
        return found.indexedBytes
    }

    /// Writes a log's state; nil takes it out.
    func set(_ partition: PartitionID, _ summary: LogSummary?) throws(SQLiteError) {
        let statement = summary == nil ? removeSummary : setSummary
        bind(statement, partition)
        if let summary { statement.bind(3, summary.row(of: partition)) }
        try statement.run()
    }

    private func remove(
        _ partition: PartitionID, _ offset: Offset, sum: SQLiteStatement, delete: SQLiteStatement
    ) throws(SQLiteError) -> UInt64 {
        bind(sum, partition)
        sum.bind(3, offset: offset)
        let bytes = try sum.step() ? sum.uint64(0) : 0
        sum.reset()
        guard bytes > 0 else { return 0 }
        bind(delete, partition)
        delete.bind(3, offset: offset)
        try delete.run()
        return bytes
    }

    private func bind(_ statement: SQLiteStatement, _ partition: PartitionID) {
        statement.bind(1, partition.topic.rawValue)
        statement.bind(2, Int64(partition.index))
    }
}

extension LogSummary {
    /// As a row holds it.
    fileprivate func row(of partition: PartitionID) -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.logFacts(facts)
        writer.integer(endOffset)
        writer.integer(indexedBytes)
        writer.integer(appendedMs)
        writer.list(producers.all) { $1.encode(into: &$0) }
        writer.list(epochs) { writer, epoch in
            writer.integer(epoch.epoch)
            writer.integer(epoch.start)
        }
        return Sealed.seal(writer.bytes, seed: partition.topic.rawValue &+ UInt64(partition.index))
    }

    /// Reads a row; nil when it is damaged.
    fileprivate init?(row: UnsafeRawBufferPointer, of partition: PartitionID) {
        guard let content = Sealed.open(row, seed: partition.topic.rawValue &+ UInt64(partition.index)) else {
            return nil
        }
        var reader = ByteReader(content)
        do throws(WireError) {
            facts = try reader.logFacts()
            endOffset = try reader.integer("end offset")
            indexedBytes = try reader.integer("bytes")
            appendedMs = try reader.integer("time of appending")
            producers = ProducerTable(
                try reader.list("producers", max: .max, minBytes: ProducerPosition.encodedBytes) {
                    (reader: inout ByteReader) throws(WireError) in try ProducerPosition(from: &reader)
                })
            epochs = try reader.list("epochs", max: .max, minBytes: 1) { (reader: inout ByteReader) throws(WireError) in
                let epoch: LogEpoch = try reader.integer("epoch")
                return EpochStart(epoch: epoch, start: try reader.integer("start"))
            }
            try reader.end(of: "log")
        } catch { return nil }
    }
}
