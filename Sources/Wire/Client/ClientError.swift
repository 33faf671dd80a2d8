public import Wire

/// Why an operation of the client did not give its answer.
public enum ClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Too few replicas answered in time. For a write: it was not done and will not be.
    case noQuorum(String)
    /// A write may or may not have been done, now or later. Never retried by the client.
    case outcomeUnknown(String)
    /// No node could be reached, or none answered in time; nothing was asked of any that could have done it.
    case unreachable(String)
    /// The cluster refused the request; trying again will not help without a change.
    case refused(ErrorCode, String)
    /// A bound of this client or of the node was hit; try again after a pause.
    case overloaded(String)
    /// The client was shut down.
    case closed

    /// One line for people.
    public var description: String {
        switch self {
        case .noQuorum(let detail): "no quorum: \(detail)"
        case .outcomeUnknown(let detail): "outcome unknown: \(detail)"
        case .unreachable(let detail): "cluster unreachable: \(detail)"
        case .refused(let code, let detail): "refused (\(code)): \(detail)"
        case .overloaded(let detail): "overloaded: \(detail)"
        case .closed: "the client is closed"
        }
    }
}
