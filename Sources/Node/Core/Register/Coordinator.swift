import DequeModule
import Wire

/// This node as the coordinator of register operations: ABD for quorum reads (Attiya, Bar-Noy, Dolev 1995), CASPaxos
/// for everything that depends on what is there (Rystsov 2018).
extension Node {
    /// Begins an operation, or refuses it at once.
    mutating func start(_ goal: Operation.Goal, key: Key, for origin: OperationOrigin) {
        guard let ring, !ring.members.isEmpty else {
            return give(
                .failed(
                    .noRing,
                    "\(identity.name) has no ring yet: the cluster waits for \(limits.bootstrapExpect) founders"),
                to: origin)
        }
        guard operations.count < min(limits.operationsMax, OperationTable.slotsMax) else {
            counters.overloaded += 1
            return give(
                .failed(
                    .overloaded,
                    "\(identity.name) coordinates \(limits.operationsMax) operations already: try again after a pause"),
                to: origin)
        }
        let operation = Operation(
            id: operations.nextID(), key: key, goal: goal, origin: origin,
            deadlineMs: time.monotonicMs + limits.operationTimeoutMs)
        operation.stampMs = clock.now(physicalMs: time.wallMs).milliseconds
        let id = operation.id
        if case .scan = goal {
            counters.scans += 1
            operations.insert(operation)
            return startScan(id)
        }
        operation.replicas = ring.replicas(of: key.token)
        operation.quorum = ring.quorum
        let isRead = operation.isRead
        if isRead { counters.reads += 1 } else { counters.writes += 1 }
        operations.insert(operation)
        if case .read(.local) = goal { return run(id) }
        if queues[key, default: KeyQueue()].enter(id, isRead: isRead) { run(id) }
    }

    /// Runs an operation whose turn it is.
    private mutating func run(_ id: OperationID) {
        switch operations[id].goal {
        case .read(.local), .read(.one): readOne(id)
        case .read: read(id)
        case .write(let change, let consistency):
            if change.isConditional || consistency == .serial { prepare(id, .change) } else { overwrite(id) }
        case .scan: break
        }
    }

    // MARK: Rounds

    /// Begins a round: sends `message` to the replicas of `targets` (bits by their place in the replica set). Replicas
    /// that cannot be reached count as having failed.
    mutating func ask(_ id: OperationID, _ message: Message, targets: UInt64) {
        operations[id].round = operations.nextRound(of: id)
        operations[id].roundStartedMs = time.monotonicMs
        operations[id].asked = 0
        operations[id].answered = 0
        operations[id].yes = 0
        operations[id].definite = 0
        operations[id].failure = nil
        askMore(id, message, targets: targets)
    }

    /// Sends the present round's message to more replicas.
    mutating func askMore(_ id: OperationID, _ message: Message, targets: UInt64) {
        let request = operations.requestID(id, round: operations[id].round)
        for index in operations[id].replicas.indices where targets & 1 << index != 0 {
            let node = operations[id].replicas[index]
            operations[id].asked |= 1 << index
            if node == identity.id {
                answerOwn(message, request)
            } else if isReachable(node) {
                outputs.append(.send(node, request, message))
            } else {
                operations[id].answered |= 1 << index
                operations[id].failure = (.noQuorum, "\(name(of: node)) cannot be reached")
            }
        }
    }

    /// Takes a replica's answer to a round.
    mutating func answered(_ request: RequestID, by node: NodeID, _ message: Message, sentMs: UInt64) {
        guard let id = operations.find(request),
            let index = operations[id].replicas.firstIndex(of: node), operations[id].answered & 1 << index == 0
        else { return }
        operations[id].answered |= 1 << index
        operations[id].answeredMs = max(operations[id].answeredMs, sentMs)
        let bit: UInt64 = 1 << index
        switch message {
        case .accepted: operations[id].yes |= bit
        case .promise(let state), .replicaState(let state):
            operations[id].yes |= bit
            take(state.accepted, from: bit, id)
        case .replicaPage(let page): operations[id].listing?.pages[index] = page
        case .refused(let refusal):
            operations[id].seen = max(operations[id].seen, refusal.promised, refusal.acceptedBallot)
            if refusal.acceptedBallot < operations[id].ballot { operations[id].definite |= bit }
        case .error(let error): operations[id].failure = (error.code, error.detail)
        default: operations[id].failure = (.internalError, "\(name(of: node)) answered with a \(message.type)")
        }
        advance(id)
    }

