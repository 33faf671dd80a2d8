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
        let set: ReplicaSet
        switch goal {
        case .scan: set = scanSet(ring)
        case .gather(_, let asked): set = asked
        default: set = replicaSet(of: key)
        }
        let isTree = if case .gather(.treeRequest, _) = goal { true } else { false }
        let operation = Operation(
            id: operations.nextID(), key: key, goal: goal, origin: origin, set: set, startedMs: time.monotonicMs,
            deadlineMs: time.monotonicMs + (isTree ? limits.treeTimeoutMs : limits.operationTimeoutMs))
        operation.stampMs = clock.now(physicalMs: time.wallMs).milliseconds
        let id = operation.id
        operations.insert(operation)
        switch goal {
        case .scan:
            counters.scans += 1
            return run(id)
        case .gather, .read(.local): return run(id)
        case .read, .deliver, .settle: counters.reads += 1
        case .write: counters.writes += 1
        }
        let isRead = operation.isRead
        if queues[key, default: KeyQueue()].enter(id, isRead: isRead) { run(id) }
    }

    /// Runs an operation whose turn it is.
    mutating func run(_ id: OperationID) {
        switch operations[id].goal {
        case .read(.local), .read(.one): readOne(id)
        case .read(.serial), .deliver, .settle: prepare(id, .read)
        case .read: read(id)
        case .write(let change, let consistency):
            if change.isConditional || consistency == .serial {
                if !runFast(id) { prepare(id, .change) }
            } else if consistency == .quorum, collisions.isHot(operations[id].key, nowMs: time.monotonicMs) {
                sound(id)
            } else {
                overwrite(id)
            }
        case .scan: scan(id)
        case .gather(let message, _):
            operations[id].phase = .gathering
            operations[id].gathered = Array(repeating: nil, count: operations[id].replicas.count)
            ask(id, message, targets: .max)
            advanceIfSettled(id)
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
        operations[id].promisedNext = 0
        operations[id].passed = 0
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
                // It was never sent, so no copy of it can be on its way.
                operations[id].answered |= 1 << index
                operations[id].definite |= 1 << index
                operations[id].failure = (.noQuorum, "\(name(of: node)) cannot be reached")
            }
        }
    }

    /// Takes a replica's answer to a round.
    mutating func answered(_ request: RequestID, by node: NodeID, _ message: Message, sentMs: UInt64) {
        // Nor after the deadline, however long this node was held up: a replica that has lost its copy since it answered
        // relies on it that its answer is not counted beside later ones for long.
        guard let id = operations.find(request), time.monotonicMs < operations[id].deadlineMs,
            let index = operations[id].replicas.firstIndex(of: node), operations[id].answered & 1 << index == 0
        else { return }
        operations[id].answered |= 1 << index
        operations[id].answeredMs = max(operations[id].answeredMs, sentMs)
        let bit: UInt64 = 1 << index
        if case .gathering = operations[id].phase { return gather(id, index, message) }
        switch message {
        case .accepted(let reply):
            operations[id].yes |= bit
            if reply.nextPromised { operations[id].promisedNext |= bit }
        case .promise(let state), .replicaState(let state):
            operations[id].yes |= bit
            if case .sounding = operations[id].phase {
                let ballot = max(state.promised.witnessed, state.accepted?.ballot ?? .zero)
                operations[id].seen = max(operations[id].seen, ballot)
            }
            take(state.accepted, from: bit, id)
        case .replicaPage(let page): operations[id].listing?.pages[index] = page
        case .refused(let refusal):
            operations[id].seen = max(
                operations[id].seen, refusal.promised.witnessed, refusal.acceptedBallot)
            if refusal.acceptedBallot < operations[id].ballot || Mutation.anyRefusalDefinite.isOn {
                operations[id].definite |= bit
            } else {
                operations[id].passed |= bit
            }
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

    private mutating func gather(_ id: OperationID, _ index: Int, _ message: Message) {
        if case .error(let error) = message {
            operations[id].failure = (error.code, error.detail)
        } else {
            operations[id].yes |= 1 << index
            operations[id].gathered[index] = message
        }
        advance(id)
    }

    /// Looks at what the present round has come to.
    mutating func advance(_ id: OperationID) {
        let yes = operations[id].yes
        let set = operations[id].replicaSet
        let canStill = set.isQuorum(yes | operations[id].outstanding)
        switch operations[id].phase {
        case .reading: readAdvanced(id)
        case .scanning: scanAdvanced(id)
        case .gathering:
            if set.isQuorum(yes) {
                finish(id, .gathered(operations[id].gathered))
            } else if !canStill {
                refuseUnreachable(id)
            }
        case .sounding:
            if set.isQuorum(yes) {
                // What is further ahead than clocks may be is not followed: below it nothing is worth proposing, and a newer
                // value found later would say nothing about what became of this one.
                let seen = operations[id].seen.time
                _ = clock.merge(seen, physicalMs: time.wallMs)
                guard clock.latest >= seen else { return again(id, .restart) }
                operations[id].hasSounded = true
                overwrite(id)
            } else if !canStill {
                again(id, .restart)
            }
        case .writingBack(let newest):
            if set.isQuorum(operations[id].holders | yes) {
                finish(id, .read(newest))
            } else if operations[id].answered != yes {
                if Mutation.readAnswersAfterRefusedWriteBack.isOn { return finish(id, .read(newest)) }
                // Something stood against the write-back: only a prepare tells what is true now.
                counters.serialReads += 1
                prepare(id, .read)
            }
        case .preparing(let purpose):
            if set.isQuorum(yes) { prepared(id, purpose) } else if !canStill { again(id, purpose) }
        case .accepting(let commit):
            if operations[id].isEnough(yes) {
                accepted(id, commit)
            } else if yes == 0, operations[id].answered == operations[id].definite, operations[id].outstanding != 0 {
                // Every answer so far says for certain that it was not taken: if all do, nothing has to be found out.
            } else if !operations[id].isEnough(yes | operations[id].outstanding) {
                acceptFailed(id, commit)
            }
        case .lingering: lingerOn(id)
        case .queued, .pausing, .hinting: break
        }
    }

    // MARK: Changes

    /// Asks a majority for the highest ballot, so that the overwrite that follows is above those of its rivals.
    private mutating func sound(_ id: OperationID) {
        operations[id].phase = .sounding
        operations[id].seen = .zero
        ask(id, readMessage(id), targets: .max)
        advanceIfSettled(id)
    }

    /// The one-round-trip path of an overwrite: accept under a fresh ballot, without a prepare.
    private mutating func overwrite(_ id: OperationID) {
        guard case .write(let change, _) = operations[id].goal else { return }
        operations[id].phase = .accepting(.ownWrite)
        guard operations[id].isEnough(reachableBits(id)) else {
            return operations[id].takesHints ? keepAsHints(id) : refuseUnreachable(id)
        }
        guard let ballot = freshBallot() else { return ballotsHeld(id) }
        guard case .write(let cell) = change.evaluate(current: nil, ballot: ballot, stampMs: operations[id].stampMs)
        else {
            return finish(id, .failed(.internalError, "an overwrite has no condition to refuse"))
        }
        promisedPaths.drop(operations[id].key)
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
        operations[id].nextBallot = nextBallot(for: id) ?? .zero
        let next = operations[id].nextBallot == .zero ? nil : operations[id].nextBallot
        ask(id, .accept(Accept(key: operations[id].key, ballot: ballot, cell: cell, next: next)), targets: .max)
        advanceIfSettled(id)
    }

    /// Phase 1 under a fresh ballot.
    mutating func prepare(_ id: OperationID, _ purpose: Operation.Purpose) {
        guard let ballot = freshBallot() else { return ballotsHeld(id) }
        operations[id].phase = .preparing(purpose)
        if let known = operations[id].goal.newestKnown, ballot <= known, !Mutation.settlesBelowSeen.isOn {
            // Proposed below, the cell could be chosen, overwritten, and then found again where it was seen.
            return finish(
                id,
                .failed(
                    .clockDrift,
                    "a copy is of a time \(known.time.milliseconds - ballot.time.milliseconds) ms ahead of \(identity.name)'s clock: it is settled when that has come"
                ))
        }
        promisedPaths.drop(operations[id].key)
        operations[id].ballot = ballot
        operations[id].newest = nil
        if case .settle(let seen) = operations[id].goal { operations[id].newest = seen }
        operations[id].holders = 0
        operations[id].seen = .zero
        operations[id].attempts += 1
        ask(id, .prepare(Prepare(key: operations[id].key, ballot: ballot)), targets: .max)
        advanceIfSettled(id)
    }

    /// A quorum has promised: what follows depends on why it was asked.
    private mutating func prepared(_ id: OperationID, _ purpose: Operation.Purpose) {
        var newest = operations[id].newest?.cell
        if case .deliver(let kept) = operations[id].goal, kept.version > newest?.version ?? .zero { newest = kept }
        if let expiry = newest?.expiryMs, expiry > operations[id].stampMs, operations[id].answeredMs >= expiry {
            // The value expires while it is being looked at: judge it by a later stamp, so that it does not flicker, and
            // under a ballot from after the expiry, so that no change comes in behind that has found it alive.
            operations[id].stampMs = max(clock.now(physicalMs: time.wallMs).milliseconds, expiry)
            return prepare(id, purpose)
        }
        switch purpose {
        case .read:
            guard var newest else { return finish(id, .read(nil)) }
            let ballot = operations[id].ballot
            if Mutation.reacceptChangesVersion.isOn { newest.version = ballot }
            propose(id, newest, ballot: ballot, .then(.read(AcceptedCell(ballot: ballot, cell: newest))))
        case .change, .restart: change(id, newest)
        case .resolve:
            if Mutation.blindRetry.isOn { return change(id, newest) }
            guard time.monotonicMs < operations[id].startedMs + limits.resolveAgeMaxMs else {
                return finishUnknown(id, "it is older than what replicas remember for certain")
            }
            switch Resolution.judge(
                newest: newest, ours: operations[id].versions, areOverwrites: !operations[id].isConditional,
                hasSounded: operations[id].hasSounded)
            {
            case .applied(let version):
                guard let newest else { return finish(id, .read(nil)) }
                propose(id, newest, ballot: operations[id].ballot, .then(.written(answer(for: version, newest))))
            case .neverApplied: change(id, newest)
            case .unknown: finishUnknown(id, "another write came between")
            }
        }
    }

    /// Compares and proposes under a promised ballot.
    mutating func change(_ id: OperationID, _ newest: Cell?) {
        guard case .write(let change, _) = operations[id].goal else { return }
        var compared = newest
        if Mutation.comparesAcceptedBallots.isOn, let accepted = operations[id].newest {
            compared?.version = accepted.ballot
        }
        if Mutation.setComparesEpoch.isOn { compared = PartitionConfiguration.passed(compared, for: change) }
        switch change.evaluate(current: compared, ballot: operations[id].ballot, stampMs: operations[id].stampMs) {
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
            if Mutation.refusalWithoutCommit.isOn { return finish(id, result) }
            propose(id, newest, ballot: operations[id].ballot, .then(result))
        }
    }

    private mutating func accepted(_ id: OperationID, _ commit: Operation.Commit) {
        rememberPath(id)
        switch commit {
        case .then(let result): finish(id, result)
        case .ownWrite:
            guard let cell = operations[id].proposal else { return }
            finish(id, .written(answer(for: cell.version, cell)))
        }
    }

    /// A quorum cannot be reached by this round of accepts any more.
    private mutating func acceptFailed(_ id: OperationID, _ commit: Operation.Commit) {
        if operations[id].seen > operations[id].ballot { collisions.note(operations[id].key, nowMs: time.monotonicMs) }
        if case .then = commit { return again(id, purposeAnew(id)) }
        if operations[id].takesHints { return keepAsHints(id) }
        if case .write(_, .all) = operations[id].goal {
            return finishUnknown(
                id,
                "only \(operations[id].yes.nonzeroBitCount) of \(operations[id].replicas.count) replicas have acknowledged"
            )
        }
        if operations[id].definite == operations[id].replicaSet.all, !operations[id].isConditional {
            // Every replica has said for certain that it did not take it, and no copy is on its way: the version never
            // was, and may be proposed anew under a ballot above what was seen.
            operations[id].versions.removeLast()
            // What became of earlier versions still has to be found out: written anew, one of them could come back.
            return again(id, purposeAnew(id))
        }
        counters.resolves += 1
        again(id, .resolve)
    }

    /// How an operation goes on when its round has come to nothing: as if it began, unless it has proposed something.
    func purposeAnew(_ id: OperationID) -> Operation.Purpose {
        operations[id].versions.isEmpty ? .restart : .resolve
    }

    /// Tries again after a pause that grows with the attempts and differs between proposers; not when too few replicas
    /// can be reached and nothing has to be found out.
    mutating func again(_ id: OperationID, _ purpose: Operation.Purpose) {
        _ = clock.merge(operations[id].seen.time, physicalMs: time.wallMs)
        if operations[id].versions.isEmpty {
            let isLoaded = operations[id].failure.map { $0.0 == .overloaded || $0.0 == .readOnly } ?? false
            let reachable = reachableBits(id)
            let isEnough = operations[id].needsOneCopy ? reachable != 0 : operations[id].replicaSet.isQuorum(reachable)
            if isLoaded || !isEnough { return refuseUnreachable(id) }
        }
        operations[id].attempts += 1
        let bound = min(limits.retryPauseMaxMs, 1 << UInt64(min(operations[id].attempts, 10)))
        let pause = 1 + random.next() % max(bound, 1)
        operations[id].phase = .pausing(untilMs: time.monotonicMs + pause, purpose)
        operations[id].asked = 0
    }

    /// The replicas that a message can be sent to.
    func reachableBits(_ id: OperationID) -> UInt64 {
        var bits: UInt64 = 0
        for (index, node) in operations[id].replicas.enumerated() where isReachable(node) { bits |= 1 << index }
        return bits
    }

    mutating func ballotsHeld(_ id: OperationID) {
        operations[id].phase = .pausing(untilMs: .max, purposeAnew(id))
        ceiling.hold(id)
    }

    private func answer(for version: Ballot, _ cell: Cell) -> WriteAnswer {
        WriteAnswer(
            applied: true, version: cell.version == version ? version : nil,
            expiryMs: cell.version == version ? cell.expiryMs : nil, current: nil)
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
                "too few of \(operation.replicas.count) replicas answered, reachable: \(up.joined(separator: ", "))\(why)"
            ))
    }

    mutating func finishUnknown(_ id: OperationID, _ why: String) {
        counters.outcomesUnknown += 1
        finish(id, .failed(.outcomeUnknown, "the write may or may not take effect: \(why)"))
    }

    mutating func finish(_ id: OperationID, _ result: OperationResult) {
        let operation = operations[id]
        let key = operation.key
        let wasQueued = if case .queued = operation.phase { true } else { false }
        if !linger(id, after: result) { operations.remove(id) }
        if case .watchPage(let page) = operation.origin {
            watchPageListed(page, result, prefix: key.bytes)
        } else {
            give(result, to: operation.origin, stampMs: operation.stampMs)
        }
        switch operation.goal {
        case .scan, .gather, .read(.local): return
        default: leaveQueue(operation, wasQueued: wasQueued)
        }
    }

    private mutating func leaveQueue(_ operation: Operation, wasQueued: Bool) {
        if wasQueued {
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
    private mutating func give(_ result: OperationResult, to origin: OperationOrigin, stampMs: UInt64 = 0) {
        switch origin {
        case .client(let channel, let request):
            switch result {
            case .read(let accepted):
                let cell = accepted?.cell.judged(atMs: stampMs)
                reply(channel, request, .readAnswer(ReadAnswer(cell: cell)))
            case .written(let answer): reply(channel, request, .writeAnswer(answer))
            case .scanned(let answer): reply(channel, request, .scanAnswer(answer))
            case .failed(let code, let detail): refuse(channel, request, code, detail)
            case .gathered: refuse(channel, request, .internalError, "answers were gathered that nobody asked for")
            }
        case .scan(let id, let round, let item): scanItemSettled(id, round, item, result, stampMs: stampMs)
        case .partition(let partition, let step): partitionStepDone(partition, step, result)
        case .topic(let procedure, let step): topicStepDone(procedure, step, result)
        case .topicReview(let topic): topicReviewed(topic, result)
        case .balance(let step): balanceStepDone(step, result)
        case .ring(let step): ringStepDone(step, result)
        case .copyPage(let purpose, let run): copyPageGathered(purpose, run, result)
        case .copyKey(let purpose, let run, let key): copyKeySettled(purpose, run, key, result)
        case .watchPage(let page): watchPageListed(page, result, prefix: [])
        case .watchKey(let prefix, let key): watchKeyRead(prefix, key, result)
        case .watchSubscribe(let prefix): watchSubscribed(prefix, result)
        case .hint(let place): hintStepDone(place, result)
        case .repairTree(let question, let peer): treeGathered(question, peer, result)
        case .repairPage(let question): repairPageGathered(question, result)
        case .repairKey(let question): repairKeySettled(question, result)
        case .repairCollect(let question): collectAnswered(question, result)
        case .mend(let key, let ballot): mendGathered(key, ballot, result)
        case .nobody: break
        }
    }
}
