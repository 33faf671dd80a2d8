import Wire

/// Reads: a quorum's newest copy, written back where it is missing before it is told.
extension Node {
    /// Begins a quorum read. It asks a majority first, this node among them when it is a replica; the others are asked
    /// when an answer is late.
    mutating func read(_ id: OperationID) {
        operations[id].phase = .reading
        operations[id].newest = nil
        operations[id].holders = 0
        let set = operations[id].replicaSet
        var targets: UInt64 = 0
        if let own = set.nodes.firstIndex(of: identity.id) { targets = 1 << own }
        for (index, node) in set.nodes.enumerated() where set.gains(by: index, over: targets) && isReachable(node) {
            targets |= 1 << index
        }
        guard set.isQuorum(targets) else { return refuseUnreachable(id) }
        ask(id, readMessage(id), targets: targets)
        advanceIfSettled(id)
    }

    /// One copy, as it is: this node's own, or the first reachable replica's.
    mutating func readOne(_ id: OperationID) {
        operations[id].phase = .reading
        operations[id].newest = nil
        let isLocal = if case .read(.local) = operations[id].goal { true } else { false }
        let replicas = operations[id].replicas
        let chosen =
            isLocal || replicas.contains(identity.id) ? identity.id : replicas.first { isReachable($0) }
        guard let chosen else { return refuseUnreachable(id) }
        operations[id].replicaSet = ReplicaSet([chosen], quorum: 1)
        ask(id, readMessage(id), targets: 1)
        advanceIfSettled(id)
    }

    /// Asks the replicas that were not asked yet.
    mutating func hedge(_ id: OperationID) {
        let more = operations[id].replicaSet.all & ~operations[id].asked
        guard more != 0 else { return }
        askMore(id, readMessage(id), targets: more)
        advanceIfSettled(id)
    }

    func readMessage(_ id: OperationID) -> Message {
        .replicaRead(ReadRequest(key: operations[id].key, consistency: .local))
    }

    mutating func readAdvanced(_ id: OperationID) {
        let set = operations[id].replicaSet
        guard set.isQuorum(operations[id].yes) else {
            if operations[id].outstanding == 0, operations[id].asked == set.all { again(id, .restart) }
            return
        }
        let newest = operations[id].newest
        if let expiry = newest?.cell.expiryMs, expiry > operations[id].stampMs, operations[id].answeredMs >= expiry {
            // A replica's clock has passed the expiry and the stamp has not: ask again with a later stamp, so that the
            // key does not flicker between readers.
            operations[id].stampMs = max(clock.now(physicalMs: time.wallMs).milliseconds, expiry)
            return read(id)
        }
        if let newest, newest.isExpiryInDoubt(atMs: operations[id].stampMs) {
            counters.serialReads += 1
            return prepare(id, .read)
        }
        let holders = operations[id].holders
        guard let newest, !set.isQuorum(holders), !Mutation.readSkipsWriteBack.isOn else {
            if let newest { repairBehind(id, newest) }
            return finish(id, .read(newest))
        }
        // The newest copy is not at a majority yet: written back, it is, and no later read can miss it.
        counters.readRepairs += 1
        operations[id].phase = .writingBack(newest)
        operations[id].ballot = newest.ballot
        ask(
            id, .accept(Accept(key: operations[id].key, ballot: newest.ballot, cell: newest.cell, next: nil)),
            targets: set.all & ~holders)
        advanceIfSettled(id)
    }

    /// Sends the newest copy to replicas that answered with an older one, though the read need not wait for them.
    private mutating func repairBehind(_ id: OperationID, _ newest: AcceptedCell) {
        let operation = operations[id]
        let stale = operation.yes & ~operation.holders
        guard stale != 0, operation.replicas.count > 1,
            clock.latest.milliseconds < newest.ballot.time.milliseconds + limits.operationAgeMaxMs
        else { return }
        for (index, node) in operation.replicas.enumerated() where stale & 1 << index != 0 && node != identity.id {
            counters.readRepairs += 1
            outputs.append(
                .send(
                    node, .oneWay,
                    .accept(Accept(key: operation.key, ballot: newest.ballot, cell: newest.cell, next: nil))))
        }
    }
}

extension AcceptedCell {
    /// Whether its value has expired by a stamp, and that does not settle it yet: a change that found it alive may still be
    /// on its way, under a ballot from before the expiry. Accepted again under a later ballot by a majority, it keeps such
    /// changes out, and only then may anybody be told that there is nothing.
    func isExpiryInDoubt(atMs stampMs: UInt64) -> Bool {
        guard case .value = cell.content, let expiry = cell.expiryMs else { return false }
        return expiry <= stampMs && ballot.time.milliseconds < expiry
    }
}
