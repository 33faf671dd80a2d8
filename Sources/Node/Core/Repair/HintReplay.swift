import Wire

/// The delivery of hints once their target is back: in the order of their ballots, a bounded number at a time and in a
/// second, each forgotten when the target has what it stands for.
extension Node {
    mutating func tickHints() {
        guard let ring else { return }
        if hints.epoch != ring.epoch {
            hints.epoch = ring.epoch
            hints.formerEpochs = max(clock.latest, ceiling.floor)
        }
        guard hints.countedTo != nil || !hints.targets.isEmpty, countHints() else { return }
        for index in hints.targets.indices where hints.targets[index].pending > 0 { dropOldHints(index) }
        // Whoever is up to date has no place in the table.
        hints.targets.removeAll { $0.pending == 0 && $0.inFlight.isEmpty }
        guard !hints.targets.isEmpty, store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax / 2
        else { return }
        let elapsed = min(time.monotonicMs - hints.creditMs, 1_000)
        hints.creditMs = time.monotonicMs
        hints.credit = min(hints.credit + elapsed * limits.hintsPerSecond, UInt64(limits.hintsInFlightMax) * 1_000)
        hints.turn += 1
        let count = hints.targets.count
        for step in 0..<count { deliverHints((hints.turn + step) % count, ring) }
    }

    private mutating func deliverHints(_ index: Int, _ ring: Ring) {
        let node = hints.targets[index].node
        // What a former member missed goes to the members of now.
        guard isAlive(node) || ring.member(node) == nil, time.monotonicMs >= hints.targets[index].resumeMs else {
            return
        }
        if hints.targets[index].hasFailed {
            guard hints.targets[index].inFlight.isEmpty else { return }
            hints.targets[index].rewind()
        }
        while hints.credit >= 1_000, hints.inFlight < limits.hintsInFlightMax, !hints.targets[index].hasFailed {
            if hints.targets[index].ahead.isEmpty, !readAhead(index) { return }
            guard let hint = hints.targets[index].ahead.popFirst() else { return }
            // Looked at so late that the next look will drop it.
            if isTooOld(hint) { continue }
            hints.credit -= 1_000
            deliver(hint, at: index)
        }
    }

    /// Reads a target's next hints; says whether there were any.
    private mutating func readAhead(_ index: Int) -> Bool {
        let target = hints.targets[index]
        guard let page = hintPage(Hint.prefix(of: target.node), after: target.after, limit: limits.hintPageItems)
        else {
            hints.targets[index].resumeMs = time.monotonicMs + limits.hintRetryPauseMs
            return false
        }
        hints.targets[index].after = page.last
        guard !page.hints.isEmpty else {
            // Hints that were left late may lie behind: the next round begins at the beginning.
            guard target.inFlight.isEmpty else { return false }
            if target.after.isEmpty { hints.targets[index] = HintTarget(node: target.node) }
            hints.targets[index].rewind()
            return false
        }
        // Of several of one register, the last one stands for all.
        var latest: [Key: Ballot] = [:]
        for hint in page.hints { latest[hint.key] = hint.accepted.ballot }
        for hint in page.hints {
            if latest[hint.key] == hint.accepted.ballot {
                hints.targets[index].ahead.append(hint)
            } else {
                counters.hintsSuperseded += 1
                forgetHint(hint)
            }
        }
        return true
    }

    private mutating func deliver(_ hint: Hint, at index: Int) {
        hints.targets[index].inFlight[hint.place] = hint
        let ballot = hint.accepted.ballot
        if ballot.time.milliseconds + limits.operationAgeMaxMs <= time.wallMs || ballot.time <= hints.formerEpochs
            || !replicaSet(of: hint.key).nodes.contains(hint.target)
        {
            // Replicas have gone on since: only a prepare tells what is true now.
            readForHint(hint)
        } else {
            send(hint, hint.accepted)
        }
    }

    private mutating func readForHint(_ hint: Hint) {
        start(.deliver(hint.accepted.cell), key: hint.key, for: .hint(hint.place))
    }

    /// Sends the target what it missed, or what has taken its place.
    private mutating func send(_ hint: Hint, _ accepted: AcceptedCell) {
        guard let index = hints.index(of: hint.target) else { return }
        hints.targets[index].inFlight[hint.place]?.sent = accepted.ballot
        start(
            .gather(
                .accept(Accept(key: hint.key, ballot: accepted.ballot, cell: accepted.cell, next: nil)),
                ReplicaSet([hint.target], quorum: 1)),
            key: hint.key, for: .hint(hint.place))
    }

    /// A step of a hint's delivery is over.
    mutating func hintStepDone(_ place: Key, _ result: OperationResult) {
        guard let index = hints.targets.firstIndex(where: { $0.inFlight[place] != nil }),
            var hint = hints.targets[index].inFlight[place]
        else { return }
        switch result {
        case .read(let accepted?) where replicaSet(of: hint.key).nodes.contains(hint.target): send(hint, accepted)
        case .read: hintDelivered(hint, at: index)
        case .gathered(let answers):
            switch answers.first ?? nil {
            case .accepted: hintDelivered(hint, at: index)
            case .refused(let refusal) where refusal.acceptedBallot > hint.sent: hintDelivered(hint, at: index)
            case .refused where hint.refusals < Self.hintRefusalsMax:
                // It has promised more, and does not have the cell.
                hint.refusals += 1
                hints.targets[index].inFlight[place] = hint
                readForHint(hint)
            default: hintFailed(hint, at: index)
            }
        default: hintFailed(hint, at: index)
        }
    }

    private mutating func hintDelivered(_ hint: Hint, at index: Int) {
        hints.targets[index].inFlight[hint.place] = nil
        counters.hintsReplayed += 1
        forgetHint(hint)
    }

    private mutating func hintFailed(_ hint: Hint, at index: Int) {
        hints.targets[index].inFlight[hint.place] = nil
        hints.targets[index].hasFailed = true
        hints.targets[index].resumeMs = time.monotonicMs + limits.hintRetryPauseMs
    }

    /// Proposers that get in between so often have left the register to one that will go on.
    private static var hintRefusalsMax: Int { 3 }
}
