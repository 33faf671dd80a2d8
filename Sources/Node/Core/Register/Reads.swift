import Wire

/// Reads: a quorum's newest copy, written back where it is missing before it is told.
extension Node {
    /// Begins a quorum read. It asks a majority first, this node among them when it is a replica; the others are asked
    /// when an answer is late.
    mutating func read(_ id: OperationID) {
        operations[id].phase = .reading
        operations[id].newest = nil
        operations[id].holders = 0
        let replicas = operations[id].replicas
        var targets: UInt64 = 0
        var chosen = 0
        if let own = replicas.firstIndex(of: identity.id) {
            targets |= 1 << own
            chosen += 1
        }
        for (index, node) in replicas.enumerated() where chosen < operations[id].quorum && targets & 1 << index == 0 {
            guard isReachable(node) else { continue }
            targets |= 1 << index
            chosen += 1
        }
        guard chosen >= operations[id].quorum else { return refuseUnreachable(id) }
        ask(id, readMessage(id), targets: targets)
        advanceIfSettled(id)
    }

    /// One copy, as it is: this node's own, or the first reachable replica's.
    mutating func readOne(_ id: OperationID) {
        operations[id].phase = .reading
        operations[id].quorum = 1
        if case .read(.local) = operations[id].goal {
            operations[id].replicas = [identity.id]
        } else if operations[id].replicas.contains(identity.id) {
            operations[id].replicas = [identity.id]
        }
        guard let index = operations[id].replicas.firstIndex(where: { isReachable($0) }) else {
            return refuseUnreachable(id)
        }
        ask(id, readMessage(id), targets: 1 << index)
        advanceIfSettled(id)
    }

    /// Asks the replicas that were not asked yet.
    mutating func hedge(_ id: OperationID) {
        let more = operations[id].all & ~operations[id].asked
        guard more != 0 else { return }
        askMore(id, readMessage(id), targets: more)
        advanceIfSettled(id)
    }

    private func readMessage(_ id: OperationID) -> Message {
        .replicaRead(ReadRequest(key: operations[id].key, consistency: .local))
    }

    mutating func readAdvanced(_ id: OperationID) {
        let yes = operations[id].yes
        let quorum = operations[id].quorum
        guard yes.nonzeroBitCount >= quorum else {
            if operations[id].outstanding == 0, operations[id].asked == operations[id].all { refuseUnreachable(id) }
            return
        }
        let newest = operations[id].newest
        if let expiry = newest?.cell.expiryMs, expiry > operations[id].stampMs, operations[id].answeredMs >= expiry {
            // A replica's clock has passed the expiry and the stamp has not: ask again with a later stamp, so that the
            // key does not flicker between readers.
            operations[id].stampMs = max(clock.now(physicalMs: time.wallMs).milliseconds, expiry)
            return read(id)
        }
        let holders = operations[id].holders.nonzeroBitCount
        guard holders < quorum, let newest else { return finish(id, .read(newest?.cell)) }
        // The newest copy is not at a majority yet: written back, it is, and no later read can miss it.
        counters.readRepairs += 1
        operations[id].phase = .writingBack(newest.cell)
        operations[id].ballot = newest.ballot
        let missing = operations[id].all & ~operations[id].holders
        let holding = operations[id].holders
        ask(
            id, .accept(Accept(key: operations[id].key, ballot: newest.ballot, cell: newest.cell, next: nil)),
            targets: missing)
        operations[id].holders = holding
        advanceIfSettled(id)
    }
}
