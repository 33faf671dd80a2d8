package import Wire

/// An operator's word that a member is to be forgotten, as it travels.
package struct ForgottenMember: Hashable, Sendable {
    /// The member.
    package var id: NodeID
    /// The highest incarnation that the word is about: a member that comes with a higher one is not meant.
    package var incarnation: UInt64
    /// How long ago the word was given, in milliseconds, so that it does not live longer the further it travels.
    package var ageMs: UInt64

    /// Puts the word together.
    package init(id: NodeID, incarnation: UInt64, ageMs: UInt64) {
        self.id = id
        self.incarnation = incarnation
        self.ageMs = ageMs
    }

    /// Bytes that it takes in a message.
    static let encodedCount = 24
}

/// Why a member is not forgotten.
package enum ForgetRefusal: Hashable, Sendable, CustomStringConvertible {
    /// It is the node that was asked.
    case local(name: String)
    /// It is alive, or may be.
    case present(MembershipMember)
    /// Nobody of this id is known.
    case unknown(NodeID)

    /// What was found, what is needed, and what to do.
    package var description: String {
        switch self {
        case .local(let name):
            "\(name) is the node that was asked, and it is alive: only dead members and those that left can be forgotten; "
                + "stop it and ask another node"
        case .present(let member):
            "\(member.identity.name) (\(member.identity.id)) at \(member.identity.address) is \(member.state): only dead "
                + "members and those that left can be forgotten; stop it, or wait until it is known to be dead"
        case .unknown(let id):
            "no member has the id \(id): it was forgotten long ago, or never seen here; look at the members and their ids"
        }
    }
}

/// The words of operators about members that are to be forgotten. Each is kept for a time, so that what others still
/// say of the member's old life does not bring it back. In the order in which they run out.
struct ForgottenMembers: Sendable {
    private struct Word: Sendable {
        let id: NodeID
        let incarnation: UInt64
        let expiryMs: UInt64
    }

    private var words: [Word] = []

    var isEmpty: Bool { words.isEmpty }

    /// The incarnation up to which a member is forgotten; nil when nobody has said so.
    func incarnation(of id: NodeID) -> UInt64? { words.first { $0.id == id }?.incarnation }

    /// Takes in a word; of two about one member the one about the later life holds.
    ///
    /// - Returns: whether it is news.
    mutating func add(_ word: ForgottenMember, keepMs: UInt64, nowMs: UInt64) -> Bool {
        guard word.ageMs < keepMs else { return false }
        if let known = incarnation(of: word.id), known >= word.incarnation { return false }
        remove(word.id)
        let expiryMs = nowMs + keepMs - word.ageMs
        let place = words.firstIndex { $0.expiryMs > expiryMs } ?? words.count
        words.insert(Word(id: word.id, incarnation: word.incarnation, expiryMs: expiryMs), at: place)
        return true
    }

    mutating func remove(_ id: NodeID) { words.removeAll { $0.id == id } }

    /// Drops what has run out, and what is more than `count`.
    ///
    /// - Returns: how many were dropped before their time.
    mutating func trim(to count: Int, nowMs: UInt64) -> Int {
        words.removeFirst(words.prefix { $0.expiryMs <= nowMs }.count)
        let surplus = max(0, words.count - count)
        words.removeFirst(surplus)
        return surplus
    }

    /// All words as they travel, or the one about a member.
    func travelling(keepMs: UInt64, nowMs: UInt64, only id: NodeID? = nil) -> [ForgottenMember] {
        words.filter { id == nil || $0.id == id }.map {
            let leftMs = min(keepMs, $0.expiryMs - min($0.expiryMs, nowMs))
            return ForgottenMember(id: $0.id, incarnation: $0.incarnation, ageMs: keepMs - leftMs)
        }
    }
}

// Forgetting members for good, because an operator says so.
extension Swim {
    /// Whether an operator's word keeps out a member of this id and incarnation.
    func isForgotten(_ identity: PeerIdentity) -> Bool {
        guard let incarnation = forgotten.incarnation(of: identity.id) else { return false }
        return identity.incarnation <= incarnation
    }

