package import Wire

/// What a change of the ring waits for.
enum RingStep {
    /// The joint ring of an operator's change, for whom it is answered with the plan.
    case begin(Ring, RingPlan, ChannelID, RequestID)
    /// The ring that ends a joint epoch.
    case end(Ring)
}

/// Changes of the ring, in two steps like the joint consensus of Raft (Ongaro 2014, section 4.3): a joint epoch in which
/// keys that move need both majorities while their new owners copy them, and a final one. Each is decided in a register of
/// its own by the acceptors that the ring before names.
extension Node {
    /// An operator asks for a change.
    mutating func changeRing(_ request: ChangeRing, for channel: ChannelID, _ id: RequestID) {
        guard let ring else {
            return refuse(channel, id, .noRing, "\(identity.name) has no ring yet: the cluster has not been founded")
        }
        do throws(RingRefusal) {
            let target = try target(of: request.change, ring)
            let plan = plan(from: ring, to: target)
            if request.dryRun { return reply(channel, id, .ringPlan(plan)) }
            if let danger = plan.dangers.first {
                throw RingRefusal(
                    .ringRefused,
                    "\(plan.dangers.count) stretches of the ring have too few living replicas, the first \(danger.range) with \(danger.alive.count) of \(danger.needed) needed: bring the nodes back first, or look at it with --dry-run"
                )
            }
            if let copier = plan.shares.first(where: { $0.copies > 0 && !isAlive($0.node) }) {
                throw RingRefusal(
                    .ringRefused,
                    "\(copier.name) would have to copy keys and does not answer: bring it back, or remove or replace it first"
                )
            }
            let isAbort = if case .abort = request.change { true } else { false }
            let joint = Ring(
                clusterID: ring.clusterID, epoch: Epoch(ring.epoch.rawValue + 1), layout: ring.layout,
                next: isAbort ? nil : target, acceptors: ring.acceptors)
            decide(joint, .begin(joint, plan, channel, id))
        } catch { refuse(channel, id, error.code, error.detail) }
    }

    /// The layout that a change leads to.
    private func target(of change: RingChange, _ ring: Ring) throws(RingRefusal) -> RingLayout {
        if case .abort = change {
            guard ring.next != nil else { throw RingRefusal(.ringRefused, "no change of the ring is under way") }
            return ring.layout
        }
        guard ring.next == nil else {
            throw RingRefusal(
                .ringBusy,
                "epoch \(ring.epoch) is a change under way: wait for its end, or take it back with 'stormo ring abort'")
        }
        var members = ring.members
        var factor = ring.replicationFactor
        switch change {
        case .add(let name): members.append(try newcomer(name, ring))
        case .remove(let name):
            let leaving = try member(name, ring)
            guard members.count > 1 else {
                throw RingRefusal(
                    .ringRefused, "\(leaving.name) is the last node of the ring: there is nobody to hand its keys to")
            }
            members.removeAll { $0.id == leaving.id }
        case .replace(let name, let with):
            let leaving = try member(name, ring)
            let replacement = try newcomer(with, ring)
            members.removeAll { $0.id == leaving.id }
            members.append(replacement)
        case .replicationFactor(let wanted):
            guard (1...WireLimits.ringMembersMax).contains(wanted) else {
                throw RingRefusal(
                    .ringRefused, "a replication factor is 1 to \(WireLimits.ringMembersMax), found \(wanted)")
            }
            guard wanted != factor else {
                throw RingRefusal(.ringRefused, "the replication factor is \(wanted) already")
            }
            factor = wanted
        case .abort: break
        }
        guard members.count <= WireLimits.ringMembersMax else {
            throw RingRefusal(.ringRefused, "a ring has at most \(WireLimits.ringMembersMax) members")
        }
        return RingLayout(replicationFactor: factor, members: members)
    }

    private func member(_ name: String, _ ring: Ring) throws(RingRefusal) -> RingMember {
        let found = ring.members.first { $0.isCalled(name) }
        guard let found else {
            let names = ring.members.map(\.name).joined(separator: ", ")
            throw RingRefusal(.ringRefused, "the ring has no member '\(name)', only \(names)")
        }
        return found
    }

    private func newcomer(_ name: String, _ ring: Ring) throws(RingRefusal) -> RingMember {
        let found = members.first {
            $0.identity.role == .node
                && ($0.identity.name == name || $0.identity.address == name || $0.identity.id.description == name)
        }
        guard let found else {
            throw RingRefusal(
                .ringRefused,
                "no node '\(name)' is in the cluster: start it with this cluster's name, secret and a seed first")
        }
        guard found.state == .alive else {
            throw RingRefusal(.ringRefused, "'\(name)' is \(found.state): only a living node can take keys")
        }
        guard ring.member(found.identity.id) == nil else {
            throw RingRefusal(.ringRefused, "'\(name)' is a member of the ring already")
        }
        return RingMember(
            id: found.identity.id, name: found.identity.name, address: found.identity.address,
            zone: found.identity.zone, virtualNodes: limits.virtualNodes)
    }

