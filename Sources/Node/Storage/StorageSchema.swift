import NodeCore
import Wire

/// The tables of a node's database and their version.
///
/// Rows are in rowid tables with a unique index of the key: a table without rowid would spill larger rows into overflow
/// pages. Only the small rows of the order of tokens and of the index of batches are kept by their key.
///
enum StorageSchema {
    /// The version of the tables; kept in the file's `user_version`.
    static let version: Int64 = 4
    // "STOR", in the file's `application_id`.
    private static let application: Int64 = 0x5354_4F52

    /// Creates the tables in a new file, beginning with `seed`, and throws for a file of an unknown version or another
    /// program. `isInUse` says that there must be tables.
    static func open(_ database: SQLiteDatabase, seed: DatabaseSeed, isInUse: Bool) throws(StorageOpenError) {
        let found: Int64
        do throws(SQLiteError) {
            found = try check(database)
            if found == 0 {
                guard !isInUse else { throw SQLiteError(code: 0, message: "the tables are gone", path: database.path) }
                return try create(database, seed)
            }
        } catch {
            throw error.openError
        }
        guard found == version else {
            throw .unknownVersion(file: database.path, found: UInt64(bitPattern: found), known: UInt64(version))
        }
    }

    // The version of the tables; 0 without tables. Throws for a database of another program.
    private static func check(_ database: SQLiteDatabase) throws(SQLiteError) -> Int64 {
        let found = try database.number("PRAGMA user_version") ?? 0
        let application = try database.number("PRAGMA application_id") ?? 0
        if found == 0 && application == 0, try database.number("SELECT count(*) FROM sqlite_schema") == 0 { return 0 }
        guard application == Self.application, found > 0 else {
            throw SQLiteError(code: 0, message: "not a database of stormo", path: database.path)
        }
        return found
    }

    private static func create(_ database: SQLiteDatabase, _ seed: DatabaseSeed) throws(SQLiteError) {
        try database.execute(
            """
            BEGIN IMMEDIATE;
            CREATE TABLE registers (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, state BLOB NOT NULL);
            CREATE TABLE facts (fact INTEGER PRIMARY KEY, value BLOB NOT NULL);
            CREATE TABLE logs (
                topic INTEGER NOT NULL, partition INTEGER NOT NULL, summary BLOB NOT NULL,
                PRIMARY KEY (topic, partition));
            CREATE TABLE batches (
                topic INTEGER NOT NULL, partition INTEGER NOT NULL, base INTEGER NOT NULL, end INTEGER NOT NULL,
                epoch INTEGER NOT NULL, file INTEGER NOT NULL, position INTEGER NOT NULL, length INTEGER NOT NULL,
                appended INTEGER NOT NULL, producer INTEGER NOT NULL, sequence INTEGER NOT NULL,
                PRIMARY KEY (topic, partition, base)) WITHOUT ROWID;
            CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
            INSERT INTO progress VALUES ('journal use', \(Int64(bitPattern: seed.use)));
            \(tokens)
            PRAGMA application_id = \(application);
            PRAGMA user_version = \(version);
            """)
        let facts = try FactTable.writer(database)
        for fact in NodeFact.allCases {
            if let value = seed.facts[fact] { try FactTable.write(fact, value, with: facts) }
        }
        try database.execute("COMMIT")
    }

    // Places in the order of tokens (see `TokenOrder`) and the ids of the registers there.
    private static let tokens = """
        CREATE TABLE tokens (token INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (token, id)) WITHOUT ROWID;
        INSERT INTO progress VALUES ('keys', 0);
        """
}

/// Values in the database carry a checksum that is seeded with what they belong to, so that neither a flipped bit nor
/// an exchanged row goes unseen.
enum Sealed {
    /// The value with its checksum behind it.
    static func seal(_ value: consuming [UInt8], seed: UInt64) -> [UInt8] {
        let digest = XXH64.hash(value, seed: seed)
        withUnsafeBytes(of: digest.littleEndian) { value.append(contentsOf: $0) }
        return value
    }

    /// The value without its checksum, in place; nil when it is damaged.
    static func open(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UnsafeRawBufferPointer? {
        guard bytes.count >= 8 else { return nil }
        let value = UnsafeRawBufferPointer(rebasing: bytes.dropLast(8))
        return XXH64.hash(value, seed: seed) == bytes.word(value.count) ? value : nil
    }
}
