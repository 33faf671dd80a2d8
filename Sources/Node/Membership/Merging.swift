import Wire

/// Another running node with the local node's id or name.
struct Twin: Hashable, Sendable {
    let id: NodeID
    let address: String
}

// How claims about members change the table.
extension Swim {
    /// Takes in a claim. A full state may be old, as after a healed partition, so what it calls dead is only suspected
    /// here first and can refute.
    mutating func merge(_ claim: MembershipUpdate, fromState: Bool = false) {
        let identity = claim.identity
        guard canBeMember(identity) else { return }
        guard identity.id != local.id else {
            mergeAboutSelf(claim)
            return
        }
        guard let index = table.index(of: identity.id) else {
            mergeUnknown(claim)
            return
        }
        // Nearly all that comes is known: nothing is copied to find that out.
        let knownState = table.members[index].state
        let knownIncarnation = table.members[index].identity.incarnation
        let isOldDeath = fromState && claim.state == .dead && table.members[index].isPresent
        let state = isOldDeath ? .suspect : claim.state
        if (identity.incarnation, rank(state)) > (knownIncarnation, rank(knownState)) {
            enter(identity, state, source: claim.source)
            if isOldDeath, let member = table[identity.id] {
                send(.gossip, to: identity.address, first: [update(about: member)])
            }
        } else if state == .suspect, knownState == .suspect, identity.incarnation == knownIncarnation {
            confirm(identity.id, by: claim.source)
        }
    }

    /// Which of two claims of one incarnation holds: the higher.
    private func rank(_ state: MemberState) -> Int {
        switch state {
        case .alive: 0
        case .suspect: 1
        case .dead: 2
        case .left: 3
        }
    }

    private mutating func mergeUnknown(_ claim: MembershipUpdate) {
        switch claim.state {
        case .left: return
        case .dead:
            // Worth knowing, since it will be tried again; not worth dropping another for, nor against an operator's word.
            guard table.goneCount < configuration.goneMembersMax, forgotten.incarnation(of: claim.identity.id) == nil
            else { return }
        case .alive, .suspect:
            guard !isForgotten(claim.identity) else { return }
            if table.members.count >= configuration.membersMax { dropLongestGone() }
        }
        guard table.members.count < configuration.membersMax else {
            statistics.membersRefused += 1
            return
        }
        enter(claim.identity, claim.state, source: claim.source)
    }

    /// Records a member's new state or identity, and all that follows from it.
    mutating func enter(_ identity: PeerIdentity, _ state: MemberState, source: NodeID) {
        let id = identity.id
        let old = table[id]
        let sinceMs = old.map { $0.state == state ? $0.sinceMs : nowMs } ?? nowMs
        var member = MembershipMember(identity: identity, state: state, sinceMs: sinceMs, flaps: old?.flaps ?? 0)
        if state == .alive, old?.state == .suspect || old?.state == .dead {
            member.flaps += 1
            statistics.flaps += 1
        }
        table.set(member)
        if member.isPresent, let past = forgotten.incarnation(of: id), past < identity.incarnation {
            forgotten.remove(id)
        }
        if old?.state == .suspect { suspicions.removeAll { $0.id == id } }
        if member.isPresent, !(old?.isPresent ?? false) { joinProbeOrder(id) }
        news.add(id, source: source)
        outputs.append(.changed(member, from: old?.state))
        switch state {
        case .alive:
            // It may be another node that was given our name: only itself can tell.
            if hasOurName(identity), old?.identity.address != identity.address {
                send(.ping(sequence: nextSequence(), target: id), to: identity.address)
            }
        case .suspect:
            suspicions.append(
                Suspicion(of: id, by: source, members: table.presentCount, configuration: configuration, nowMs: nowMs))
            if source == local.id { remind(suspicions.count - 1) } else { maybeVerify(id) }
        case .dead, .left:
            probes.removeAll { $0.target == id }
            if forgotten.incarnation(of: id) != nil {
                forgetForGood(member)
            } else if table.goneCount > configuration.goneMembersMax {
                dropLongestGone()
            }
        }
    }

