import NodeCore
import Wire

/// The registers in SQLite, for reading.
struct RegisterReader {
    private let database: SQLiteDatabase
    private let one: SQLiteStatement
    private let range: SQLiteStatement
    private let open: SQLiteStatement
    private let tokens: SQLiteStatement

    /// Prepares the statements.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        self.database = database
        one = try database.prepare("SELECT state FROM registers WHERE key = ?1")
        range = try database.prepare("SELECT key, state FROM registers WHERE key >= ?1 AND key < ?2 ORDER BY key")
        open = try database.prepare("SELECT key, state FROM registers WHERE key >= ?1 ORDER BY key")
        // The join's order is given: SQLite would weigh it by statistics that it does not have.
        tokens = try database.prepare(
            """
            SELECT key, state FROM tokens CROSS JOIN registers USING (id) WHERE token BETWEEN ?1 AND ?2
            ORDER BY token, key
            """)
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
        return try cursor(statement)
    }

    /// Walks the keys whose tokens have their places in a stretch, in the order of `TokenCursor`.
    func cursor(of stretch: ClosedRange<Int64>) throws(StoreError) -> RegisterCursor {
        tokens.reset()
        tokens.bind(1, stretch.lowerBound)
        tokens.bind(2, stretch.upperBound)
        return try cursor(tokens)
    }

    private func cursor(_ statement: SQLiteStatement) throws(StoreError) -> RegisterCursor {
        var cursor = RegisterCursor(statement: statement, path: database.path)
        try cursor.advance()
        return cursor
    }
}

/// A walk over registers in SQLite, in one of their orders. One at a time; `end` it.
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
    private let database: SQLiteDatabase
    private let upsert: SQLiteStatement
    private let delete: SQLiteStatement
    private let insertToken: SQLiteStatement
    private let deleteToken: SQLiteStatement
    private let count: SQLiteStatement
    private var writer = ByteWriter()
    private var changes: [TokenChange] = []

    /// Prepares the statements.
    init(_ database: SQLiteDatabase) throws(SQLiteError) {
        self.database = database
        upsert = try database.prepare(
            "INSERT INTO registers (key, state) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET state = excluded.state")
        delete = try database.prepare("DELETE FROM registers WHERE key = ?1 RETURNING id")
        insertToken = try database.prepare("INSERT INTO tokens (token, id) VALUES (?1, ?2)")
        deleteToken = try database.prepare("DELETE FROM tokens WHERE token = ?1 AND id = ?2")
        count = try database.prepare("UPDATE progress SET value = value + ?1 WHERE name = 'keys'")
    }

    /// Sets a key's state. An empty state is kept in no row.
    mutating func write(_ key: Key, _ state: RegisterState) throws(SQLiteError) {
        guard state != .empty else {
            delete.bind(1, key.bytes)
            guard try delete.step() else { return }
            note(key, id: delete.int64(0), isAdded: false)
            return delete.reset()
        }
        // Only a new row sets it.
        database.lastInsertedID = 0
        upsert.bind(1, key.bytes)
        upsert.bind(2, RegisterRow.encode(state, key: key, &writer))
        try upsert.run()
        if database.lastInsertedID != 0 { note(key, id: database.lastInsertedID, isAdded: true) }
    }

    /// What the order of tokens lacks after the writes since the last call, in that order: a row at a random place
    /// costs a whole page.
    mutating func takeTokenChanges() -> [TokenChange] {
        defer { changes = [] }
        return changes.sorted()
    }

    /// Brings a change into the order of tokens.
    func write(_ change: TokenChange) throws(SQLiteError) {
        let statement = change.isAdded ? insertToken : deleteToken
        statement.bind(1, change.place)
        statement.bind(2, change.id)
        try statement.run()
    }

    /// Adds to the number of keys.
    func count(_ more: Int) throws(SQLiteError) {
        guard more != 0 else { return }
        count.bind(1, Int64(more))
        try count.run()
    }

    /// Notes that a key's row came or went, for `takeTokenChanges`.
    mutating func note(_ key: Key, id: Int64, isAdded: Bool) {
        guard !key.isLocal else { return }
        changes.append(TokenChange(place: TokenOrder.place(key.token), id: id, isAdded: isAdded))
    }
}

/// A row of the registers that came or went, by its place in the order of tokens.
struct TokenChange: Hashable, Comparable, Sendable {
    /// See `TokenOrder`.
    var place: Int64
    /// The row's id.
    var id: Int64
    /// Whether it came.
    var isAdded: Bool

    /// By place; of a row that went and one that came under its id, the former is first.
    static func < (a: TokenChange, b: TokenChange) -> Bool {
        (a.place, a.id, a.isAdded ? 1 : 0) < (b.place, b.id, b.isAdded ? 1 : 0)
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
            throw .corrupt("\(path): the state of key \"\(key)\" fails its checksum", key: key)
        }
        var reader = ByteReader(content)
        do throws(WireError) {
            let state = try reader.registerState()
            try reader.end(of: "register state")
            return state
        } catch {
            throw .corrupt("\(path): the state of key \"\(key)\" cannot be read: \(error)", key: key)
        }
    }
}
