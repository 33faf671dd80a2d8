import Wire

/// What follows the answer of a write: the replicas outside the majority are waited for a little longer, and who has not
/// taken it then gets a hint.
extension Node {
    /// Keeps an operation that has been answered until its last replicas are heard of. Says whether it stays in the table.
    mutating func linger(_ id: OperationID, after result: OperationResult) -> Bool {
        let operation = operations[id]
        guard case .accepting = operation.phase, operation.proposal != nil else { return false }
        // The hint that is being delivered stays until it is; another one for the same would only multiply.
        if case .deliver = operation.goal { return false }
        switch result {
        case .read, .written: break
        default: return false
        }
        guard operation.outstanding != 0, lingering < limits.lingeringMax else {
            leaveHints(operation)
            return false
        }
        lingering += 1
        operation.phase = .lingering
        return true
    }

    /// Another replica was heard of, or is not waited for any more.
    mutating func lingerOn(_ id: OperationID) {
        guard operations[id].outstanding == 0 else { return }
        let operation = operations[id]
        lingering -= 1
        operations.remove(id)
        leaveHints(operation)
    }

    /// Leaves hints for the replicas that have neither taken the operation's cell nor a later one.
    private mutating func leaveHints(_ operation: Operation) {
        let missing = operation.replicaSet.all & ~operation.yes & ~operation.passed
        guard missing != 0, let cell = operation.proposal, !RingRegister.isOne(operation.key) else { return }
        for (index, node) in operation.replicas.enumerated() where missing & 1 << index != 0 {
            leaveHint(for: node, Accept(key: operation.key, ballot: operation.ballot, cell: cell, next: nil))
        }
    }
}
