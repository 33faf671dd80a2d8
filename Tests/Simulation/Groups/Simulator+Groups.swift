import NodeCore
import Wire

/// Members of consumer groups, as the client library has them: the decisions are `GroupLease`'s, the registers the cluster's.
extension Simulator {
    func startGroups() {
        guard let plan = scenario.groups else { return }
        groups.endsMs = cluster.nowMs + plan.spanMs
        let half = Int64(scenario.limits.clockDriftMaxMs) / 2
        for partition in 0..<plan.partitions {
            let id = PartitionID(topic: TopicID(scenario.seed), index: UInt32(partition))
            groups.keys.append(GroupRegister.key(group: "g", partition: id))
            groups.histories.append(GroupHistory())
            for _ in 0..<plan.members {
                let index = groups.members.count
                var dice = Dice(seed: scenario.seed, Scenario.groupDice, UInt64(index) + 1)
                let skewMs = scenario.kinds.contains(.skew) ? dice.pick(-half...half) : 0
                groups.members.append(
                    SimulatedMember(partition: partition, skewMs: skewMs, dice: dice, owner: newOwner(index)))
                go(index, inMs: groups.members[index].dice.pick(0...plan.pauseMaxMs))
            }
        }
    }

    /// Whether members have done what they were meant to.
    var groupsAreDone: Bool { scenario.groups == nil || cluster.nowMs >= groups.endsMs }

    private func newOwner(_ member: Int) -> String {
        groups.runs += 1
        return "m\(member)/\(groups.runs)"
    }

    private func wallMs(of member: Int) -> UInt64 {
        UInt64(Int64(cluster.nowMs + VirtualCluster.wallOffsetMs) + groups.members[member].skewMs)
    }

    // MARK: Steps

    private func go(_ member: Int, inMs milliseconds: UInt64) {
        groups.members[member].turn += 1
        plan(.group(.goOn(member: member, turn: groups.members[member].turn)), inMs: milliseconds)
    }

    func go(_ step: GroupStep) {
        switch step {
        case .goOn(let member, let turn): if groups.members[member].turn == turn { goOn(member, turn) }
        case .giveUp(let request):
            guard !groups.requests[request].isAnswered else { return }
            groups.requests[request].isAnswered = true
            hear(request, nil)
        case .hear(let request, let message): hear(request, message)
        }
    }

    private func goOn(_ index: Int, _ turn: Int) {
        guard let plan = scenario.groups else { return }
        let member = groups.members[index]
        if cluster.nowMs < member.pausedUntilMs {
            return self.plan(
                .group(.goOn(member: index, turn: turn)), inMs: member.pausedUntilMs - cluster.nowMs)
        }
        if isStormy, groups.members[index].dice.chance(plan.crashes) { return stop(index) }
        if isStormy, groups.members[index].dice.chance(plan.pauses) {
            // What it is about to do it does first, so that answers find it standing still.
            statistics.add(.faults, "members standing still")
            let forMs = groups.members[index].dice.pick(1...plan.pausedMaxMs)
            groups.members[index].pausedUntilMs = cluster.nowMs + forMs
        }
        switch member.state {
        case .wanting:
            let isSeek = isStormy && groups.members[index].dice.chance(plan.seeks)
            read(index, isSeek ? .seeking : .looking)
        case .handling(let lease, let range): handed(index, lease, range)
        case .writing(let lease, let offset): write(index, lease, offset)
        default: break
        }
    }

    /// A member stops; what it has asked for may still be done. Another one comes in its place.
    private func stop(_ index: Int) {
        statistics.add(.faults, "members stopped")
        groups.members[index].owner = newOwner(index)
        want(index)
    }

    private func want(_ index: Int) {
        groups.members[index].state = .wanting
        let mostMs = scenario.groups?.pauseMaxMs ?? 1
        go(index, inMs: groups.members[index].dice.pick(1...mostMs))
    }

    // MARK: Requests

