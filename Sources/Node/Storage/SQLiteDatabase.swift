import CSQLite

/// A connection to the database file, used by one thread at a time: the storage hands each connection to one thread.
final class SQLiteDatabase: @unchecked Sendable {
    // Unchecked: a connection is opened on one thread and then used by one, which the engine's structure ensures.
    let path: String
    private let connection: OpaquePointer
    private let checks: PageChecks?
    private let damage: DatabaseDamage
    private var statements: [OpaquePointer] = []
    private var closed = false

    /// Opens the file at `path`, creating it when it is not there. Its pages have 4 KiB and checksums; a commit is durable when
    /// it returns. Damage is noted in `damage`.
    init(
        path: String, cacheBytes: Int, damage: DatabaseDamage = DatabaseDamage()
    ) throws(SQLiteError) {
        self.path = path
        self.damage = damage
        let layer = CheckedFile.register()
        guard layer == SQLITE_OK else {
            throw SQLiteError(code: layer, message: "SQLite takes no layer for files", path: path)
        }
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(path, &opened, flags, CheckedFile.layer)
        guard let opened else { throw SQLiteError(code: code, message: "no memory for a connection", path: path) }
        guard code == SQLITE_OK else {
            let error = SQLiteError(code: code, message: String(cString: sqlite3_errmsg(opened)), path: path)
            damage.note(error)
            sqlite3_close_v2(opened)
            throw error
        }
        connection = opened
        checks = CheckedFile.checks(of: opened)
        sqlite3_extended_result_codes(connection, 1)
        do throws(SQLiteError) {
            // The other connection may hold the file for a moment while it opens or checkpoints.
            sqlite3_busy_timeout(connection, Self.busyMs)
            try execute("PRAGMA page_size = \(PageChecks.pageBytes)")
            var reserved = Int32(PageChecks.reservedBytes)
            guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved) == SQLITE_OK else {
                throw failure()
            }
            try execute("PRAGMA journal_mode = WAL")
            try execute("PRAGMA synchronous = FULL")
            // Checkpoints are asked for when no reader needs what they would leave behind.
            try execute("PRAGMA wal_autocheckpoint = 0")
            try execute("PRAGMA journal_size_limit = \(Self.walBytesKept)")
            try execute("PRAGMA cell_size_check = ON")
            try execute("PRAGMA mmap_size = 0")
            // Also means that freed pages are written, so that each page of the file has been, and has its checksum.
            try execute("PRAGMA secure_delete = ON")
            try execute("PRAGMA cache_size = -\(cacheBytes / 1_024)")
            try execute("PRAGMA temp_store = MEMORY")
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Ends the connection; calling it again does nothing.
    func close() {
        guard !closed else { return }
        closed = true
        for statement in statements { sqlite3_finalize(statement) }
        sqlite3_close_v2(connection)
    }

    /// Runs statements without parameters and results.
    func execute(_ sql: String) throws(SQLiteError) {
        guard sqlite3_exec(connection, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
    }

    /// Prepares a statement, which lives as long as the connection.
    func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil) == SQLITE_OK,
            let statement
        else { throw failure() }
        statements.append(statement)
        return SQLiteStatement(statement: statement, database: self)
    }

    /// The first column of the first row of a query, as a number; nil without rows.
    func number(_ sql: String) throws(SQLiteError) -> Int64? {
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK else { throw failure() }
        defer { sqlite3_finalize(statement) }
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return sqlite3_column_int64(statement, 0)
        case SQLITE_DONE: return nil
        default: throw failure()
        }
    }

    /// Whether a transaction is open.
    var isInTransaction: Bool { sqlite3_get_autocommit(connection) == 0 }

    /// The id of the row that was inserted last, until it is set to something else.
    var lastInsertedID: Int64 {
        get { sqlite3_last_insert_rowid(connection) }
        set { sqlite3_set_last_insert_rowid(connection, newValue) }
    }

    /// Copies what it can of the write-ahead log into the database file and syncs that.
    func checkpoint() throws(SQLiteError) {
        let code = sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        guard code == SQLITE_OK || code == SQLITE_BUSY else { throw failure() }
    }

    /// The error of the last call; one that tells of damage is noted.
    fileprivate func failure() -> SQLiteError {
        let code = sqlite3_extended_errcode(connection)
        var message = String(cString: sqlite3_errmsg(connection))
        if code == CheckedFile.damaged, let failed = checks?.failed { message = failed }
        let error = SQLiteError(code: code, message: message, path: path)
        damage.note(error)
        return error
    }

    private static let busyMs: Int32 = 5_000
    // Bytes of its file that the write-ahead log keeps when it begins anew: enough that it rarely has to grow again.
    private static let walBytesKept = 64 << 20
}

/// A prepared statement of a connection.
struct SQLiteStatement: @unchecked Sendable {
    // Unchecked for the reason given at the connection, whose thread is the statement's.
    fileprivate let statement: OpaquePointer
    // Unowned: the connection finalizes the statement.
    fileprivate unowned let database: SQLiteDatabase

    /// Sets parameter `index`, from 1.
    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(statement, index, value) }

    /// Sets parameter `index` to a number of 64 bits; those above 2^63 become negative.
    func bind(_ index: Int32, _ value: UInt64) { sqlite3_bind_int64(statement, index, Int64(bitPattern: value)) }

    /// Sets parameter `index` to an offset; one above 2^63 stands for the greatest.
    func bind(_ index: Int32, offset: UInt64) { sqlite3_bind_int64(statement, index, Int64(clamping: offset)) }

    /// Sets parameter `index` to a copy of bytes.
    func bind(_ index: Int32, _ bytes: [UInt8]) {
        guard !bytes.isEmpty else {
            sqlite3_bind_zeroblob(statement, index, 0)
            return
        }
        // The destructor that SQLite's header calls SQLITE_TRANSIENT: copy at once.
        let copy = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        _ = bytes.withUnsafeBytes { sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), copy) }
    }

    /// Goes to the next row; false at the end. After the end, and after an error, the statement can be used anew.
    func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(statement)
            return false
        default:
            let error = database.failure()
            sqlite3_reset(statement)
            throw error
        }
    }

    /// Runs a statement that gives no rows.
    func run() throws(SQLiteError) {
        let more = try step()
        if more { reset() }
    }

    /// Leaves the rows that are left.
    func reset() { sqlite3_reset(statement) }

    /// A column of the present row as a number.
    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    /// A column of the present row as a number of 64 bits.
    func uint64(_ column: Int32) -> UInt64 { UInt64(bitPattern: int64(column)) }

    /// A column of the present row in place; valid until the next step.
    func view(_ column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: sqlite3_column_blob(statement, column), count: Int(sqlite3_column_bytes(statement, column)))
    }

    /// A column of the present row, copied.
    func bytes(_ column: Int32) -> [UInt8] { Array(view(column)) }
}
