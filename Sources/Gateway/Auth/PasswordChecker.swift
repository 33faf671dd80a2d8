import Dispatch
import HTTPTypes
import Synchronization

/// Checks passwords one after the other on a thread of its own: scrypt takes a tenth of a second of one core, which
/// must not hold up the threads that answer requests.
final class PasswordChecker: Sendable {
    private let users: [String: GatewayUser]
    private let waitingMax: Int
    private let metrics: GatewayMetrics
    private let waiting = Mutex(0)
    private let queue = DispatchQueue(label: "stormo.passwords")
    /// What a name that nobody has is checked against, so that the time does not tell which names exist.
    private let decoy: PasswordHash?

    init(users: [GatewayUser], waitingMax: Int, metrics: GatewayMetrics) {
        self.metrics = metrics
        self.users = Dictionary(users.map { ($0.name, $0) }) { first, _ in first }
        self.waitingMax = waitingMax
        decoy = users.isEmpty ? nil : PasswordHash(password: "nobody")
    }

    /// The user of a name; nil when there is none.
    func user(_ name: String) -> GatewayUser? { users[name] }

    /// The user whose name and password these are; nil when they are nobody's.
    func check(name: String, password: String) async throws(Problem) -> GatewayUser? {
        let isTaken = waiting.withLock { waiting in
            guard waiting < waitingMax else { return false }
            waiting += 1
            return true
        }
        guard isTaken else {
            metrics.count(.signInsShed)
            throw .overloaded("too many people are signing in at once")
        }
        defer { waiting.withLock { $0 -= 1 } }
        let user = users[name]
        guard let hash = user?.password ?? decoy else { return nil }
        let matches = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: hash.matches(password)) }
        }
        return matches ? user : nil
    }
}