    private func send(_ index: Int, _ message: Message, _ state: SimulatedMember.State) {
        groups.members[index].turn += 1
        groups.members[index].state = state
        let request = groups.requests.count
        groups.requests.append(
            GroupRequest(member: index, turn: groups.members[index].turn, invoked: stamp()))
        let up = cluster.virtualNodes.indices.filter { cluster.virtualNodes[$0].isUp }
        // Who gives up before anybody can answer gets nowhere, faults or not.
        let patienceMs = isStormy ? scenario.groups?.patienceMs : nil
        plan(.group(.giveUp(request: request)), inMs: patienceMs ?? scenario.limits.operationTimeoutMs * 2)
        guard !up.isEmpty else { return }
        let node = up[groups.members[index].dice.pick(0...up.count - 1)]
        cluster.request(
            GroupClients.numbers.lowerBound + request, to: node, message, stampMs: wallMs(of: index),
            epoch: cluster.virtualNodes[node].node?.ring?.epoch ?? .none)
    }

    private func read(_ index: Int, _ state: SimulatedMember.State) {
        let key = groups.keys[groups.members[index].partition]
        send(index, .readRequest(ReadRequest(key: key, consistency: .quorum)), state)
    }

    private func put(_ index: Int, _ attempt: GroupLease.Attempt, _ state: SimulatedMember.State) {
        let key = groups.keys[groups.members[index].partition]
        let change = RegisterChange.put(value: attempt.register.encoded, ttlMs: nil, condition: attempt.condition)
        send(index, .writeRequest(WriteRequest(key: key, consistency: .serial, change: change)), state)
    }

    func groupAnswered(_ answer: VirtualCluster.Answer) {
        let request = answer.client - GroupClients.numbers.lowerBound
        guard groups.requests.indices.contains(request), !groups.requests[request].isAnswered else { return }
        groups.requests[request].isAnswered = true
        hear(request, answer.message)
    }

    private func hear(_ request: Int, _ message: Message?) {
        let asked = groups.requests[request]
        let member = groups.members[asked.member]
        guard member.turn == asked.turn else { return }
        guard cluster.nowMs >= member.pausedUntilMs else {
            return plan(.group(.hear(request: request, message)), inMs: member.pausedUntilMs - cluster.nowMs)
        }
        heard(asked, message)
    }

    private typealias Found = (register: GroupRegister, version: Ballot)

    private func register(_ cell: Cell?) -> Found? {
        guard let cell, case .value(let bytes) = cell.content else { return nil }
        guard let register = try? GroupRegister(bytes) else {
            fail("answers", "the register of a group holds what nobody wrote: \(Trace.cell(cell))")
            return nil
        }
        return (register, cell.version)
    }

    // MARK: Answers

    /// A member was answered; nil when it has waited long enough.
    private func heard(_ asked: GroupRequest, _ message: Message?) {
        let index = asked.member
        let member = groups.members[index]
        switch member.state {
        case .looking:
            guard case .readAnswer(let answer)? = message else { return want(index) }
            take(index, register(answer.cell))
        case .taking(let attempt):
            switch message {
            case .writeAnswer(let answer)? where answer.applied:
                if let version = answer.version { return taken(index, attempt, version, asked) }
                read(index, .doubting(attempt))
            case .error(let error)? where error.code == .outcomeUnknown: read(index, .doubting(attempt))
            case nil: read(index, .doubting(attempt))
            default: want(index)
            }
        case .doubting(let attempt):
            guard case .readAnswer(let answer)? = message, let found = register(answer.cell),
                found.register == attempt.register
            else { return want(index) }
            taken(index, attempt, found.version, asked)
        case .written(var lease, let attempt, let offset):
            switch message {
            case .writeAnswer(let answer)? where answer.applied && answer.version != nil:
                lease.written(attempt, version: answer.version ?? .zero)
                kept(index, lease, asked)
            case .writeAnswer: read(index, .checking(lease, attempt, offset))
            default: again(index, lease, offset)
            }
        case .checking(var lease, let attempt, let offset):
            guard case .readAnswer(let answer)? = message else { return again(index, lease, offset) }
            let found = register(answer.cell)
            switch lease.found(found, after: attempt) {
            case .written: kept(index, lease, asked)
            case .again: write(index, lease, offset)
            case .lost where Self.breaks(.groupTokenUnchecked) && found != nil:
                lease.written(attempt, version: found?.version ?? .zero)
                write(index, lease, offset)
            case .lost: lost(index, lease)
            }
        case .seeking:
            guard case .readAnswer(let answer)? = message else { return want(index) }
            seek(index, register(answer.cell))
        case .sought(let wanted):
            if case .writeAnswer(let answer)? = message, answer.applied {
                note(index, wanted.offset ?? 0, wanted.token, asked)
            }
            want(index)
        case .releasing: want(index)
        case .wanting, .handling, .writing: break
        }
    }