    /// The operator's word, given here.
    mutating func forget(_ id: NodeID) {
        let refusal: ForgetRefusal
        switch table[id] {
        case _ where id == local.id: refusal = .local(name: local.name)
        case .some(let member) where member.isPresent: refusal = .present(member)
        case .none where forgotten.incarnation(of: id) == nil: refusal = .unknown(id)
        case .none:
            // It is said again because not everyone has heard it.
            return spread(words(only: id), to: table.members)
        case .some(let member):
            learn(ForgottenMember(id: id, incarnation: member.identity.incarnation, ageMs: 0), from: local.id)
            return spread(words(only: id), to: table.members)
        }
        statistics.forgetsRefused += 1
        outputs.append(.forgetRefused(id, refusal))
    }

    /// Words that came from another member. What is new goes on to a few others; full states bring it to the rest.
    mutating func hear(_ words: [ForgottenMember], from sender: NodeID) {
        var news: [NodeID] = []
        for word in words where learn(word, from: sender) { news.append(word.id) }
        guard !news.isEmpty else { return }
        let spoken = news.flatMap { self.words(only: $0) }
        spread(spoken, to: randomMembers(configuration.gossipFanout) { $0.isPresent && $0.identity.id != sender })
    }

    /// Takes in a word.
    ///
    /// - Returns: whether it is news.
    @discardableResult
    private mutating func learn(_ word: ForgottenMember, from sender: NodeID) -> Bool {
        var word = word
        guard word.id != .none else { return false }
        guard word.id != local.id else {
            // Whoever lives is a member.
            mergeAboutSelf(MembershipUpdate(state: .dead, identity: local.at(word.incarnation), source: sender))
            return false
        }
        let known = table[word.id]
        if let known, known.isPresent, known.identity.incarnation > word.incarnation { return false }
        if let known, !known.isPresent { word.incarnation = max(word.incarnation, known.identity.incarnation) }
        guard forgotten.add(word, keepMs: configuration.forgottenKeepMs, nowMs: nowMs) else { return false }
        trimForgotten()
        if let known, known.isPresent {
            // The operator's node holds it for dead. It may refute; if it does not, its death is its end.
            merge(MembershipUpdate(state: .suspect, identity: known.identity.at(word.incarnation), source: sender))
        } else if let known {
            forgetForGood(known)
        }
        return true
    }

    /// Removes a member that is gone, as an operator has said. Its address is not tried any more unless it is configured.
    mutating func forgetForGood(_ member: MembershipMember) {
        statistics.forgotten += 1
        contacts.removeAll {
            !$0.isSeed && ($0.owner == member.identity.id || $0.address == member.identity.address)
        }
        remove(member)
    }

    /// Drops what is known of a member that is gone.
    mutating func remove(_ member: MembershipMember) {
        table.remove(member.identity.id)
        news.forget(member.identity.id)
        outputs.append(.forgotten(member))
    }

    mutating func trimForgotten() {
        statistics.forgottenDropped += UInt64(forgotten.trim(to: configuration.forgottenMax, nowMs: nowMs))
    }

    /// Sends all words, or the one about a member.
    mutating func sendForgotten(to address: String, only id: NodeID? = nil) {
        guard !forgotten.isEmpty else { return }
        sendExactly(.forget(words(only: id)), to: address, [])
    }

    private func words(only id: NodeID?) -> [ForgottenMember] {
        forgotten.travelling(keepMs: configuration.forgottenKeepMs, nowMs: nowMs, only: id)
    }

    private mutating func spread(_ words: [ForgottenMember], to members: [MembershipMember]) {
        for member in members where member.isPresent && member.identity.id != local.id {
            sendExactly(.forget(words), to: member.identity.address, [])
        }
    }
}

extension PeerIdentity {
    /// The same at another incarnation.
    fileprivate func at(_ incarnation: UInt64) -> PeerIdentity {
        var identity = self
        identity.incarnation = incarnation
        return identity
    }
}
