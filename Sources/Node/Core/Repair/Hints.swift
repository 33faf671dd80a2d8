import Wire

/// The keeping of hints: left for replicas that missed an accept, bounded in bytes and age, counted again after a restart.
/// A hint that is dropped leaves its key to anti-entropy.
extension Node {
    /// Keeps an accept for a replica that missed it. Says which entry makes it durable; nil when it was dropped.
    @discardableResult
    mutating func leaveHint(for node: NodeID, _ accept: Accept) -> JournalSequence? {
        let hint = Hint(
            target: node, key: accept.key, accepted: AcceptedCell(ballot: accept.ballot, cell: accept.cell))
        let index = hints.enter(node)
        guard store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax,
            hints.targets[index].bytes + hint.bytes <= limits.hintBytesMax
        else {
            counters.hintsDropped += 1
            return nil
        }
        counters.hintsLeft += 1
        // What the count after a restart has not come to yet, it will find.
        if hints.countedTo.map({ !$0.lexicographicallyPrecedes(hint.place.bytes) }) ?? true {
            hints.targets[index].add(hint)
        }
        return store.apply(
            .register(hint.place, RegisterState(promised: .zero, accepted: hint.accepted)))
    }

    /// A hint has done its work, or is given up.
    mutating func forgetHint(_ hint: Hint) {
        _ = store.apply(.forget(hint.place))
        if let index = hints.index(of: hint.target) { hints.targets[index].remove(hint) }
    }

    /// How old a hint may become, in milliseconds. In the end replicas forget what its cell has to be compared with.
    private var hintAgeMaxMs: UInt64 { min(limits.hintAgeMaxMs, limits.resolveAgeMaxMs) }

    /// Hints kept, their bytes, and the age of the oldest one in milliseconds.
    var hintFigures: (pending: Int, bytes: Int, oldestMs: UInt64) {
        let oldest = hints.targets.compactMap(\.oldestMs).min()
        return (
            hints.targets.reduce(0) { $0 + $1.pending }, hints.targets.reduce(0) { $0 + $1.bytes },
            oldest.map { time.wallMs > $0 ? time.wallMs - $0 : 0 } ?? 0
        )
    }

    // MARK: What is found on disk

    /// Counts the hints that an earlier run has left, a page at a time. Says whether all are counted.
    mutating func countHints() -> Bool {
        guard let counted = hints.countedTo else { return true }
        guard let page = hintPage(Hint.prefix, after: counted, limit: limits.hintPageItems) else { return false }
        for hint in page.hints {
            let index = hints.enter(hint.target)
            hints.targets[index].add(hint)
        }
        hints.countedTo = page.hasMore ? page.last : nil
        return hints.countedTo == nil
    }

    /// Hints in the order of their places; nil when they cannot be read.
    mutating func hintPage(_ prefix: [UInt8], after: [UInt8], limit: Int)
        -> (hints: [Hint], last: [UInt8], hasMore: Bool)?
    {
        guard time.monotonicMs >= hints.readableMs else { return nil }
        do throws(StoreError) {
            let page = try store.scan(prefix: prefix, after: after, limit: limit, bytesMax: limits.hintPageBytes)
            return (page.items.compactMap { Hint($0) }, page.items.last?.key.bytes ?? after, page.hasMore)
        } catch {
            if case .corrupt(_, let place?) = error, place.isLocal {
                // What it stood for is left to anti-entropy; the others are read again at once.
                _ = store.apply(.forget(place))
                counters.hintsDropped += 1
                note(.warning, "\(identity.name) drops a damaged hint: \(error)")
                return nil
            }
            hints.readableMs = time.monotonicMs + limits.hintUnreadablePauseMs
            counters.storeErrors += 1
            note(.error, "\(identity.name) cannot read the hints that it keeps: \(error)")
            return nil
        }
    }

    // MARK: Age

    /// Looks at a target's oldest hints, and drops those that are too old.
    mutating func dropOldHints(_ index: Int) {
        guard time.monotonicMs >= hints.targets[index].nextLookMs else { return }
        hints.targets[index].nextLookMs = time.monotonicMs + limits.hintLookMs
        let prefix = Hint.prefix(of: hints.targets[index].node)
        guard let oldest = hintPage(prefix, after: [], limit: 1)?.hints.first else { return }
        hints.targets[index].oldestMs = oldest.accepted.ballot.time.milliseconds
        guard isTooOld(oldest), let page = hintPage(prefix, after: [], limit: limits.hintPageItems) else { return }
        let kept = page.hints.drop { hint in
            guard isTooOld(hint) else { return false }
            // One that is being delivered ends by itself.
            guard hints.targets[index].inFlight[hint.place] == nil else { return true }
            forgetHint(hint)
            counters.hintsDropped += 1
            return true
        }
        hints.targets[index].oldestMs = kept.first?.accepted.ballot.time.milliseconds
        if kept.isEmpty, page.hasMore { hints.targets[index].nextLookMs = time.monotonicMs }
        hints.targets[index].ahead = hints.targets[index].ahead.drop { isTooOld($0) }
    }

    func isTooOld(_ hint: Hint) -> Bool {
        hint.accepted.ballot.time.milliseconds + hintAgeMaxMs < time.wallMs
    }

    // MARK: Hints that stand for copies

    /// A put that is content with any durable trace of it, and that no replica has taken: hints for all of them are one.
    mutating func keepAsHints(_ id: OperationID) {
        guard case .write(let change, _) = operations[id].goal else { return }
        var ballot = operations[id].ballot
        var kept = operations[id].proposal
        if kept == nil || operations[id].seen > ballot {
            // A replica has promised more: under a ballot above that, the last one wins.
            _ = clock.merge(operations[id].seen.time, physicalMs: time.wallMs)
            operations[id].versions = []
            guard let fresh = freshBallot() else { return ballotsHeld(id) }
            guard case .write(let cell) = change.evaluate(current: nil, ballot: fresh, stampMs: operations[id].stampMs)
            else {
                return finish(id, .failed(.internalError, "an overwrite has no condition to refuse"))
            }
            ballot = fresh
            kept = cell
        }
        guard let cell = kept else { return }
        operations[id].ballot = ballot
        operations[id].proposal = cell
        operations[id].versions = [cell.version]
        operations[id].phase = .hinting
        var last: JournalSequence?
        for node in operations[id].replicas {
            let accept = Accept(key: operations[id].key, ballot: ballot, cell: cell, next: nil)
            if let sequence = leaveHint(for: node, accept) { last = sequence }
        }
        guard let last else {
            return finishUnknown(id, "no replica has taken it, and \(identity.name) keeps no more hints")
        }
        gate.hold(.hinted(id), until: last)
    }

    /// The hints of a put are durable.
    mutating func hinted(_ id: OperationID) {
        guard operations.contains(id), case .hinting = operations[id].phase, let cell = operations[id].proposal else {
            return
        }
        finish(
            id,
            .written(WriteAnswer(applied: true, version: cell.version, expiryMs: cell.expiryMs, current: nil)))
    }
}
