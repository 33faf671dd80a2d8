import NodeCore
import Wire

/// The node's facts in SQLite.
enum FactTable {
    /// All facts. Throws when one is damaged or unknown to this version.
    static func load(_ database: SQLiteDatabase) throws(StorageOpenError) -> [NodeFact: [UInt8]] {
        var facts: [NodeFact: [UInt8]] = [:]
        do throws(SQLiteError) {
            let statement = try database.prepare("SELECT fact, value FROM facts")
            while try statement.step() {
                let number = statement.int64(0)
                guard let fact = UInt8(exactly: number).flatMap(NodeFact.init(rawValue:)) else {
                    throw SQLiteError(
                        code: 0, message: "fact \(number) is unknown to this version of stormo", path: database.path)
                }
                guard let value = Sealed.open(statement.view(1), seed: UInt64(fact.rawValue)) else {
                    throw SQLiteError(code: 0, message: "fact \(fact) fails its checksum", path: database.path)
                }
                facts[fact] = Array(value)
            }
        } catch { throw error.openError }
        return facts
    }

    /// Prepares the statement for `write`.
    static func writer(_ database: SQLiteDatabase) throws(SQLiteError) -> SQLiteStatement {
        try database.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
    }

    /// Sets a fact.
    static func write(_ fact: NodeFact, _ value: [UInt8], with statement: SQLiteStatement) throws(SQLiteError) {
        statement.bind(1, Int64(fact.rawValue))
        statement.bind(2, Sealed.seal(value, seed: UInt64(fact.rawValue)))
        try statement.run()
    }
}
