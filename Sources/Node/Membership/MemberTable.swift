import Wire

/// All members by id: a sorted array, so that every walk over it is in the same order everywhere.
struct MemberTable: Sendable {
    private(set) var members: [MembershipMember] = []
    /// The members' ids once more: a search among ids alone stays within few cache lines.
    private var ids: [NodeID] = []
    /// Members that are alive or suspect.
    private(set) var presentCount = 0
    /// Members that are dead or have left.
    var goneCount: Int { members.count - presentCount }

    func index(of id: NodeID) -> Int? {
        let at = position(of: id)
        return at < ids.count && ids[at] == id ? at : nil
    }

    subscript(id: NodeID) -> MembershipMember? { index(of: id).map { members[$0] } }

    /// Where the members begin whose ids are higher.
    func index(afterID id: NodeID) -> Int {
        let at = position(of: id)
        return at < ids.count && ids[at] == id ? at + 1 : at
    }

    func isPresent(_ id: NodeID) -> Bool { index(of: id).map { members[$0].isPresent } ?? false }

    /// Adds the member or puts it in the place of the one with its id.
    mutating func set(_ member: MembershipMember) {
        let at = position(of: member.identity.id)
        if at < ids.count, ids[at] == member.identity.id {
            presentCount -= members[at].isPresent ? 1 : 0
            members[at] = member
        } else {
            ids.insert(member.identity.id, at: at)
            members.insert(member, at: at)
        }
        presentCount += member.isPresent ? 1 : 0
    }

    /// Drops a member.
    mutating func remove(_ id: NodeID) {
        guard let at = index(of: id) else { return }
        presentCount -= members[at].isPresent ? 1 : 0
        ids.remove(at: at)
        members.remove(at: at)
    }

    private func position(of id: NodeID) -> Int {
        var low = 0
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
