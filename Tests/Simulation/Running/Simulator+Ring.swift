import NodeCore
import Wire

/// Operators who change the ring.
extension Simulator {
    /// The newest ring that any node knows.
    var currentRing: Ring? { cluster.newestRing }

    func changeRing(_ fault: ScriptedFault) {
        guard let ring = currentRing else { return }
        if fault.kind == .deadReplacements {
            guard ring.member(fault.node.nodeID) != nil, cluster.virtualNodes[fault.node].isUp else { return }
            crash(fault.node, downMs: fault.forMs)
            let noticedMs = dice.pick(200...1_500 as ClosedRange<UInt64>)
            plan(.replaceDead(node: fault.node, run: cluster.virtualNodes[fault.node].run), inMs: noticedMs)
            return
        }
        guard let change = change(fault.kind, ring, preferring: fault.node) else { return }
        order(change)
        if scenario.kinds.contains(.rivalOperators), dice.chance(0.6),
            let kind = dice.pick([
                (FaultKind.joins, weight: 2), (.leaves, weight: 2), (.replacements, weight: 2),
                (.factorChanges, weight: 1),
            ]), let other = self.change(kind, ring, preferring: fault.other)
        {
            statistics.add(.faults, FaultKind.rivalOperators.rawValue)
            order(other)
        }
        if scenario.kinds.contains(.aborts), dice.chance(0.6) {
            plan(.takeBack, inMs: dice.pick(1...400))
        }
    }

    func replaceDead(_ node: Int, run: Int) {
        let virtual = cluster.virtualNodes[node]
        guard isStormy, !virtual.isUp, virtual.run == run, let ring = currentRing,
            ring.member(node.nodeID) != nil, let spare = spare(ring, preferring: node + 1)
        else { return }
        cluster.announce(node, .dead)
        order(.replace(name(node), with: name(spare)))
    }

    private func change(_ kind: FaultKind, _ ring: Ring, preferring node: Int) -> RingChange? {
        let members = ring.members.map { $0.name }
        let member = members[node % members.count]
        // Whoever loses something needs a majority of others to learn it from, also when all that was ordered is done.
        let mayLose = scenario.mayLose
        let ordered = changes.count { if case .remove = $0.change { true } else { false } }
        switch kind {
        case .joins: return spare(ring, preferring: node).map { .add(name($0)) }
        case .leaves:
            return mayLose && scenario.nodes - ordered <= 3 || members.count < 2 ? nil : .remove(member)
        case .replacements: return spare(ring, preferring: node).map { .replace(member, with: name($0)) }
        case .factorChanges: return .replicationFactor(dice.pick(mayLose ? 3...5 : 1...5))
        default: return nil
        }
    }

    /// A living node outside of the ring.
    private func spare(_ ring: Ring, preferring node: Int) -> Int? {
        let count = cluster.virtualNodes.count
        return (0..<count).map { (node + $0) % count }.first {
            cluster.virtualNodes[$0].isUp && ring.member($0.nodeID) == nil
        }
    }

    private func name(_ node: Int) -> String { cluster.virtualNodes[node].identity.name }

    // MARK: Orders

    func order(_ change: RingChange) {
        guard isStormy else { return }
        changes.append(RingOrder(change: change, attemptsLeft: 1 + dice.pick(0...5)))
        ask(changes.count - 1)
    }

    func ask(_ index: Int) {
        guard isStormy, !changes[index].isAnswered, changes[index].attemptsLeft > 0 else { return }
        changes[index].attemptsLeft -= 1
        let first = dice.pick(0...cluster.virtualNodes.count - 1)
        let count = cluster.virtualNodes.count
        if let node = (0..<count).map({ (first + $0) % count }).first(where: { cluster.virtualNodes[$0].isUp }) {
            changes[index].request += 1
            statistics.add(.faults, "changes of the ring asked for")
            cluster.request(
                client(index), to: node, .changeRing(ChangeRing(change: changes[index].change, dryRun: false)),
                epoch: cluster.virtualNodes[node].node?.ring?.epoch ?? .none)
        }
        plan(.ask(change: index), inMs: scenario.limits.operationTimeoutMs + dice.pick(10...500))
    }

    private func client(_ index: Int) -> Int { RingOrder.firstClient + index << 4 + changes[index].request }

    /// An operator has heard an answer.
    func ordered(_ answer: VirtualCluster.Answer) {
        guard answer.client < RingOrder.firstRepair else { return }
        let index = (answer.client - RingOrder.firstClient) >> 4
        switch answer.message {
        case .ringPlan:
            if !changes[index].isAnswered { statistics.add(.faults, "changes of the ring begun") }
            changes[index].isAnswered = true
        case .error(let error) where error.code == .internalError || error.code == .invalid:
            fail("operators", "\(changes[index].change) was answered with \(error.code): \(error.detail)")
        case .error: plan(.ask(change: index), inMs: dice.pick(10...300))
        default: fail("operators", "\(changes[index].change) was answered with a \(answer.message.type)")
        }
    }
}

extension Int {
    /// The id of the node at this place of a cluster.
    var nodeID: NodeID { NodeID(UInt64(self + 1)) }
}

extension NodeID {
    /// The place of the node of this id in a cluster.
    var index: Int { Int(rawValue) - 1 }
}

extension VirtualCluster {
    /// The newest ring that any living node knows.
    var newestRing: Ring? { virtualNodes.lazy.compactMap { $0.node?.ring }.max { $0.epoch < $1.epoch } }
}
