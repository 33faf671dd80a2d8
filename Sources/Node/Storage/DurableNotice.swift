import NodeCore
import Synchronization

/// Tells the node's loop that something is durable or finished. Both threads of the storage call it; the numbers never
/// go back.
final class DurableNotice: Sendable {
    private let latest = Mutex<UInt64>(0)
    private let receiver: @Sendable (JournalSequence) -> Void

    /// Sends to `receiver`, which must not block.
    init(_ receiver: @escaping @Sendable (JournalSequence) -> Void) { self.receiver = receiver }

    /// Everything up to `sequence` is durable.
    func durable(through sequence: UInt64) {
        latest.withLock { latest in
            latest = max(latest, sequence)
            receiver(JournalSequence(latest))
        }
    }

    /// There is other news: repeats the latest number.
    func news() { durable(through: 0) }
}
