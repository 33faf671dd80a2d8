import Wire

/// An address that is tried until a live member is known to stand behind it.
struct Contact: Sendable {
    let address: String
    /// Who answered there last; a seed's address may be another name for a member's.
    var owner: NodeID?
    /// The sequence of the last pull sent there.
    var sequence: UInt32 = 0

    init(address: String) { self.address = address }
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
            sendExactly(.state(sequence: 0, wantsAnswer: true), to: member.identity.address, fullState())
        }
    }

    /// Tries the seeds and known peers behind which no live member is known. Only a small pull is sent until somebody
    /// answers.
    mutating func tryContacts() {
        for index in contacts.indices where !isReached(contacts[index]) {
            let sequence = nextSequence()
            contacts[index].sequence = sequence
            sendExactly(.pull(sequence: sequence), to: contacts[index].address, [])
        }
    }

    private func isReached(_ contact: Contact) -> Bool {
        if let owner = contact.owner, let member = table[owner], member.isPresent { return true }
        return table.members.contains { $0.isPresent && $0.identity.address == contact.address }
    }

    /// Remembers who stands behind a contact, from the answer to the pull that was sent there.
    mutating func contactAnswered(sequence: UInt32, by id: NodeID) {
        guard sequence != 0, let index = contacts.firstIndex(where: { $0.sequence == sequence }) else { return }
        contacts[index].owner = id
    }

    /// Tries the next of the dead, in the order of their ids: it may only have been cut off.
    mutating func tryNextDead() {
        let dead = table.members.filter { $0.state == .dead }.map(\.identity)
        guard let next = dead.first(where: { $0.id > lastDeadTried }) ?? dead.first else { return }
        lastDeadTried = next.id
        sendExactly(.pull(sequence: nextSequence()), to: next.address, [])
    }
}
