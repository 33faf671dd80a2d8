/// Which partitions a member of a group should try to take.
struct GroupAssignment: Sendable {
    /// Partitions of the topic.
    var partitions: UInt32
    /// What the member holds already.
    var held: Set<UInt32>

    /// In the order in which to try. A member takes whatever is free: members share a group's work as its partitions
    /// become free, and one member alone reads them all.
    var wanted: [UInt32] { (0..<partitions).filter { !held.contains($0) } }
}
