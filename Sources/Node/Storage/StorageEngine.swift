package import NodeCore
package import Wire

/// What a node keeps on disk, and the cores' `NodeStore`. Confined to the thread that opened it: the node's event loop.
///
/// After applying entries the shell calls `commit()`, at the end of each tick of the loop and after each notice of
/// `onDurable`.
package final class StorageEngine: NodeStore {
    private var registers: [Key: RegisterState] = [:]
    private var facts: [NodeFact: [UInt8]] = [:]
    private var sequence: UInt64 = 0
    private let lock: DirectoryLock
    private let onDurable: @Sendable (JournalSequence) -> Void

    private init(lock: DirectoryLock, onDurable: @escaping @Sendable (JournalSequence) -> Void) {
        self.lock = lock
        self.onDurable = onDurable
    }

    /// Opens a data directory, creating what is not there, and replays its journal.
    ///
    /// `onDurable` is called on a thread of the storage with the last durable entry, in order; it may repeat a number,
    /// which tells that there is other news for `commit()`. It must not block.
    package static func open(
        configuration: StorageConfiguration, onDurable: @escaping @Sendable (JournalSequence) -> Void
    ) throws(StorageOpenError) -> StorageEngine {
        let configuration = try configuration.validated()
        do throws(DiskError) { try PosixDirectory.create(configuration.directory) } catch { throw .disk(error) }
        return StorageEngine(lock: try DirectoryLock(directory: configuration.directory), onDurable: onDurable)
    }

    /// See `NodeStore`.
    package func register(_ key: Key) throws(StoreError) -> RegisterState { registers[key] ?? .empty }

    /// See `NodeStore`.
    package func scan(prefix: [UInt8], after: [UInt8], limit: Int, bytesMax: Int) throws(StoreError) -> ReplicaPage {
        ReplicaPage(items: [], hasMore: false)
    }

    /// See `NodeStore`.
    package func batches(
        _ partition: PartitionID, from: Offset, limit: Offset, bytesMax: Int
    ) throws(StoreError) -> [RecordBatch] { [] }

    /// See `NodeStore`.
    package func fact(_ fact: NodeFact) -> [UInt8]? { facts[fact] }

    /// See `NodeStore`.
    package func recoveredLogs() -> [RecoveredLog] { [] }

    /// See `NodeStore`. Takes effect at once, is durable once `onDurable` has said so.
    package func apply(_ entry: JournalEntry) -> JournalSequence {
        switch entry {
        case .register(let key, let state): registers[key] = state
        case .fact(let fact, let value): facts[fact] = value
        case .append, .truncate, .log, .remove: break
        }
        sequence += 1
        return JournalSequence(sequence)
    }

    /// Hands what was applied to the journal, in one write and one sync, unless the journal is at work: then it goes
    /// with the next call after the notice. Also takes over what the background has finished.
    package func commit() { onDurable(JournalSequence(sequence)) }

    /// See `NodeStore`.
    package var backlogBytes: Int { 0 }

    /// See `NodeStore`.
    package var readOnlyReason: String? { nil }

    /// Figures of the storage, in a fixed order.
    package var statistics: NodeStatistics { NodeStatistics(items: []) }

    /// Makes all that was applied durable and ends the storage's threads. Throws when the disk refused it; what was
    /// reported durable is so all the same. The storage must not be used afterwards.
    package func close() throws(StoreError) { lock.release() }
}