    private static func breaks(_ mutation: Mutation) -> Bool {
        #if MUTANTS
            Mutation.broken == mutation
        #else
            false
        #endif
    }

    // MARK: Holding a partition

    private func take(_ index: Int, _ found: Found?) {
        guard var bounds = scenario.groups?.bounds else { return }
        if Self.breaks(.groupLeaseWithoutMargin) { (bounds.driftMaxMs, bounds.marginMs) = (0, 0) }
        let member = groups.members[index]
        guard
            let attempt = GroupLease.taking(
                found, for: member.owner, of: "t", bounds, wallMs: wallMs(of: index), nowMs: cluster.nowMs)
        else { return want(index) }
        put(index, attempt, .taking(attempt))
    }

    private func taken(_ index: Int, _ attempt: GroupLease.Attempt, _ version: Ballot, _ asked: GroupRequest) {
        guard var bounds = scenario.groups?.bounds else { return }
        if Self.breaks(.groupLeaseWithoutMargin) { (bounds.driftMaxMs, bounds.marginMs) = (0, 0) }
        let lease = GroupLease(attempt, version: version, bounds)
        statistics.add(.operations, "partitions taken")
        hold(index, lease)
        // Who takes over before the first commit must not begin elsewhere.
        if lease.offset == nil { write(index, lease, 0) } else { handle(index, lease) }
    }

    private func hold(_ index: Int, _ lease: GroupLease) {
        groups.histories[groups.members[index].partition].holds(
            lease.owner, token: lease.token, fromMs: cluster.nowMs, untilMs: lease.endsAtMs)
    }

    /// Hands on the next records; while there are none it renews its lease.
    private func handle(_ index: Int, _ lease: GroupLease) {
        guard let plan = scenario.groups else { return }
        let from = lease.offset ?? 0
        if isStormy, groups.members[index].dice.chance(plan.releases) { return release(index, lease) }
        let end = min(plan.records, from + Offset(groups.members[index].dice.pick(1...plan.recordsMax)))
        groups.members[index].state = .handling(lease, from..<max(from, end))
        if Self.breaks(.groupCommitsFirst), end > from { return write(index, lease, end) }
        let pauseMs = groups.members[index].dice.pick(0...plan.handlingMaxMs)
        let renewalMs = lease.renewalAtMs - min(lease.renewalAtMs, cluster.nowMs)
        go(index, inMs: end > from ? pauseMs : max(1, min(renewalMs, plan.pauseMaxMs)))
    }

    private func handed(_ index: Int, _ lease: GroupLease, _ range: Range<Offset>) {
        guard cluster.nowMs < lease.endsAtMs else { return lost(index, lease) }
        groups.histories[groups.members[index].partition].handed(range)
        if range.isEmpty, cluster.nowMs < lease.renewalAtMs { return handle(index, lease) }
        statistics.add(.operations, range.isEmpty ? "leases renewed" : "positions committed")
        write(index, lease, range.upperBound)
    }

