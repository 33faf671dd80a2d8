import Wire

/// A ping of our own that waits for its answer.
struct Probe: Sendable {
    let sequence: UInt32
    let target: NodeID
    /// When the ping is sent again.
    var pingAtMs: UInt64
    /// When other members are asked; nil once they were.
    var helpersAtMs: UInt64?
    /// When it has failed.
    var deadlineMs: UInt64
    /// Members that were asked, and those of them that said they cannot reach the target either.
    var helpers = 0
    var nacks = 0

    var nextMs: UInt64 { min(deadlineMs, pingAtMs, helpersAtMs ?? .max) }

    mutating func postpone(byMs pauseMs: UInt64) {
        pingAtMs += pauseMs
        deadlineMs += pauseMs
        helpersAtMs = helpersAtMs.map { $0 + pauseMs }
    }
}

/// A ping on behalf of another member.
struct Relay: Sendable {
    let sequence: UInt32
    let target: NodeID
    let address: String
    let requesterSequence: UInt32
    let requesterAddress: String
    /// When the ping is sent again.
    var pingAtMs: UInt64
    /// When the requester is told that there is no answer yet; nil once it was.
    var nackAtMs: UInt64?
    /// When an answer is of no use any more.
    var expiryMs: UInt64

    var nextMs: UInt64 { min(expiryMs, pingAtMs, nackAtMs ?? .max) }

    mutating func postpone(byMs pauseMs: UInt64) {
        pingAtMs += pauseMs
        expiryMs += pauseMs
        nackAtMs = nackAtMs.map { $0 + pauseMs }
    }
}

// Finding out who answers.
extension Swim {
    /// Probes the next member of the round. A round visits everybody once, in random order, so the time until a member
    /// is probed is bounded (SWIM, section 4.3).
    mutating func probeNext() {
        for _ in 0...table.members.count {
            if probeCursor >= probeOrder.count {
                probeOrder = table.members.filter { $0.isPresent && $0.identity.id != local.id }.map(\.identity.id)
                probeOrder.shuffle(using: &random)
                probeCursor = 0
                if probeOrder.isEmpty { return }
            }
            let id = probeOrder[probeCursor]
            probeCursor += 1
            guard let member = table[id], member.isPresent, !probes.contains(where: { $0.target == id }) else {
                continue
            }
            probe(member, isUrgent: false)
            return
        }
    }

    /// A new member takes a random place in what is left of the round.
    mutating func joinProbeOrder(_ id: NodeID) {
        guard !probeOrder.contains(id) else { return }
        let place = Int.random(in: min(probeCursor, probeOrder.count)...probeOrder.count, using: &random)
        probeOrder.insert(id, at: place)
    }

    /// A lost connection is a hint that makes the member probed at once.
    mutating func disconnected(_ id: NodeID) {
        guard id != local.id, let member = table[id], member.isPresent else { return }
        probe(member, isUrgent: true)
    }

    /// Some of those who hear of a suspicion check it themselves, so that it is soon confirmed or refuted; not all, or a
    /// large cluster would overrun the suspect.
    mutating func maybeVerify(_ id: NodeID) {
        let checkers = 2 * configuration.suspicionConfirmations
        guard Int.random(in: 0..<max(1, table.presentCount - 2), using: &random) < checkers, let member = table[id]
        else { return }
        probe(member, isUrgent: false)
    }

    /// Pings a member. An urgent probe asks the helpers in the same breath and gives up as soon as they have had their
    /// time.
    private mutating func probe(_ member: MembershipMember, isUrgent: Bool) {
        let id = member.identity.id
        if let index = probes.firstIndex(where: { $0.target == id }) {
            if isUrgent { hasten(index) }
            return
        }
        guard probes.count < configuration.probesMax else {
            statistics.probesRefused += 1
            return
        }
        statistics.probes += 1
        let timeoutMs = configuration.probeTimeoutMs * health.factor
        let probe = Probe(
            sequence: nextSequence(), target: id, pingAtMs: nowMs + pingPauseMs,
            helpersAtMs: isUrgent ? nowMs : nowMs + timeoutMs,
            deadlineMs: nowMs
                + (isUrgent ? timeoutMs : max(configuration.probeIntervalMs * health.factor, 2 * timeoutMs)))
        probes.append(probe)
        if member.state == .alive {
            send(.ping(sequence: probe.sequence, target: id), to: member.identity.address)
        } else {
            pingAgain(member, sequence: probe.sequence)
        }
    }

    private var pingPauseMs: UInt64 {
        max(1, configuration.probeTimeoutMs * health.factor / max(1, configuration.pingsPerTimeout))
    }

    /// Pings one that may be gone: news would be wasted on it, except that it is suspect (Lifeguard's "buddy system").
    private mutating func pingAgain(_ member: MembershipMember, sequence: UInt32) {
        sendExactly(
            .ping(sequence: sequence, target: member.identity.id), to: member.identity.address,
            member.state == .alive ? [] : [update(about: member)])
    }

    /// Tells those that this node accuses itself, again and again. A ping is answered even by one that has long refuted,
    /// so what was lost on either way is made good.
    mutating func remindSuspects() {
        for index in suspicions.indices where suspicions[index].remindAtMs <= nowMs {
            suspicions[index].remindAtMs = nowMs + reminderPauseMs
            guard let member = table[suspicions[index].id] else { continue }
            pingAgain(member, sequence: nextSequence())
        }
    }

    /// Time between two reminders of a suspect.
    var reminderPauseMs: UInt64 { configuration.gossipIntervalMs * health.factor }

