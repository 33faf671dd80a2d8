import Wire

/// An address that is tried until a live member is known to stand behind it.
struct Contact: Sendable {
    let address: String
    /// Who answered there last; a seed's address may be another name for a member's.
    var owner: NodeID?
    /// The sequence of the last pull sent there.
    var sequence: UInt32 = 0
    /// Configured, and not a member of an earlier run.
    let isSeed: Bool

    init(address: String, isSeed: Bool) {
        self.address = address
        self.isSeed = isSeed
    }
}

// Spreading what is known: gossip, full states, and the search for those out of reach.
extension Swim {
    /// Whether there is news and somebody to tell it to.
    var hasNewsToSend: Bool { !news.isEmpty && table.presentCount > 1 }

    /// Sends news to random members.
    mutating func gossip() {
        for member in randomMembers(configuration.gossipFanout, where: { $0.isPresent }) where !news.isEmpty {
            send(.gossip, to: member.identity.address)
        }
    }

    /// All that is known, as it is sent whole.
    func fullState() -> [MembershipUpdate] { table.members.map { update(about: $0) } }

    /// Exchanges full states with a random member.
    mutating func exchangeState() {
        for member in randomMembers(1, where: { $0.state == .alive }) {
            sendState(sequence: 0, wantsAnswer: true, to: member.identity.address)
        }
    }

    /// Sends all that is known, with what operators said about those that are not to be known any more.
    mutating func sendState(sequence: UInt32, wantsAnswer: Bool, to address: String) {
        sendExactly(.state(sequence: sequence, wantsAnswer: wantsAnswer), to: address, fullState())
        sendForgotten(to: address)
    }

    /// Tries the seeds and known peers behind which no live member is known. Only a small pull is sent until somebody
    /// answers.
    mutating func tryContacts() {
        for index in contacts.indices where !isReached(index) {
            let sequence = nextSequence()
            contacts[index].sequence = sequence
            sendExactly(.pull(sequence: sequence), to: contacts[index].address, [])
        }
    }

    private mutating func isReached(_ index: Int) -> Bool {
        if let owner = contacts[index].owner, table.isPresent(owner) { return true }
        let address = contacts[index].address
        guard let member = table.members.first(where: { $0.isPresent && $0.identity.address == address }) else {
            return false
        }
        contacts[index].owner = member.identity.id
        return true
    }

    /// Remembers who stands behind a contact, from the answer to the pull that was sent there.
    mutating func contactAnswered(sequence: UInt32, by id: NodeID) {
        guard sequence != 0, let index = contacts.firstIndex(where: { $0.sequence == sequence }) else { return }
        contacts[index].owner = id
    }

    /// Tries the next of the dead, in the order of their ids: it may only have been cut off. Those whose address has
    /// passed to another member are not there.
    mutating func tryNextDead() {
        guard table.goneCount > 0 else { return }
        let isNext: (MembershipMember) -> Bool = { [table] member in
            member.state == .dead
                && !table.members.contains { $0.isPresent && $0.identity.address == member.identity.address }
        }
        let last = table.index(afterID: lastDeadTried)
        guard let next = table.members[last...].first(where: isNext) ?? table.members[..<last].first(where: isNext)
        else { return }
        lastDeadTried = next.identity.id
        sendExactly(.pull(sequence: nextSequence()), to: next.identity.address, [])
    }
}