    private func write(_ index: Int, _ lease: GroupLease, _ offset: Offset?) {
        guard cluster.nowMs < lease.endsAtMs else { return lost(index, lease) }
        var attempt = lease.writing(offset, wallMs: wallMs(of: index), nowMs: cluster.nowMs)
        if Self.breaks(.groupCommitGoesBack), let offset, offset > 0, groups.members[index].dice.chance(0.3) {
            var register = attempt.register
            register.offset = offset / 2
            attempt = GroupLease.Attempt(register, if: attempt.condition, sinceMs: attempt.sinceMs)
        }
        put(index, attempt, .written(lease, attempt, offset))
    }

    private func again(_ index: Int, _ lease: GroupLease, _ offset: Offset?) {
        groups.members[index].state = .writing(lease, offset)
        go(index, inMs: groups.members[index].dice.pick(1...50))
    }

    private func kept(_ index: Int, _ lease: GroupLease, _ asked: GroupRequest) {
        note(index, lease.offset ?? 0, lease.token, asked)
        hold(index, lease)
        handle(index, lease)
    }

    private func note(_ index: Int, _ offset: Offset, _ token: UInt64, _ asked: GroupRequest) {
        let partition = groups.members[index].partition
        let problem = groups.histories[partition].committed(
            offset, token: token, invoked: asked.invoked, returned: stamp())
        if let problem { fail(problem.check, "\(groups.keys[partition]): \(problem.detail)") }
        changeAnswered()
    }

    private func lost(_ index: Int, _ lease: GroupLease) {
        statistics.add(.outcomes, "partitions lost")
        groups.histories[groups.members[index].partition].gaveUp(
            lease.owner, token: lease.token, atMs: cluster.nowMs)
        want(index)
    }

    private func release(_ index: Int, _ lease: GroupLease) {
        groups.histories[groups.members[index].partition].gaveUp(
            lease.owner, token: lease.token, atMs: cluster.nowMs)
        put(index, lease.releasing(nowMs: cluster.nowMs), .releasing)
    }

    /// An operator sets the position back, and takes the partition from its holder.
    private func seek(_ index: Int, _ found: Found?) {
        guard let found, let before = found.register.offset else { return want(index) }
        let offset = Offset(groups.members[index].dice.pick(0...UInt64(before)))
        let register = GroupRegister(
            owner: "", token: found.register.token + 1, leaseEndMs: 0, offset: offset, topic: "t")
        statistics.add(.operations, "positions sought")
        groups.histories[groups.members[index].partition].sought(register.token)
        put(
            index, GroupLease.Attempt(register, if: .version(found.version), sinceMs: cluster.nowMs),
            .sought(register))
    }

    // MARK: In the end

    /// With all faults over, every group comes to the end of its partitions within a bounded time, and has handed on all.
    func finalGroups() {
        guard let plan = scenario.groups else { return }
        let stepMs = plan.bounds.lengthMs + plan.bounds.marginMs + plan.pauseMaxMs + plan.patienceMs * 2
        let withinMs =
            stepMs * 4 + 5_000
            + plan.records * (plan.handlingMaxMs + scenario.limits.operationTimeoutMs / 4 + 20)
        let isDone = cluster.run(forMs: withinMs) {
            !failures.isEmpty || groups.histories.allSatisfy { $0.lastPosition == plan.records }
        }
        for (index, history) in groups.histories.enumerated() {
            if !isDone, history.lastPosition != plan.records {
                fail(
                    "liveness",
                    "\(groups.keys[index]) is at \(history.lastPosition) of \(plan.records) \(withinMs) ms after the faults"
                )
            }
            statistics.add(.checked, "partitions of groups")
            if scenario.clocksAreTame, let problem = history.overlap() {
                fail(problem.check, "\(groups.keys[index]): \(problem.detail)")
            }
        }
        // Members say no more, so that the cluster can come to rest.
        for index in groups.members.indices { groups.members[index].turn += 1 }
        comeToRest()
    }
}
