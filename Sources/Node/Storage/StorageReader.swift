import NodeCore
import Wire

/// The loop's view of SQLite and of the files of logs: as of the last memtable that it knows to be written.
struct StorageReader {
    private let database: SQLiteDatabase
    private let rows: SQLiteStatement
    private var segments: LogSegmentReader
    /// Registers by key.
    let registers: RegisterReader
    /// Places of batches.
    let index: LogIndexReader
    /// Keys in SQLite, without the node's own.
    private(set) var keys: UInt64 = 0

    /// Prepares the statements and begins a view.
    init(_ database: SQLiteDatabase, configuration: StorageConfiguration) throws(SQLiteError) {
        self.database = database
        registers = try RegisterReader(database)
        index = try LogIndexReader(database)
        rows = try database.prepare("SELECT value FROM progress WHERE name = 'keys'")
        segments = LogSegmentReader(directory: configuration.directory, openMax: configuration.openLogFilesMax)
        refresh()
    }

    /// Moves the view to what is written now. The view is a held read transaction, which saves each read the beginning
    /// of one; without it, should it fail, reads are right all the same.
    mutating func refresh() {
        do throws(SQLiteError) {
            if database.isInTransaction { try database.execute("ROLLBACK") }
            try database.execute("BEGIN")
            if try rows.step() { keys = rows.uint64(0) }
            rows.reset()
        } catch {
            rows.reset()
        }
    }

    /// Lets go of open files of logs.
    mutating func closeFiles() { segments.closeAll() }

    /// Batches in files from the one that holds `from` on, that begin below `limit` and end by `end`; at least one when
    /// there is any. Also whether these are all of them.
    mutating func batches(
        _ partition: PartitionID, from: Offset, limit: Offset, end: Offset, bytesMax: Int
    ) throws(StoreError) -> (batches: [RecordBatch], isAll: Bool) {
        let (places, isAll) = try index.places(partition, from: from, limit: limit, end: end, bytesMax: bytesMax)
        return (try segments.batches(partition, places), isAll)
    }

    /// Ends the view and the connection.
    mutating func close() {
        segments.closeAll()
        database.close()
    }
}