    private mutating func take(_ accepted: AcceptedCell?, from bit: UInt64, _ id: OperationID) {
        let newest = operations[id].newest?.ballot ?? .zero
        let ballot = accepted?.ballot ?? .zero
        if ballot > newest {
            operations[id].newest = accepted
            operations[id].holders = bit
        } else if ballot == newest {
            operations[id].holders |= bit
        }
    }

    /// Looks at what the present round has come to.
    private mutating func advance(_ id: OperationID) {
        let yes = operations[id].yes.nonzeroBitCount
        let refused = operations[id].seen > operations[id].ballot
        switch operations[id].phase {
        case .reading: readAdvanced(id)
        case .scanning: scanAdvanced(id)
        case .writingBack(let cell):
            if (operations[id].holders | operations[id].yes).nonzeroBitCount >= operations[id].quorum {
                finish(id, .read(cell))
            } else if operations[id].answered.nonzeroBitCount > yes {
                // Something stood against the write-back: only a prepare tells what is true now.
                counters.serialReads += 1
                prepare(id, .read)
            }
        case .preparing(let purpose):
            if yes >= operations[id].quorum {
                prepared(id, purpose)
            } else if yes + operations[id].outstanding < operations[id].quorum {
                again(id, purpose, collided: refused)
            }
        case .accepting(let commit):
            let needed = operations[id].needed
            if yes >= needed {
                accepted(id, commit)
            } else if yes + operations[id].outstanding < needed {
                acceptFailed(id, commit)
            }
        case .queued, .pausing: break
        }
    }

    // MARK: Changes

    /// The one-round-trip path of an overwrite: accept under a fresh ballot, without a prepare.
    private mutating func overwrite(_ id: OperationID) {
        guard case .write(let change, _) = operations[id].goal else { return }
        let live = operations[id].replicas.filter { isReachable($0) }.count
        operations[id].phase = .accepting(.ownWrite)
        guard live >= operations[id].needed else { return refuseUnreachable(id) }
        guard let ballot = freshBallot() else { return ballotsHeld(id) }
        guard case .write(let cell) = change.evaluate(current: nil, ballot: ballot, stampMs: operations[id].stampMs)
        else {
            return finish(id, .failed(.internalError, "an overwrite has no condition to refuse"))
        }
        propose(id, cell, ballot: ballot, .ownWrite)
    }

    private mutating func propose(_ id: OperationID, _ cell: Cell, ballot: Ballot, _ commit: Operation.Commit) {
        operations[id].phase = .accepting(commit)
        operations[id].ballot = ballot
        operations[id].proposal = cell
        operations[id].seen = .zero
        if case .ownWrite = commit, operations[id].versions.last != cell.version {
            operations[id].versions.append(cell.version)
        }
        ask(id, .accept(Accept(key: operations[id].key, ballot: ballot, cell: cell, next: nil)), targets: .max)
        advanceIfSettled(id)
    }

    /// Phase 1 under a fresh ballot.
    mutating func prepare(_ id: OperationID, _ purpose: Operation.Purpose) {
        guard let ballot = freshBallot() else { return ballotsHeld(id) }
        operations[id].phase = .preparing(purpose)
        operations[id].ballot = ballot
        operations[id].newest = nil
        operations[id].holders = 0
        operations[id].seen = .zero
        operations[id].attempts += 1
        ask(id, .prepare(Prepare(key: operations[id].key, ballot: ballot)), targets: .max)
        advanceIfSettled(id)
    }

    /// A quorum has promised: what follows depends on why it was asked.
    private mutating func prepared(_ id: OperationID, _ purpose: Operation.Purpose) {
        let newest = operations[id].newest?.cell
        switch purpose {
        case .read:
            guard let newest else { return finish(id, .read(nil)) }
            propose(id, newest, ballot: operations[id].ballot, .then(.read(newest)))
        case .change: change(id, newest)
        case .resolve:
            switch Resolution.judge(newest: newest, ours: operations[id].versions) {
            case .applied(let version):
                guard let newest else { return finish(id, .read(nil)) }
                propose(id, newest, ballot: operations[id].ballot, .then(.written(answer(for: version, newest))))
            case .neverApplied: change(id, newest)
            case .unknown: finishUnknown(id, "another write came between")
            }
        }
    }

