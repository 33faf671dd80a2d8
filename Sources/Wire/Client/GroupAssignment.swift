import Wire

/// How the partitions of a topic are shared out among the living members of a group. Every member comes to the same shares
/// from the same view, and where views differ for a moment the leases of the partitions decide.
///
/// As much as possible stays where it is: only members that have more than their share give partitions up, and only those
/// are given to somebody. Who gives up what, and who gets it, goes by rendezvous hashing (Thaler, Ravishankar 1998).
struct GroupAssignment: Sendable {
    /// Partitions of the topic.
    var partitions: UInt32
    /// The living members.
    var members: [String]
    /// Who holds which partition at present; partitions that nobody holds are not in it.
    var owners: [UInt32: String]

    /// The partitions that a member should have.
    func share(of member: String) -> Set<UInt32> { shares()[member] ?? [] }

    /// What every living member should have.
    func shares() -> [String: Set<UInt32>] {
        let members = Set(members).sorted()
        guard !members.isEmpty else { return [:] }
        var held: [String: [UInt32]] = [:]
        for (partition, owner) in owners where partition < partitions { held[owner, default: []].append(partition) }
        // Whoever holds most keeps one more when the shares do not come out even.
        let order = members.sorted {
            let (a, b) = (held[$0]?.count ?? 0, held[$1]?.count ?? 0)
            return a == b ? $0 < $1 : a > b
        }
        let each = Int(partitions) / members.count
        let extra = Int(partitions) % members.count
        var room: [String: Int] = [:]
        var shares: [String: Set<UInt32>] = [:]
        for (place, member) in order.enumerated() {
            let quota = each + (place < extra ? 1 : 0)
            let kept = (held[member] ?? []).sorted { Self.rank($0, member) > Self.rank($1, member) }.prefix(quota)
            shares[member] = Set(kept)
            room[member] = quota - kept.count
        }
        let taken = shares.values.reduce(into: Set<UInt32>()) { $0.formUnion($1) }
        for partition in 0..<partitions where !taken.contains(partition) {
            let candidates = members.filter { room[$0] ?? 0 > 0 }
            guard let best = candidates.max(by: { Self.rank(partition, $0) < Self.rank(partition, $1) }) else { break }
            shares[best]?.insert(partition)
            room[best]? -= 1
        }
        return shares
    }

    /// How well a partition fits a member; the name breaks ties.
    private static func rank(_ partition: UInt32, _ member: String) -> Rank {
        Rank(hash: XXH64.hash(Array(member.utf8), seed: UInt64(partition)), member: member, partition: partition)
    }

    private struct Rank: Comparable {
        let hash: UInt64
        let member: String
        let partition: UInt32

        static func < (a: Rank, b: Rank) -> Bool {
            (a.hash, a.member, a.partition) < (b.hash, b.member, b.partition)
        }
    }
}
