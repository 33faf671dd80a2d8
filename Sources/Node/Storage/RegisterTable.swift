import NodeCore
import Wire

/// The registers in SQLite, for reading.
struct RegisterReader {
    private let database: SQLiteDatabase
    private let one: SQLiteStatement
    private let range: SQLiteStatement
    private let open: SQLiteStatement

    /// Prepares the statements.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        self.database = database
        one = try database.prepare("SELECT state FROM registers WHERE key = ?1")
        range = try database.prepare("SELECT key, state FROM registers WHERE key >= ?1 AND key < ?2 ORDER BY key")
        open = try database.prepare("SELECT key, state FROM registers WHERE key >= ?1 ORDER BY key")
    }

    /// A key's state; nil when the table does not have it. Throws `corrupt` when it is damaged.
    func state(_ key: Key) throws(StoreError) -> RegisterState? {
        do throws(SQLiteError) {
            one.bind(1, key.bytes)
            guard try one.step() else { return nil }
        } catch { throw error.storeError }
        defer { one.reset() }
        return try RegisterRow.decode(one.view(0), key: key, path: database.path)
    }

    /// Walks the keys from `lower` on that are below `upper`.
    func cursor(from lower: [UInt8], below upper: [UInt8]?) throws(StoreError) -> RegisterCursor {
        let statement = upper == nil ? open : range
        statement.reset()
        statement.bind(1, lower)
        if let upper { statement.bind(2, upper) }
        var cursor = RegisterCursor(statement: statement, path: database.path)
        try cursor.advance()
        return cursor
    }
}

/// A walk over registers in SQLite, in the order of their keys. One at a time; `end` it.
struct RegisterCursor {
    private let statement: SQLiteStatement
    private let path: String
    /// The key it stands at; nil at the end.
    private(set) var current: Key?

    fileprivate init(statement: SQLiteStatement, path: String) {
        self.statement = statement
        self.path = path
    }

    /// Goes to the next key.
    mutating func advance() throws(StoreError) {
        do throws(SQLiteError) {
            current = try statement.step() ? Key(statement.bytes(0)) : nil
        } catch { throw error.storeError }
    }

    /// The state of the key it stands at. Throws `corrupt` when it is damaged.
    func state() throws(StoreError) -> RegisterState {
        guard let current else { return .empty }
        return try RegisterRow.decode(statement.view(1), key: current, path: path)
    }

    /// Leaves the keys that are left.
    func end() { statement.reset() }
}

/// The registers in SQLite, for writing.
struct RegisterWriter {
    private let upsert: SQLiteStatement
    private var writer = ByteWriter()

    /// Prepares the statement.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        upsert = try database.prepare(
            "INSERT INTO registers (key, state) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET state = excluded.state")
    }

    /// Sets a key's state.
    mutating func write(_ key: Key, _ state: RegisterState) throws(SQLiteError) {
        upsert.bind(1, key.bytes)
        upsert.bind(2, RegisterRow.encode(state, key: key, &writer))
        try upsert.run()
    }
}

/// The form of a register's state in the table.
private enum RegisterRow {
    static func encode(_ state: RegisterState, key: Key, _ writer: inout ByteWriter) -> [UInt8] {
        writer.removeAll()
        writer.registerState(state)
        writer.integer(XXH64.hash(writer.bytes, seed: key.token))
        return writer.bytes
    }

    static func decode(_ bytes: UnsafeRawBufferPointer, key: Key, path: String) throws(StoreError) -> RegisterState {
        guard let content = Sealed.open(bytes, seed: key.token) else {
            throw .corrupt("\(path): the state of key \"\(key)\" fails its checksum")
        }
        var reader = ByteReader(content)
        do throws(WireError) {
            let state = try reader.registerState()
            try reader.end(of: "register state")
            return state
        } catch {
            throw .corrupt("\(path): the state of key \"\(key)\" cannot be read: \(error)")
        }
    }
}
