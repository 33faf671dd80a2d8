import NIOCore
import Wire
import WireTransport

/// The pauses of one operation that is tried again until its deadline.
struct RetryPause {
    /// When there is no next try any more.
    let deadline: NIODeadline
    private var backoff = Backoff(pauseMs: ClientLimits.roundPauseMs)
    private var primaryBackoff = Backoff(pauseMs: ClientLimits.primaryPauseMs)

    /// Tries until `deadline`.
    init(deadline: NIODeadline) { self.deadline = deadline }

    /// Tries that have failed so far.
    var failures: Int { backoff.failures + primaryBackoff.failures }

    /// What is left until the deadline, at least 1 ms.
    var leftMs: UInt64 { UInt64(max(1, (deadline - .now()).nanoseconds / 1_000_000)) }

    /// Waits before the next try; throws `error` instead when that would be behind the deadline or the task is
    /// cancelled. `forPrimary` says that the partition has no primary at present, or another one: the pauses are short
    /// then.
    mutating func wait(orThrow error: ClientError, forPrimary: Bool = false) async throws(ClientError) {
        let pauseMs = forPrimary ? primaryBackoff.nextMs() : backoff.nextMs()
        guard NIODeadline.now() + .milliseconds(Int64(pauseMs)) < deadline else { throw error }
        do { try await Task.sleep(for: .milliseconds(pauseMs)) } catch { throw .closed }
    }
}
