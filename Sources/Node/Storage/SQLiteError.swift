import CSQLite
import NodeCore

/// A call of SQLite that failed.
struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The extended result code; 0 when the database works but its content is not what it must be.
    let code: Int32
    /// SQLite's message.
    let message: String
    /// The file of the database.
    let path: String

    /// One line for people.
    var description: String { "\(path): \(message) (SQLite code \(code))" }

    /// As a start says it.
    var openError: StorageOpenError {
        if case .corrupt(let detail, _) = storeError { return .corrupt(detail) }
        return .database(description)
    }

    /// As the node's store says it.
    var storeError: StoreError {
        if code == CheckedFile.damaged { return .corrupt(description) }
        return switch code & 0xff {
        case SQLITE_OK, SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt(description)
        case SQLITE_FULL: .full(description)
        default: .io(description)
        }
    }
}