    /// Compares and proposes under a promised ballot.
    private mutating func change(_ id: OperationID, _ newest: Cell?) {
        guard case .write(let change, _) = operations[id].goal else { return }
        let stamp = operations[id].stampMs
        if let expiry = newest?.expiryMs, expiry > stamp, operations[id].answeredMs >= expiry {
            // The value expires while it is being looked at: judge it by a later stamp, so that it does not flicker.
            operations[id].stampMs = clock.now(physicalMs: time.wallMs).milliseconds
        }
        switch change.evaluate(current: newest, ballot: operations[id].ballot, stampMs: operations[id].stampMs) {
        case .write(let cell): propose(id, cell, ballot: operations[id].ballot, .ownWrite)
        case .refuse:
            counters.conditionsRefused += 1
            let current = newest?.judged(atMs: operations[id].stampMs)
            let result = OperationResult.written(
                WriteAnswer(applied: false, version: nil, expiryMs: nil, current: current))
            // What the refusal is founded on must hold at a quorum before it is told.
            guard let newest else {
                // There is nothing to commit, so nothing keeps an earlier proposal of this operation from being found.
                return operations[id].versions.isEmpty
                    ? finish(id, result) : finishUnknown(id, "what it was founded on is gone")
            }
            propose(id, newest, ballot: operations[id].ballot, .then(result))
        }
    }

    private mutating func accepted(_ id: OperationID, _ commit: Operation.Commit) {
        switch commit {
        case .then(let result): finish(id, result)
        case .ownWrite:
            guard let cell = operations[id].proposal else { return }
            finish(id, .written(answer(for: cell.version, cell)))
        }
    }

    /// A quorum cannot be reached by this round of accepts any more.
    private mutating func acceptFailed(_ id: OperationID, _ commit: Operation.Commit) {
        if case .then = commit {
            return again(
                id, operations[id].versions.isEmpty ? (operations[id].isRead ? .read : .change) : .resolve,
                collided: true)
        }
        if case .write(_, .all) = operations[id].goal {
            return finishUnknown(
                id,
                "only \(operations[id].yes.nonzeroBitCount) of \(operations[id].replicas.count) replicas have acknowledged"
            )
        }
        if operations[id].definite == operations[id].all, case .write(let change, _) = operations[id].goal,
            !change.isConditional
        {
            // Every replica has said for certain that it did not take it, and no copy is on its way: the version never
            // was, and may be proposed anew under a ballot above what was seen.
            operations[id].versions.removeLast()
            // What became of earlier versions still has to be found out: written anew, one of them could come back.
            return again(id, operations[id].versions.isEmpty ? .change : .resolve, collided: true)
        }
        counters.resolves += 1
        again(id, .resolve, collided: true)
    }

    /// Tries again after a pause that grows with the attempts and differs between proposers.
    private mutating func again(_ id: OperationID, _ purpose: Operation.Purpose, collided: Bool) {
        _ = clock.merge(operations[id].seen.time, physicalMs: time.wallMs)
        if !collided, operations[id].versions.isEmpty, operations[id].outstanding == 0 { return refuseUnreachable(id) }
        let bound = min(limits.retryPauseMaxMs, 1 << UInt64(min(operations[id].attempts, 10)))
        let pause = 1 + random.next() % max(bound, 1)
        operations[id].phase = .pausing(untilMs: time.monotonicMs + pause, purpose)
        operations[id].asked = 0
    }

    private mutating func ballotsHeld(_ id: OperationID) {
        let purpose: Operation.Purpose =
            operations[id].versions.isEmpty ? (operations[id].isRead ? .read : .change) : .resolve
        operations[id].phase = .pausing(untilMs: .max, purpose)
        ceiling.hold(id)
    }

    private func answer(for version: Ballot, _ cell: Cell) -> WriteAnswer {
        WriteAnswer(
            applied: true, version: cell.version == version ? version : nil, expiryMs: cell.expiryMs, current: nil)
    }

    // MARK: Ends

    /// Rounds whose replicas are all this node or out of reach are over as soon as they begin.
    mutating func advanceIfSettled(_ id: OperationID) {
        if operations.contains(id), operations[id].outstanding == 0 { advance(id) }
    }

    mutating func refuseUnreachable(_ id: OperationID) {
        let operation = operations[id]
        let up = operation.replicas.filter { isReachable($0) }.map { name(of: $0) }
        let why = operation.failure.map { ": \($0.1)" } ?? ""
        if let (code, detail) = operation.failure, code != .noQuorum, code != .internalError {
            return finish(id, .failed(code, detail))
        }
        counters.noQuorum += 1
        finish(
            id,
            .failed(
                .noQuorum,
                "\(operation.needed) of \(operation.replicas.count) replicas are needed, reachable: \(up.joined(separator: ", "))\(why)"
            ))
    }

