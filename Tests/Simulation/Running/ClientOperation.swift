import Wire

/// An operation of a client, from its request to what became of it.
struct ClientOperation {
    /// What was asked for.
    enum Action: Hashable {
        case read
        /// Sets or removes the value, whatever is there.
        case write(isDeletion: Bool)
        /// Sets or removes the value under a condition.
        case change(RegisterModel.Condition, isDeletion: Bool)
        /// Extends the lease of a label.
        case renew(RegisterModel.CellNumber)
        case list
        case weakRead
        case weakWrite
    }

    /// What became of it.
    enum Outcome: Hashable {
        /// It may have been done, or be done later.
        case unknown
        /// It was not done, and never will be.
        case failed
        case applied
        case refused(found: RegisterModel.CellNumber)
        case found(RegisterModel.CellNumber)
    }

    /// Its number, which is also the label of what it writes.
    let number: RegisterModel.CellNumber
    let client: Int
    let kind: OperationKind
    let action: Action
    let key: Int
    let node: Int
    /// The run of that node.
    let run: Int
    let invoked: UInt64
    let sentMs: UInt64
    /// Time to live of what it writes, in milliseconds.
    let ttlMs: UInt64?
    var returned = UInt64.max
    var outcome = Outcome.unknown
    /// Whether its client has heard anything, be it that the outcome is unknown.
    var isAnswered = false
    /// When what it has written expires, in milliseconds since 1970, once that is known.
    var expiryMs: UInt64?
    /// The fencing token of a lease.
    var token: Ballot?

    /// What it tries to leave in the register.
    var cell: RegisterModel.CellNumber {
        switch action {
        case .write(isDeletion: true), .change(_, isDeletion: true): RegisterModel.absent
        default: number
        }
    }
}
