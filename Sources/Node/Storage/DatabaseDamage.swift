import NodeCore
import Synchronization

/// What was found wrong with the database, by any of its connections. The first finding stays: the database as a whole
/// is not to be trusted then.
final class DatabaseDamage: Sendable {
    private let first = Mutex<String?>(nil)

    /// What and where, on one line; nil while nothing was found.
    var found: String? { first.withLock(\.self) }

    /// Notes a failure if it tells of damage.
    func note(_ error: SQLiteError) {
        guard case .corrupt(let detail, _) = error.storeError else { return }
        first.withLock { first in
            if first == nil { first = detail }
        }
    }
}