    private mutating func hasten(_ index: Int) {
        guard probes[index].helpersAtMs != nil else { return }
        probes[index].helpersAtMs = nowMs
        probes[index].deadlineMs = min(probes[index].deadlineMs, nowMs + configuration.probeTimeoutMs * health.factor)
    }

    /// Asks helpers for probes that got no direct answer, and ends those that nobody's answer ended.
    mutating func runProbes() {
        for index in probes.indices where probes[index].nextMs <= nowMs {
            let probe = probes[index]
            guard probe.deadlineMs > nowMs else { continue }
            if probe.pingAtMs <= nowMs {
                probes[index].pingAtMs = nowMs + pingPauseMs
                if let member = table[probe.target] { pingAgain(member, sequence: probe.sequence) }
            }
            if let helpersAtMs = probe.helpersAtMs, helpersAtMs <= nowMs {
                probes[index].helpersAtMs = nil
                askHelpers(index)
            }
        }
        guard probes.contains(where: { $0.deadlineMs <= nowMs }) else { return }
        let failed = probes.filter { $0.deadlineMs <= nowMs }
        probes.removeAll { $0.deadlineMs <= nowMs }
        for probe in failed { fail(probe) }
    }

    private mutating func askHelpers(_ index: Int) {
        let probe = probes[index]
        guard let target = table[probe.target] else { return }
        let helpers = randomMembers(configuration.indirectProbes) {
            $0.state == .alive && $0.identity.id != probe.target
        }
        probes[index].helpers = helpers.count
        for helper in helpers {
            send(
                .pingRequest(sequence: probe.sequence, target: probe.target, address: target.identity.address),
                to: helper.identity.address)
        }
    }

    private mutating func fail(_ probe: Probe) {
        statistics.probesFailed += 1
        // Helpers that answer show that this node's own links are good; silence from them shows the opposite.
        health.worse(by: probe.helpers == 0 ? 1 : max(0, probe.helpers - probe.nacks))
        guard let member = table[probe.target] else { return }
        switch member.state {
        case .alive:
            statistics.suspicions += 1
            enter(member.identity, .suspect, source: local.id)
        case .suspect: confirm(probe.target, by: local.id)
        case .dead, .left: break
        }
    }

    mutating func acknowledged(sequence: UInt32, subject: NodeID) {
        if let index = probes.firstIndex(where: { $0.sequence == sequence && $0.target == subject }) {
            probes.remove(at: index)
            health.better()
        } else if let index = relays.firstIndex(where: { $0.sequence == sequence && $0.target == subject }) {
            let relay = relays.remove(at: index)
            send(.ack(sequence: relay.requesterSequence, subject: subject), to: relay.requesterAddress)
        }
    }

    mutating func refusedByHelper(sequence: UInt32) {
        guard let index = probes.firstIndex(where: { $0.sequence == sequence }) else { return }
        probes[index].nacks = min(probes[index].nacks + 1, probes[index].helpers)
    }

    // MARK: On behalf of others

    mutating func relay(sequence: UInt32, to target: NodeID, at address: String, for requester: String) {
        guard relays.count < configuration.relaysMax, !address.isEmpty else {
            statistics.relaysRefused += 1
            return
        }
        // The nack leaves early enough to arrive before the requester gives up.
        let relay = Relay(
            sequence: nextSequence(), target: target, address: address, requesterSequence: sequence,
            requesterAddress: requester, pingAtMs: nowMs + pingPauseMs,
            nackAtMs: nowMs + max(1, configuration.probeTimeoutMs * 4 / 5),
            expiryMs: nowMs + configuration.probeIntervalMs)
        relays.append(relay)
        sendExactly(.ping(sequence: relay.sequence, target: target), to: address, [])
    }

    mutating func runRelays() {
        guard !relays.isEmpty else { return }
        relays.removeAll { $0.expiryMs <= nowMs }
        for index in relays.indices where relays[index].nextMs <= nowMs {
            let relay = relays[index]
            if relay.pingAtMs <= nowMs {
                relays[index].pingAtMs = nowMs + pingPauseMs
                sendExactly(.ping(sequence: relay.sequence, target: relay.target), to: relay.address, [])
            }
            if let nackAtMs = relay.nackAtMs, nackAtMs <= nowMs {
                relays[index].nackAtMs = nil
                send(.nack(sequence: relay.requesterSequence), to: relay.requesterAddress)
            }
        }
    }

    /// Up to `count` members other than the local node, drawn without repetition. Nearly always a few draws find them; only
    /// when those wanted are rare are all looked at.
    mutating func randomMembers(_ count: Int, where isWanted: (MembershipMember) -> Bool) -> [MembershipMember] {
        var chosen: [MembershipMember] = []
        guard count > 0 else { return chosen }
        for _ in 0..<4 * count {
            let index = Int.random(in: table.members.indices, using: &random)
            let id = table.members[index].identity.id
            guard id != local.id, !chosen.contains(where: { $0.identity.id == id }), isWanted(table.members[index])
            else { continue }
            chosen.append(table.members[index])
            if chosen.count == count { return chosen }
        }
        var others = table.members.indices.filter { index in
            let id = table.members[index].identity.id
            return id != local.id && !chosen.contains { $0.identity.id == id } && isWanted(table.members[index])
        }
        while chosen.count < count, !others.isEmpty {
            let index = others.remove(at: Int.random(in: others.indices, using: &random))
            chosen.append(table.members[index])
        }
        return chosen
    }
}
