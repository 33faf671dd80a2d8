import Wire

/// The tables of a node's database and their version.
///
/// Rows are in rowid tables with a unique index of the key: a table without rowid would spill larger rows into overflow
/// pages. Only the small rows of the index of batches are kept by their key.
enum StorageSchema {
    /// The version of the tables; kept in the file's `user_version`.
    static let version: Int64 = 1
    // "STOR", in the file's `application_id`.
    private static let application: Int64 = 0x5354_4F52

    /// Creates the tables in a new file, and throws for a file of an unknown version or another program.
    static func open(_ database: SQLiteDatabase) throws(StorageOpenError) {
        do throws(SQLiteError) {
            let version = try database.number("PRAGMA user_version") ?? 0
            let application = try database.number("PRAGMA application_id") ?? 0
            if version == 0 && application == 0 {
                if try database.number("SELECT count(*) FROM sqlite_schema") == 0 { return try create(database) }
            }
            guard application == Self.application else {
                throw SQLiteError(code: 0, message: "not a database of stormo", path: database.path)
            }
        } catch {
            throw error.openError
        }
        let found = (try? database.number("PRAGMA user_version")) ?? 0
        guard found == version else {
            throw .unknownVersion(file: database.path, found: UInt64(bitPattern: found), known: UInt64(version))
        }
    }

    private static func create(_ database: SQLiteDatabase) throws(SQLiteError) {
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
                PRIMARY KEY (topic, partition, base)) WITHOUT ROWID;
            CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
            INSERT INTO progress VALUES ('journal use', 0);
            PRAGMA application_id = \(application);
            PRAGMA user_version = \(version);
            COMMIT;
            """)
    }
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