    /// The suspect hears at once, and again and again, that this node accuses it.
    private mutating func remind(_ index: Int) {
        suspicions[index].remindAtMs = nowMs
        remindSuspects()
    }

    /// Counts another accuser of a suspect.
    mutating func confirm(_ id: NodeID, by accuser: NodeID) {
        guard let index = suspicions.firstIndex(where: { $0.id == id }) else { return }
        if suspicions[index].confirm(by: accuser) { news.add(id, source: accuser, isConfirmation: true) }
        if accuser == local.id, suspicions[index].remindAtMs == .max { remind(index) }
    }

    /// Declares those dead whose suspicion has run out.
    mutating func buryUnrefuted() {
        guard suspicions.contains(where: { $0.deadlineMs <= nowMs }) else { return }
        for id in suspicions.filter({ $0.deadlineMs <= nowMs }).map(\.id) {
            guard let member = table[id] else { continue }
            statistics.deaths += 1
            enter(member.identity, .dead, source: local.id)
        }
    }

    private mutating func dropLongestGone() {
        var longest: MembershipMember?
        for member in table.members where !member.isPresent && member.sinceMs < longest?.sinceMs ?? .max {
            longest = member
        }
        guard let longest else { return }
        statistics.goneDropped += 1
        remove(longest)
    }

    /// What is said here of a member, with its first accuser when it is a suspect.
    func update(about member: MembershipMember) -> MembershipUpdate {
        let accuser =
            member.state == .suspect ? suspicions.first { $0.id == member.identity.id }?.accusers.first : nil
        return MembershipUpdate(state: member.state, identity: member.identity, source: accuser ?? local.id)
    }

    // MARK: The local node

    /// A claim about the local node. What is not true is refuted by a higher incarnation.
    mutating func mergeAboutSelf(_ claim: MembershipUpdate) {
        let identity = claim.identity
        guard identity.incarnation >= local.incarnation, identity.incarnation < MembershipUpdate.incarnationMax else {
            return
        }
        if claim.state == .alive {
            if identity.address != local.address {
                // Somebody runs under our id elsewhere, and later: raising our incarnation would only fight over it.
                reportTwin(identity)
                return
            }
            guard identity.incarnation > local.incarnation else { return }
        } else {
            health.worse()
        }
        statistics.refutations += 1
        local.incarnation = identity.incarnation + 1
        let member = MembershipMember(identity: local, state: .alive, sinceMs: table[local.id]?.sinceMs ?? nowMs)
        table.set(member)
        news.add(local.id, source: local.id)
        outputs.append(.changed(member, from: .alive))
    }

    /// Whether another node bears the local node's name at another address.
    func hasOurName(_ identity: PeerIdentity) -> Bool {
        identity.name == local.name && identity.id != local.id && identity.address != local.address
    }

    /// Reports another running node with our id or name, once, and lets it know of us, so that it reports too.
    mutating func reportTwin(_ other: PeerIdentity) {
        let twin = Twin(id: other.id, address: other.address)
        guard !twins.contains(twin) else { return }
        if twins.count >= configuration.conflictsMax { twins.removeFirst() }
        twins.append(twin)
        statistics.conflicts += 1
        let what = other.id == local.id ? "id \(local.id)" : "name \(local.name)"
        let how = other.id == local.id ? "give it a data directory of its own" : "give it a name of its own"
        outputs.append(
            .conflict(
                "two running nodes have the \(what): this one (\(local.name), \(local.address), incarnation \(local.incarnation)) "
                    + "and \(other.name) (\(other.address), incarnation \(other.incarnation)); stop one of them and \(how)"
            ))
        sendExactly(.gossip, to: other.address, [])
    }
}
