package import Wire

/// A member as the local node sees it.
package struct MembershipMember: Hashable, Sendable {
    /// Who it is. The incarnation is the highest heard of.
    package var identity: PeerIdentity
    /// How it is.
    package var state: MemberState
    /// When it entered that state, in milliseconds of the monotonic clock that the inputs carry.
    package var sinceMs: UInt64

    /// Puts a member together.
    package init(identity: PeerIdentity, state: MemberState, sinceMs: UInt64) {
        self.identity = identity
        self.state = state
        self.sinceMs = sinceMs
    }

    /// Whether it takes part: alive, or suspect and not yet given up.
    package var isPresent: Bool { state == .alive || state == .suspect }
}

/// Counters of the membership, each growing from 0.
package struct MembershipStatistics: Hashable, Sendable {
    /// Probes begun.
    package var probes: UInt64 = 0
    /// Probes that nobody's answer ended.
    package var probesFailed: UInt64 = 0
    /// Members that this node suspected by its own probes.
    package var suspicions: UInt64 = 0
    /// Members that this node declared dead.
    package var deaths: UInt64 = 0
    /// Times this node raised its incarnation to refute.
    package var refutations: UInt64 = 0
    /// Messages sent.
    package var sent: UInt64 = 0
    /// Messages received and read.
    package var received: UInt64 = 0
    /// Messages that could not be read.
    package var decodeErrors: UInt64 = 0
    /// What was wrong with the last of them.
    package var lastDecodeError: WireError?
    /// Messages whose sender is not who the connection's handshake said, or cannot be a member.
    package var sendersRefused: UInt64 = 0
    /// New members passed over because the table is full (`membersMax`).
    package var membersRefused: UInt64 = 0
    /// Dead or departed members forgotten because of `goneMembersMax`.
    package var membersForgotten: UInt64 = 0
    /// Requests to probe for others passed over because of `relaysMax`.
    package var relaysRefused: UInt64 = 0
    /// Probes passed over because of `probesMax`.
    package var probesRefused: UInt64 = 0
    /// Seeds and known peers passed over because of `seedsMax`.
    package var seedsRefused: UInt64 = 0
    /// Twins reported.
    package var conflicts: UInt64 = 0
    /// Times this node found that it had been paused.
    package var pauses: UInt64 = 0
}

/// All members by id: a sorted array, so that every walk over it is in the same order everywhere.
struct MemberTable: Sendable {
    private(set) var members: [MembershipMember] = []
    /// Members that are alive or suspect.
    private(set) var presentCount = 0

    func index(of id: NodeID) -> Int? {
        let at = position(of: id)
        return at < members.count && members[at].identity.id == id ? at : nil
    }

    subscript(id: NodeID) -> MembershipMember? { index(of: id).map { members[$0] } }

    /// Adds the member or puts it in the place of the one with its id.
    mutating func set(_ member: MembershipMember) {
        let at = position(of: member.identity.id)
        if at < members.count, members[at].identity.id == member.identity.id {
            presentCount -= members[at].isPresent ? 1 : 0
            members[at] = member
        } else {
            members.insert(member, at: at)
        }
        presentCount += member.isPresent ? 1 : 0
    }

    /// Forgets a member.
    mutating func remove(_ id: NodeID) {
        guard let at = index(of: id) else { return }
        presentCount -= members[at].isPresent ? 1 : 0
        members.remove(at: at)
    }

    private func position(of id: NodeID) -> Int {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].identity.id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
