import Testing

@testable import StormoClient

/// Who reads what.
@Suite struct GroupAssignmentTests {
    private func members(_ count: Int) -> [String] { (0..<count).map { "member \($0)" } }

    private func owners(_ shares: [String: Set<UInt32>]) -> [UInt32: String] {
        var owners: [UInt32: String] = [:]
        for (member, share) in shares { for partition in share { owners[partition] = member } }
        return owners
    }

    @Test(arguments: [(1, 1), (1, 7), (3, 8), (8, 64), (5, 3), (7, 1_000)])
    func everyPartitionHasOneMemberAndSharesAreEven(count: Int, partitions: Int) {
        let assignment = GroupAssignment(partitions: UInt32(partitions), members: members(count), owners: [:])
        let shares = assignment.shares()
        #expect(shares.count == count)
        #expect(owners(shares).count == partitions)
        #expect(shares.values.reduce(0) { $0 + $1.count } == partitions)
        let sizes = shares.values.map(\.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
    }

    @Test func whatIsSharedEvenlyStays() {
        let first = GroupAssignment(partitions: 64, members: members(8), owners: [:]).shares()
        let again = GroupAssignment(partitions: 64, members: members(8).reversed(), owners: owners(first)).shares()
        #expect(again == first)
    }

    /// 8 members and 64 partitions: one dies, and later one comes.
    @Test func onlyWhatMustMoveMoves() {
        let first = GroupAssignment(partitions: 64, members: members(8), owners: [:]).shares()
        let left = members(8).filter { $0 != "member 3" }
        var present = owners(first)
        for partition in first["member 3"] ?? [] { present[partition] = nil }
        let second = GroupAssignment(partitions: 64, members: left, owners: present).shares()
        for (member, share) in first where member != "member 3" {
            #expect(share.isSubset(of: second[member] ?? []), "\(member) gives something up")
        }
        // The lease of the dead one may still run when it is missed already: nobody else moves meanwhile either.
        let early = GroupAssignment(partitions: 64, members: left, owners: owners(first)).shares()
        for (member, share) in first where member != "member 3" {
            #expect(share.isSubset(of: early[member] ?? []), "\(member) gives something up")
        }
        let third = GroupAssignment(partitions: 64, members: members(8), owners: owners(second)).shares()
        let moved = owners(third).filter { owners(second)[$0.key] != $0.value }
        #expect(moved.count == 8 && moved.values.allSatisfy { $0 == "member 3" })
    }

    @Test func partitionsThatAreAddedAreShared() {
        let first = GroupAssignment(partitions: 4, members: members(3), owners: [:]).shares()
        let more = GroupAssignment(partitions: 9, members: members(3), owners: owners(first)).shares()
        for (member, share) in first { #expect(share.isSubset(of: more[member] ?? [])) }
        #expect(more.values.allSatisfy { $0.count == 3 })
    }

    @Test func ownersOfPartitionsThatAreNotThereDoNotCount() {
        let shares = GroupAssignment(partitions: 2, members: ["a", "b"], owners: [5: "a", 0: "gone"]).shares()
        #expect(Set(shares.values.flatMap { $0 }) == [0, 1] && shares.values.allSatisfy { $0.count == 1 })
        #expect(GroupAssignment(partitions: 2, members: [], owners: [:]).shares().isEmpty)
    }
}