    /// What a change moves, and where it would leave too few living replicas.
    private func plan(from ring: Ring, to target: RingLayout) -> RingPlan {
        let joint = Ring(clusterID: ring.clusterID, epoch: ring.epoch, layout: ring.layout, next: target)
        var before: [NodeID: Double] = [:]
        var after: [NodeID: Double] = [:]
        var copies: [NodeID: Double] = [:]
        var dangers: [RingPlan.Danger] = []
        for segment in joint.segments {
            let share = segment.range.share
            let next = segment.next ?? segment.replicas
            for node in segment.replicas { before[node, default: 0] += share }
            for node in next { after[node, default: 0] += share }
            for node in next where segment.mustCopy(node, ring.layout, target) { copies[node, default: 0] += share }
            for (set, quorum) in [(segment.replicas, ring.quorum), (next, target.quorum)] {
                let alive = set.filter { isAlive($0) }
                if alive.count < quorum, dangers.last?.range != segment.range {
                    dangers.append(RingPlan.Danger(range: segment.range, alive: alive, needed: UInt16(quorum)))
                }
            }
        }
        func millionths(_ share: Double?) -> UInt32 { UInt32(((share ?? 0) * 1_000_000).rounded()) }
        return RingPlan(
            epoch: ring.epoch, replicas: UInt16(target.replicas),
            shares: joint.allMembers.map { member in
                RingPlan.Share(
                    node: member.id, name: member.name, before: millionths(before[member.id]),
                    after: millionths(after[member.id]), copies: millionths(copies[member.id]))
            },
            dangers: Array(dangers.prefix(WireLimits.listItemsMax)))
    }

    func isAlive(_ node: NodeID) -> Bool {
        node == identity.id || isReachable(node) && members.contains { $0.identity.id == node && $0.state == .alive }
    }

    private mutating func decide(_ next: Ring, _ step: RingStep) {
        start(
            .write(.put(value: Self.encoded(next), ttlMs: nil, condition: .absent), .serial),
            key: RingRegister.key(next.epoch), for: .ring(step))
    }

    /// A decision about the ring is over.
    mutating func ringStepDone(_ step: RingStep, _ result: OperationResult) {
        let proposed =
            switch step {
            case .begin(let ring, _, _, _), .end(let ring): ring
            }
        if case .end = step { changing.isDeciding = false }
        var outcome: ErrorMessage?
        switch result {
        case .written(let answer) where answer.applied: takeDecided(proposed)
        case .written(let answer):
            if case .value(let bytes)? = answer.current?.content, let decided = Self.decodeRing(bytes) {
                takeDecided(decided)
                // A proposal of this very content may have been another node's, or this one's whose answer was lost.
                if decided != proposed {
                    outcome = ErrorMessage(
                        code: .ringBusy, detail: "another change was decided first, as epoch \(decided.epoch)")
                }
            } else {
                outcome = ErrorMessage(code: .internalError, detail: "the ring's register holds no ring")
            }
        case .failed(let code, let detail):
            // The epoch may have been decided while this was on its way.
            if let ring, ring == proposed { break }
            outcome = ErrorMessage(code: code == .staleEpoch ? .ringBusy : code, detail: detail)
        default: outcome = ErrorMessage(code: .internalError, detail: "the ring's register answered out of turn")
        }
        guard case .begin(_, var plan, let channel, let request) = step else { return }
        if let outcome { return refuse(channel, request, outcome.code, outcome.detail) }
        plan.epoch = proposed.epoch
        reply(channel, request, .ringPlan(plan))
    }

    private mutating func takeDecided(_ decided: Ring) {
        if decided.epoch > ring?.epoch ?? .none { install(decided) }
        spreadRing()
    }

    /// While a ring is joint: the first living member ends it when all new owners hold their keys.
    mutating func tickChanging() {
        guard let ring, let next = ring.next, time.monotonicMs >= changing.nextMs else { return }
        changing.nextMs = time.monotonicMs + limits.ringStepPauseMs
        announceHeld()
        guard !changing.isDeciding, ring.allMembers.first(where: { isAlive($0.id) })?.id == identity.id,
            changing.copiers.isSubset(of: changing.held)
        else { return }
        changing.isDeciding = true
        let final = Ring(clusterID: ring.clusterID, epoch: Epoch(ring.epoch.rawValue + 1), layout: next)
        decide(final, .end(final))
    }

    /// A new owner holds all its keys.
    mutating func receive(_ held: Held, from node: NodeID) {
        if held.epoch == ring?.epoch { changing.held.insert(node) }
    }

    private mutating func announceHeld() {
        guard let ring, copying.holdsAll(ring.epoch, durable: gate.durable) else { return }
        changing.held.insert(identity.id)
        for member in ring.allMembers where member.id != identity.id {
            outputs.append(.send(member.id, .oneWay, .held(Held(epoch: ring.epoch))))
        }
    }
}

/// Where a joint epoch stands.
struct RingChanging {
    /// Members that have something to copy.
    var copiers: Set<NodeID> = []
    /// Members that have said that they hold everything.
    var held: Set<NodeID> = []
    /// Whether the final ring is being proposed.
    var isDeciding = false
    /// When to look again.
    var nextMs: UInt64 = 0
}

extension Ring.Segment {
    /// Whether a node has to copy this stretch before the new set decides alone: it had no copy, or too few of the new set
    /// would certainly have what a majority of the old one took. A majority of them must, not only one in each majority: the
    /// next change counts on it again.
    package func mustCopy(_ node: NodeID, _ old: RingLayout, _ new: RingLayout) -> Bool {
        guard let next, next.contains(node) else { return false }
        guard replicas.contains(node) else { return true }
        let kept = next.count { replicas.contains($0) }
        let certain = next.count - kept + max(0, old.quorum - (replicas.count - kept))
        return certain < new.quorum
    }
}

// Outside of the generic type: the optimizer of Swift 6.3.1 crashes on typed errors that depend on its parameter.
private struct RingRefusal: Error {
    let code: ErrorCode
    let detail: String

    init(_ code: ErrorCode, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}
