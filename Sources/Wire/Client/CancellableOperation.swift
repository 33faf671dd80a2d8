import NIOCore
import Synchronization

/// Brings an operation and the cancellation of its task together, whichever comes first.
final class CancellableOperation: Sendable {
    private let state = Mutex<(operation: Operation?, isCancelled: Bool)>((nil, false))

    /// The operation was submitted.
    func set(_ operation: Operation, on engine: RouterEngine) {
        let isCancelled = state.withLock { state in
            state.operation = operation
            return state.isCancelled
        }
        if isCancelled { cancel(on: engine) }
    }

    /// The task was cancelled: the operation ends with `closed`.
    func cancel(on engine: RouterEngine) {
        let operation = state.withLock { state in
            state.isCancelled = true
            return state.operation
        }
        guard let operation else { return }
        engine.eventLoop.execute { operation.complete(.failure(.closed)) }
    }
}
