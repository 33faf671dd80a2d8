import Wire

/// This node as a replica: it answers for its own copies, and no answer leaves before what it was computed from is
/// durable.
extension Node {
    /// Answers another node's register message.
    mutating func answerAsReplica(
        _ message: Message, of peer: NodeID, to channel: ChannelID, _ request: RequestID
    ) {
        answerAsReplica(replicaAnswer(message, of: peer), to: channel, request)
    }

    /// Gives an answer once the entry that it needs is durable.
    mutating func answerAsReplica(
        _ answer: (Message, JournalSequence?), to channel: ChannelID, _ request: RequestID
    ) {
        let (reply, sequence) = durably(answer)
        hold(.output(.reply(channel, request, reply)), until: sequence)
    }

    /// Answers this node's own coordinator.
    mutating func answerOwn(_ message: Message, _ request: RequestID) {
        let (reply, sequence) = durably(replicaAnswer(message, of: identity.id))
        hold(.own(request, reply), until: sequence)
    }

    /// The answer and the entry that must be durable first.
    private func durably(_ answer: (Message, JournalSequence?)) -> (Message, JournalSequence?) {
        if Mutation.answerBeforeDurable.isOn { return (answer.0, nil) }
        var answer = answer
        if spreading.installedAt > answer.1 ?? gate.durable { answer.1 = spreading.installedAt }
        if promiseFloor.appliedAt > answer.1 ?? gate.durable { answer.1 = promiseFloor.appliedAt }
        if Mutation.readBeforeDurable.isOn, case .replicaState = answer.0 { return (answer.0, nil) }
        return answer
    }

    private mutating func hold(_ release: DurabilityGate.Release, until sequence: JournalSequence?) {
        if let sequence, sequence > gate.durable { return gate.hold(release, until: sequence) }
        switch release {
        case .output(let output): outputs.append(output)
        case .own(let request, let message): ownAnswers.append((request, message))
        case .log, .hinted: break
        }
    }

    private mutating func replicaAnswer(_ message: Message, of peer: NodeID) -> (Message, JournalSequence?) {
        do throws(StoreError) {
            if let key = message.registerKey, key.isLocal, !RingRegister.isOne(key) {
                return (.error(ErrorMessage(code: .invalid, detail: "a key of \(identity.name)'s own")), nil)
            }
            switch message {
            case .subscribe(let request): return (subscribe(request, for: peer), nil)
            case .collect(let request): return try collect(request)
            case .prepare(let prepare):
                if let refusal = refusalIfNotWhole(prepare.key) { return (refusal, nil) }
                let state = try acceptorState(prepare.key)
                return persist(Acceptor.prepare(state, ballot: prepare.ballot), prepare.key)
            case .accept(let accept):
                if let refusal = refusalIfNotWhole(accept.key) { return (refusal, nil) }
                let state = try acceptorState(accept.key)
                return persist(Acceptor.accept(state, accept), accept.key)
            case .replicaRead(let read):
                if let refusal = refusalIfNotWhole(read.key) { return (refusal, nil) }
                let state = try acceptorState(read.key)
                return (
                    .replicaState(ReplicaState(accepted: state.accepted, promised: state.promised)),
                    gate.needed(for: read.key)
                )
            case .replicaScan(let scan):
                if let refusal = refusalIfNotWhole(nil) { return (refusal, nil) }
                var page = try store.scan(
                    prefix: scan.prefix, after: scan.after, limit: Int(scan.limit), bytesMax: WireLimits.scanBytesMax)
                if scan.keysOnly {
                    for index in page.items.indices where page.items[index].accepted.cell.content != .tombstone {
                        page.items[index].accepted.cell.content = .value([])
                    }
                }
                var needed: JournalSequence?
                for item in page.items {
                    if let sequence = gate.needed(for: item.key), sequence > needed ?? .start { needed = sequence }
                }
                return (.replicaPage(page), needed)
            case .rangeRequest(let request):
                if let refusal = refusalIfNotWhole(nil) { return (refusal, nil) }
                let page = try store.registers(
                    in: request.range, after: request.after, limit: Int(request.limit),
                    bytesMax: WireLimits.scanBytesMax)
                var needed: JournalSequence?
                for item in page.items {
                    if let sequence = gate.needed(for: item.key), sequence > needed ?? .start { needed = sequence }
                }
                let items = page.items.map { RangePage.Item(key: $0.key, state: promiseFloor.applied(to: $0.state)) }
                return (.rangePage(RangePage(items: items, hasMore: page.hasMore)), needed)
            default:
                return (.error(ErrorMessage(code: .invalid, detail: "a \(message.type) is not for a replica")), nil)
            }
        } catch {
            counters.storeErrors += 1
            if noticeDamage(message.registerKey, error) { return (notWhole(), nil) }
            note(.error, "\(identity.name) cannot answer for a key: \(error)")
            return (.error(ErrorMessage(code: .internalError, detail: "\(identity.name): \(error)")), nil)
        }
    }

    /// Why this node does not answer for a key (nil: for a range): its own copy is lost, damaged, or being cleared.
    private mutating func refusalIfNotWhole(_ key: Key?) -> Message? {
        if amnesia != nil { return notWhole() }
        if let key {
            if mending.holds(key) { return notWhole() }
            if key.isLocal || !muted.contains(where: { $0.contains(key.token) }) { return nil }
        }
        return muted.isEmpty ? nil : notWhole()
    }

    private mutating func notWhole() -> Message {
        counters.notWholeRefused += 1
        return .error(
            ErrorMessage(code: .notWhole, detail: "\(identity.name) does not hold its copies of this range yet"))
    }

    private mutating func persist(_ decision: Acceptor.Decision, _ key: Key) -> (Message, JournalSequence?) {
        guard let state = decision.state else {
            if Mutation.duplicateBeforeDurable.isOn, case .accepted = decision.reply { return (decision.reply, nil) }
            return (decision.reply, gate.needed(for: key))
        }
        if let reason = store.readOnlyReason {
            return (.error(ErrorMessage(code: .readOnly, detail: "\(identity.name) takes no writes: \(reason)")), nil)
        }
        guard store.backlogBytes < limits.backlogBytesMax else {
            counters.overloaded += 1
            return (
                .error(
                    ErrorMessage(
                        code: .overloaded, detail: "\(identity.name)'s journal is behind: try again after a pause")),
                nil
            )
        }
        // A node that loses its promises knows by the ceiling how high they may have been.
        raiseCeiling(for: state.promised.time)
        let sequence = store.apply(.register(key, state))
        gate.wrote(key, sequence)
        if !subscriptions.isEmpty, !key.isLocal, case .accepted = decision.reply {
            subscriptions.changed(key, keysMax: limits.watchStatesMax)
        }
        return (decision.reply, sequence)
    }
}

extension Message {
    /// The register that a replica is asked about.
    fileprivate var registerKey: Key? {
        switch self {
        case .prepare(let prepare): prepare.key
        case .accept(let accept): accept.key
        case .replicaRead(let read): read.key
        default: nil
        }
    }
}
