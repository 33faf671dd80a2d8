import NodeCore
import StormoClient
import Wire

/// Which partitions of topics have other replicas once a ring is in force. The nodes place them by the same rule: what it
/// would change is what has not moved yet.
enum PartitionMoves {
    /// Partitions whose replicas are not where they should be among `members`.
    static func left(_ topics: [TopicInfo], over members: [RingMember]) -> [PartitionID] {
        let present = topics.flatMap { topic in
            topic.partitions.map { partition in
                PartitionPlacement.Present(
                    id: PartitionID(topic: topic.id, index: partition.index), replicas: partition.replicas,
                    factor: Int(topic.configuration.replicationFactor))
            }
        }.sorted { $0.id < $1.id }
        let places = members.map { PartitionPlacement.Place(node: $0.id, zone: $0.zone) }
        let replicas = Dictionary(present.map { ($0.id, Set($0.replicas)) }) { first, _ in first }
        // Which of the replicas comes first moves nothing.
        return PartitionPlacement.changes(of: present, over: places, movesMax: .max).filter {
            Set($0.replicas) != replicas[$0.id]
        }.map(\.id)
    }

    /// The members that a change leaves.
    static func members(after plan: RingPlan, in cluster: ClusterState) -> [RingMember] {
        plan.shares.filter { $0.after > 0 }.map { share in
            let zone =
                cluster.ring?.allMembers.first { $0.id == share.node }?.zone
                ?? cluster.members.first { $0.identity.id == share.node }?.identity.zone
            return RingMember(id: share.node, name: share.name, address: "", zone: zone ?? "", virtualNodes: 1)
        }
    }

    /// How many are left, in words.
    static func text(_ left: Int) -> String {
        "\(left) \(left == 1 ? "partition" : "partitions") of topics still to move"
    }
}
