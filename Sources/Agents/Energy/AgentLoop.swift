import Logging
import ServiceLifecycle
import StormoClient
import Wire

/// Tries an operation that may be repeated until the cluster answers it, with growing pauses. Throws
/// `CancellationError`, or the client's error once it is closed.
func untilReachable<Value: Sendable>(
    _ settings: EnergyAgentSettings, _ logger: Logger, _ operation: () async throws(ClientError) -> Value
) async throws -> Value {
    var pause = Backoff(pauseMs: settings.pausesMs)
    while true {
        do throws(ClientError) {
            return try await operation()
        } catch {
            if case .closed = error { throw error }
            let pauseMs = pause.nextMs()
            logger.warning(
                "the cluster does not answer; trying again",
                metadata: ["error": "\(error)", "pause_ms": "\(pauseMs)"])
            try await Task.sleep(for: .milliseconds(pauseMs))
        }
    }
}

/// Runs an agent's work until it ends. That it was cancelled, or its client closed, is a normal end; every other error
/// is thrown.
func untilEnded(_ work: @escaping @Sendable () async throws -> Void) async throws {
    do {
        try await cancelWhenGracefulShutdown { try await work() }
    } catch is CancellationError {
        return
    } catch let error as ClientError where error == .closed {
        return
    }
}