    private mutating func finishUnknown(_ id: OperationID, _ why: String) {
        counters.outcomesUnknown += 1
        finish(id, .failed(.outcomeUnknown, "the write may or may not take effect: \(why)"))
    }

    mutating func finish(_ id: OperationID, _ result: OperationResult) {
        let operation = operations[id]
        operations.remove(id)
        var result = result
        if case .read(let cell?) = result { result = .read(cell.judged(atMs: operation.stampMs)) }
        give(result, to: operation.origin)
        if case .scan = operation.goal { return }
        if case .read(.local) = operation.goal { return }
        leaveQueue(operation)
    }

    private mutating func leaveQueue(_ operation: Operation) {
        if case .queued = operation.phase {
            queues[operation.key]?.abandon(operation.id)
        } else {
            queues[operation.key]?.leave(isRead: operation.isRead)
        }
        serveQueue(operation.key)
    }

    /// Runs who is next on a key. Operations that end as soon as they run come back here: the outermost call goes on with
    /// theirs, since a long queue would otherwise be a recursion as deep.
    private mutating func serveQueue(_ key: Key) {
        queuesToServe.append(key)
        guard !isServingQueues else { return }
        isServingQueues = true
        while let key = queuesToServe.popFirst() {
            while let next = queues[key]?.next() { run(next) }
            if queues[key]?.isIdle == true { queues[key] = nil }
        }
        isServingQueues = false
    }

    /// Hands a result to whom it is for.
    private mutating func give(_ result: OperationResult, to origin: OperationOrigin) {
        switch origin {
        case .client(let channel, let request):
            switch result {
            case .read(let cell): reply(channel, request, .readAnswer(ReadAnswer(cell: cell)))
            case .written(let answer): reply(channel, request, .writeAnswer(answer))
            case .scanned(let answer): reply(channel, request, .scanAnswer(answer))
            case .failed(let code, let detail): refuse(channel, request, code, detail)
            }
        case .scan(let id, let item): scanItemSettled(id, item, result)
        case .partition(let partition, let step): partitionStepDone(partition, step, result)
        case .topic(let procedure, let step): topicStepDone(procedure, step, result)
        }
    }

    // MARK: Time and losses

    /// Ends what is past its time, and goes on with what waited for a moment.
    mutating func tickOperations() {
        for slot in operations.indices {
            guard let id = operations.id(at: slot) else { continue }
            if time.monotonicMs >= operations[id].deadlineMs {
                expire(id)
                continue
            }
            switch operations[id].phase {
            case .pausing(let until, let purpose) where time.monotonicMs >= until: resume(id, purpose)
            case .reading where time.monotonicMs >= operations[id].roundStartedMs + limits.readHedgeMs: hedge(id)
            case .accepting, .preparing, .writingBack:
                guard time.monotonicMs >= operations[id].roundStartedMs + limits.roundTimeoutMs else { continue }
                operations[id].answered |= operations[id].asked
                advance(id)
            default: break
            }
        }
    }

    /// Goes on with what a pause was before.
    mutating func resume(_ id: OperationID, _ purpose: Operation.Purpose) {
        guard case .write(let change, let consistency) = operations[id].goal, case .change = purpose,
            !change.isConditional, consistency != .serial, operations[id].versions.isEmpty
        else { return prepare(id, purpose) }
        operations[id].attempts += 1
        overwrite(id)
    }

    private mutating func expire(_ id: OperationID) {
        if operations[id].versions.isEmpty {
            refuseUnreachable(id)
        } else {
            finishUnknown(id, "no quorum answered within \(limits.operationTimeoutMs) ms")
        }
    }

    /// What was in flight to a node is lost.
    mutating func operationsLost(_ node: NodeID) {
        for slot in operations.indices {
            guard let id = operations.id(at: slot), let index = operations[id].replicas.firstIndex(of: node) else {
                continue
            }
            let bit: UInt64 = 1 << index
            guard operations[id].asked & bit != 0, operations[id].answered & bit == 0 else { continue }
            operations[id].answered |= bit
            operations[id].failure =
                operations[id].failure ?? (.noQuorum, "the connection to \(name(of: node)) was lost")
            if case .reading = operations[id].phase { hedge(id) }
            if operations.contains(id) { advance(id) }
        }
    }
}
