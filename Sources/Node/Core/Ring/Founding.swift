import Wire

/// How the first ring comes to be: once the founders see each other, each votes durably, and for one set of founders
/// only. Any two sets of more than half of the seed list share a node, so no two rings can both have every vote.
struct Founding {
    /// Who has voted for the ring that this node proposes.
    var votes: [NodeID] = []
    /// The ring it proposes.
    var proposal: Ring?
    /// The journal's entry of the own vote; nothing that follows from the vote leaves before it is durable.
    var votedAt = JournalSequence.start
    /// When it proposes again.
    var nextMs: UInt64 = 0
    /// Whether it has said that it is not part of the ring.
    var hasNotedOutsider = false
    /// Whether this node has been in a ring that it cannot read any more: it must not found another one.
    var isBarred = false
}

extension Node {
    /// Without a ring: proposes one to the founders, and asks whether there is one already.
    mutating func tickFounding() {
        guard ring == nil, time.monotonicMs >= founding.nextMs else { return }
        founding.nextMs = time.monotonicMs + limits.foundingIntervalMs
        let nodes = members.filter { $0.identity.role == .node && $0.state == .alive }.map(\.identity)
        guard !founding.isBarred, let candidate = candidate(among: nodes) else { return askForRing(nodes) }
        if founding.proposal?.members.map(\.id) != candidate.members.map(\.id) { founding.votes = [] }
        founding.proposal = candidate
        // The founder with the lowest id collects the votes; the others only ask whether the ring is in force yet.
        guard candidate.members.first?.id == identity.id else {
            for node in nodes where node.id != identity.id {
                outputs.append(.send(node.id, .oneWay, .found(Found(ring: candidate))))
            }
            return
        }
        guard let sequence = vote(for: candidate) else { return askForRing(nodes) }
        // Who founds alone has no other votes to wait for, only its own.
        if candidate.members.count == 1, sequence > gate.durable { founding.nextMs = time.monotonicMs }
        if !founding.votes.contains(identity.id) { founding.votes.append(identity.id) }
        for member in candidate.members where !founding.votes.contains(member.id) {
            outputs.append(.send(member.id, .oneWay, .found(Found(ring: candidate))))
        }
        foundIfUnanimous()
    }

    /// A node that is no founder, or came back when too few of them are here, may still hear of a ring that is in force:
    /// what it proposes is a ring of itself alone, for which nobody else votes.
    private mutating func askForRing(_ nodes: [PeerIdentity]) {
        let own = RingMember(
            id: identity.id, name: identity.name, address: identity.address, zone: identity.zone,
            virtualNodes: limits.virtualNodes)
        let question = Ring(
            clusterID: .none, epoch: Epoch(1), replicationFactor: limits.replicationFactor, members: [own])
        for node in nodes where node.id != identity.id {
            outputs.append(.send(node.id, .oneWay, .found(Found(ring: question))))
        }
    }

    /// The ring of the founders, which follows from who they are: every founder proposes the same one.
    private func candidate(among nodes: [PeerIdentity]) -> Ring? {
        guard nodes.count >= limits.bootstrapExpect, nodes.contains(where: { $0.id == identity.id }) else { return nil }
        let founders = nodes.sorted { $0.id < $1.id }.prefix(limits.bootstrapExpect)
        guard founders.contains(where: { $0.id == identity.id }) else { return nil }
        var writer = ByteWriter()
        writer.text(clusterName)
        for founder in founders { writer.integer(founder.id.rawValue) }
        let id = ClusterID(high: XXH64.hash(writer.bytes, seed: 1), low: XXH64.hash(writer.bytes, seed: 2))
        return Ring(
            clusterID: id, epoch: Epoch(1), replicationFactor: limits.replicationFactor,
            members: founders.map {
                RingMember(
                    id: $0.id, name: $0.name, address: $0.address, zone: $0.zone, virtualNodes: limits.virtualNodes)
            })
    }

    /// Votes; says when the vote is durable, or nil when this node has voted for other founders.
    private mutating func vote(for ring: Ring) -> JournalSequence? {
        if let bytes = store.fact(.foundingVote), let former = Self.decodeRing(bytes) {
            guard former.members.map(\.id) == ring.members.map(\.id) else { return nil }
            if former == ring { return founding.votedAt }
        }
        founding.votedAt = store.apply(.fact(.foundingVote, Self.encoded(ring)))
        return founding.votedAt
    }

    /// Another founder proposes, or asks.
    mutating func receive(_ found: Found, from node: NodeID) {
        if let ring { return outputs.append(.send(node, .oneWay, .founded(Founded(agreed: false, ring: ring)))) }
        guard found.ring.members.contains(where: { $0.id == identity.id }), found.ring.members.first?.id == node else {
            return
        }
        guard let sequence = vote(for: found.ring) else {
            return outputs.append(.send(node, .oneWay, .founded(Founded(agreed: false, ring: nil))))
        }
        let output = NodeOutput.send(node, .oneWay, .founded(Founded(agreed: true, ring: nil)))
        if sequence > gate.durable { gate.hold(.output(output), until: sequence) } else { outputs.append(output) }
    }

    /// A founder has voted, or knows the ring.
    mutating func receive(_ founded: Founded, from node: NodeID) {
        guard ring == nil else { return }
        if let ring = founded.ring { return ring.members.isEmpty ? () : install(ring) }
        guard let proposal = founding.proposal, proposal.members.contains(where: { $0.id == node }) else { return }
        guard founded.agreed else {
            return note(
                .error,
                "\(name(of: node)) has voted for other founders: start all nodes with the same --bootstrap-expect and seeds, or empty its data directory"
            )
        }
        if !founding.votes.contains(node) { founding.votes.append(node) }
        foundIfUnanimous()
    }

    private mutating func foundIfUnanimous() {
        guard ring == nil, founding.votedAt <= gate.durable, let proposal = founding.proposal,
            proposal.members.allSatisfy({ founding.votes.contains($0.id) })
        else { return }
        install(proposal)
        for member in proposal.members where member.id != identity.id {
            outputs.append(.send(member.id, .oneWay, .founded(Founded(agreed: true, ring: proposal))))
        }
    }
}
