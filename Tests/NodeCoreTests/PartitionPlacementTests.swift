import NodeCore
import Testing
import Wire

/// Where replicas should be.
@Suite struct PartitionPlacementTests {
    private func places(_ nodes: [UInt64], zones: [String] = [""]) -> [PartitionPlacement.Place] {
        nodes.enumerated().map { .init(node: NodeID($1), zone: zones[$0 % zones.count]) }
    }

    private func partitions(_ count: Int, on nodes: [UInt64], factor: Int = 3) -> [PartitionPlacement.Present] {
        (0..<count).map { index in
            let turn = index % max(1, nodes.count)
            let order = nodes[turn...] + nodes[..<turn]
            return PartitionPlacement.Present(
                id: PartitionID(topic: TopicID(1), index: UInt32(index)),
                replicas: order.prefix(factor).map { NodeID($0) },
                factor: factor)
        }
    }

    /// The partitions after all changes, step by step.
    private func settled(
        _ present: [PartitionPlacement.Present], over places: [PartitionPlacement.Place], movesMax: Int = 1_000
    ) -> (partitions: [PartitionPlacement.Present], moved: Int) {
        var partitions = present
        var moved = 0
        for _ in 0..<200 {
            let changes = PartitionPlacement.changes(of: partitions, over: places, movesMax: movesMax)
            if changes.isEmpty { return (partitions, moved) }
            for change in changes {
                guard let index = partitions.firstIndex(where: { $0.id == change.id }) else { continue }
                moved += change.replicas.count { !partitions[index].replicas.contains($0) }
                partitions[index].replicas = change.replicas
            }
        }
        Issue.record("the placement never settles")
        return (partitions, moved)
    }

    private func counts(_ nodes: some Sequence<NodeID>) -> [NodeID: Int] {
        nodes.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test func whatIsWellSpreadStays() {
        let present = partitions(9, on: [1, 2, 3])
        #expect(PartitionPlacement.changes(of: present, over: places([1, 2, 3]), movesMax: 100).isEmpty)
    }

    @Test func aNodeThatGoesIsReplacedEverywhere() {
        let present = partitions(12, on: [1, 2, 3, 4])
        let (after, moved) = settled(present, over: places([1, 2, 4]), movesMax: 3)
        #expect(after.allSatisfy { Set($0.replicas.map(\.rawValue)) == [1, 2, 4] })
        #expect(moved == 9, "a replica for each that was on the node")
        let reigns = counts(after.compactMap(\.replicas.first))
        #expect(reigns.values.allSatisfy { $0 == 4 }, "\(reigns)")
    }

    @Test func aNewNodeGetsItsPart() {
        let present = partitions(16, on: [1, 2, 3])
        let (after, moved) = settled(present, over: places([1, 2, 3, 4]))
        let load = counts(after.flatMap(\.replicas))
        #expect(load.values.allSatisfy { (11...13).contains($0) }, "\(load)")
        #expect(moved <= 13, "no more than the new node's part moves")
        let reigns = counts(after.compactMap(\.replicas.first))
        #expect((reigns.values.max() ?? 0) - (reigns.values.min() ?? 0) <= 2, "\(reigns)")
    }

    @Test func theNumberOfCopiesFollowsTheFactor() {
        var present = partitions(6, on: [1, 2, 3])
        for index in present.indices { present[index].factor = 2 }
        let (fewer, _) = settled(present, over: places([1, 2, 3]))
        #expect(fewer.allSatisfy { $0.replicas.count == 2 })
        for index in present.indices { present[index].factor = 5 }
        let (more, _) = settled(present, over: places([1, 2, 3, 4]))
        #expect(more.allSatisfy { Set($0.replicas).count == 4 }, "as far as there are nodes")
        #expect(PartitionPlacement.changes(of: present, over: [], movesMax: 9).isEmpty)
    }

    @Test func zonesEachHaveACopy() {
        let zones = ["a", "b", "c"]
        let (after, _) = settled(partitions(12, on: [1, 4, 2]), over: places([1, 2, 3, 4, 5, 6], zones: zones))
        func zone(_ node: NodeID) -> String { zones[Int(node.rawValue - 1) % 3] }
        // Copies that stand in one zone already may stay there; what moves does not make it worse.
        for partition in after { #expect(Set(partition.replicas.map(zone)).count >= 2) }
        let (fresh, _) = settled(partitions(12, on: []), over: places([1, 2, 3, 4, 5, 6], zones: zones))
        for partition in fresh { #expect(Set(partition.replicas.map(zone)) == Set(zones)) }
    }
}
