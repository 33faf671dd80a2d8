import NIOCore
import Wire
import WireTransport

/// Which node an operation is for.
enum Route: Sendable {
    /// The first replica of a key that lives; any other node forwards.
    case key(Key)
    /// This node and no other, waited for until the deadline.
    case node(NodeID)
    /// This node, now: when it cannot be reached, is silent or refuses, the caller decides how to go on.
    case primary(NodeID)
    /// Any node that lives.
    case anyNode
}

/// Whether an operation may be asked twice.
enum Safety: Sendable {
    /// Reads: another node may be asked at any time.
    case repeatable
    /// Writes: asked again only when the first was certainly not taken.
    case once
}

/// A request of a caller on its way. Confined to the event loop once it was submitted.
final class Operation: @unchecked Sendable {
    /// Who waits for the result.
    enum Completion {
        case caller(CheckedContinuation<Result<Message, ClientError>, Never>)
        case engine((Result<Message, ClientError>) -> Void)
    }

    let message: Message
    let route: Route
    let safety: Safety
    /// When it ends without an answer.
    let deadline: NIODeadline
    /// How long one node may be silent before another is asked too, in milliseconds.
    let attemptMs: Int64
    /// When the present attempt has been silent for too long.
    var attemptDeadline = NIODeadline.distantFuture
    /// Attempts that have not been answered.
    var inFlight = 0
    /// When it is tried again while it waits for a node.
    var retryAt = NIODeadline.uptimeNanoseconds(0)
    /// Rounds over all nodes that failed.
    var backoff: Backoff
    /// What went wrong last.
    var lastError: ClientError?

    private var completion: Completion?
    // Nearly all operations ask one node: no array for these.
    private var firstTried: NodeID?
    private var othersTried: [NodeID] = []

    init(
        message: Message, route: Route, safety: Safety, timeoutMs: UInt64, attemptMs: UInt64, completion: Completion
    ) {
        self.message = message
        self.route = route
        self.safety = safety
        deadline = .now() + .milliseconds(Int64(timeoutMs))
        self.attemptMs = Int64(attemptMs)
        self.completion = completion
        backoff = Backoff(pauseMs: ClientLimits.roundPauseMs)
    }

    var isDone: Bool { completion == nil }

    /// Whether it must not go to a second node once a first may have taken it.
    var isOnce: Bool { safety == .once }

    /// Gives the result to who waits, the first time.
    func complete(_ result: Result<Message, ClientError>) {
        guard let completion else { return }
        self.completion = nil
        switch completion {
        case .caller(let continuation): continuation.resume(returning: result)
        case .engine(let closure): closure(result)
        }
    }

    func hasTried(_ node: NodeID) -> Bool { firstTried == node || othersTried.contains(node) }

    func noteTried(_ node: NodeID) {
        if firstTried == nil { firstTried = node } else { othersTried.append(node) }
    }

    /// A new round: every node may be asked again.
    func forgetTried() {
        firstTried = nil
        othersTried = []
    }
}
