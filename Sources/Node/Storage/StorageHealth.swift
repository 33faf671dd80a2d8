import Synchronization

/// What is wrong with the disk at present, as the storage's threads find it. Both threads write, the node's loop reads.
final class StorageHealth: Sendable {
    /// Who found it.
    enum Part: Int, CaseIterable {
        /// The journal could not be written.
        case journal
        /// SQLite, a log's file or a new segment could not be written.
        case background
    }

    private let anything = Atomic<Bool>(false)
    private let reasons = Mutex<[String?]>(Part.allCases.map { _ in nil })

    /// Why no writes are taken; nil when all is well, which costs one load.
    var reason: String? {
        guard anything.load(ordering: .relaxed) else { return nil }
        return reasons.withLock { $0.lazy.compactMap(\.self).first }
    }

    /// Says what is wrong with a part; nil when it works again.
    func report(_ part: Part, _ reason: String?) {
        reasons.withLock { reasons in
            reasons[part.rawValue] = reason
            anything.store(reasons.contains { $0 != nil }, ordering: .relaxed)
        }
    }
}
