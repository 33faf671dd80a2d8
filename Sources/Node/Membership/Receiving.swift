import Wire

// What a message from another node causes.
extension Swim {
    mutating func receive(from peer: NodeID?, _ bytes: [UInt8]) {
        let message: MembershipMessage
        do throws(WireError) { message = try MembershipMessage(bytes) } catch {
            statistics.decodeErrors += 1
            statistics.lastDecodeError = error
            return
        }
        let sender = message.sender
        guard canBeMember(sender), peer == nil || peer == sender.id else {
            statistics.sendersRefused += 1
            return
        }
        statistics.received += 1
        guard sender.id != local.id else {
            heardOwnID(message)
            return
        }
        if hasOurName(sender) { reportTwin(sender) }

        let incarnation = local.incarnation
        tellIfForgotten(sender)
        merge(MembershipUpdate(state: .alive, identity: sender, source: sender.id))
        var isState = false
        if case .state = message.content { isState = true }
        for update in message.updates { merge(update, fromState: isState) }

        guard !answer(message) else { return }
        // Never correct a correction: two nodes that cannot settle what they hold of each other would go on for ever.
        let isCorrection = message.content == .gossip && message.updates.contains { $0.identity.id == local.id }
        if local.incarnation != incarnation || (needsTelling(sender) && !isCorrection) {
            send(.gossip, to: sender.address, first: correction(of: sender))
        }
    }

    /// A node needs an id to be told apart and an address to be probed.
    func canBeMember(_ identity: PeerIdentity) -> Bool { identity.id != .none && !identity.address.isEmpty }

    /// Acts on the content.
    ///
    /// - Returns: whether the sender got a message back.
    private mutating func answer(_ message: MembershipMessage) -> Bool {
        let sender = message.sender
        switch message.content {
        case .ping(let sequence, let target):
            // A ping for the former owner of this address must not make that one look alive.
            let content: MembershipMessage.Content =
                target == local.id ? .ack(sequence: sequence, subject: target) : .gossip
            send(content, to: sender.address, first: correction(of: sender))
            return true
        case .ack(let sequence, let subject):
            acknowledged(sequence: sequence, subject: subject)
            return false
        case .pingRequest(let sequence, let target, let address):
            relay(sequence: sequence, to: target, at: address, for: sender.address)
            return false
        case .nack(let sequence):
            refusedByHelper(sequence: sequence)
            return false
        case .gossip:
            return false
        case .pull(let sequence):
            sendState(sequence: sequence, wantsAnswer: true, to: sender.address)
            return true
        case .state(let sequence, let wantsAnswer):
            contactAnswered(sequence: sequence, by: sender.id)
            guard wantsAnswer else { return false }
            sendState(sequence: 0, wantsAnswer: false, to: sender.address)
            return true
        case .forget(let words):
            hear(words, from: sender.id)
            return false
        }
    }

    /// Lets a peer know that an operator has declared it gone, so that it can come back under a higher incarnation.
    private mutating func tellIfForgotten(_ peer: PeerIdentity) {
        if isForgotten(peer) { sendForgotten(to: peer.address, only: peer.id) }
    }

    /// Whether the peer does not know what is said of it here: that it is not alive, or that it has been heard of with a
    /// higher incarnation. It must hear that from whoever it talks to, or it could not refute.
    private func needsTelling(_ peer: PeerIdentity) -> Bool {
        guard let index = table.index(of: peer.id) else { return false }
        return table.members[index].state != .alive || table.members[index].identity.incarnation > peer.incarnation
    }

    private func correction(of peer: PeerIdentity) -> [MembershipUpdate] {
        guard needsTelling(peer), let member = table[peer.id] else { return [] }
        return [update(about: member)]
    }

    /// A message that bears the local node's id: its own, come back through a seed's other name, or a twin's.
    private mutating func heardOwnID(_ message: MembershipMessage) {
        guard message.sender.address == local.address else {
            reportTwin(message.sender)
            return
        }
        if case .pull(let sequence) = message.content { contactAnswered(sequence: sequence, by: local.id) }
    }

    mutating func connected(_ identity: PeerIdentity, address: String) {
        for index in contacts.indices where contacts[index].address == address { contacts[index].owner = identity.id }
        guard canBeMember(identity) else { return }
        guard identity.id != local.id else {
            if identity.address != local.address { reportTwin(identity) }
            return
        }
        if hasOurName(identity) { reportTwin(identity) }
        let wasPresent = table.isPresent(identity.id)
        tellIfForgotten(identity)
        merge(MembershipUpdate(state: .alive, identity: identity, source: identity.id))
        if !wasPresent {
            send(.pull(sequence: nextSequence()), to: identity.address, first: correction(of: identity))
        }
    }
}
