package import Wire

/// Where the replicas of partitions should be, so that every node has its part of them and of the reigns, and as little as
/// possible moves. A pure function of what is there: who asks again gets the same, and asks for nothing more once it is so.
package struct PartitionPlacement {
    /// A partition as it is.
    package struct Present: Hashable, Sendable {
        /// Which one.
        package var id: PartitionID
        /// Where its replicas are, or already should be, the preferred primary first.
        package var replicas: [NodeID]
        /// How many there should be, as far as there are nodes.
        package var factor: Int

        /// Puts one together.
        package init(id: PartitionID, replicas: [NodeID], factor: Int) {
            self.id = id
            self.replicas = replicas
            self.factor = factor
        }
    }

    /// A node that may have replicas.
    package struct Place: Hashable, Sendable {
        /// Which one.
        package var node: NodeID
        /// Where it stands; replicas are spread over zones when there are enough.
        package var zone: String

        /// Puts one together.
        package init(node: NodeID, zone: String) {
            self.node = node
            self.zone = zone
        }
    }

    private let places: [Place]
    private var load: [NodeID: Int] = [:]
    private var reigns: [NodeID: Int] = [:]
    private var plan: [[NodeID]] = []

    private init(_ places: [Place]) {
        self.places = places.sorted { $0.node < $1.node }
        for place in places { (load[place.node], reigns[place.node]) = (0, 0) }
    }

    /// The replicas that partitions should have, for those where it is another list than now: at most `movesMax` of them, so
    /// that not everything moves at once.
    package static func changes(
        of partitions: [Present], over places: [Place], movesMax: Int
    ) -> [(id: PartitionID, replicas: [NodeID])] {
        guard !places.isEmpty else { return [] }
        var placement = PartitionPlacement(places)
        for partition in partitions { placement.keep(partition) }
        for (index, partition) in partitions.enumerated() { placement.complete(index, partition) }
        placement.levelReplicas()
        placement.levelReigns()
        var changes: [(id: PartitionID, replicas: [NodeID])] = []
        for (partition, replicas) in zip(partitions, placement.plan) where replicas != partition.replicas {
            changes.append((partition.id, replicas))
            if changes.count == movesMax { break }
        }
        return changes
    }

    /// What can stay.
    private mutating func keep(_ partition: Present) {
        let wanted = min(max(1, partition.factor), places.count)
        let kept = Array(partition.replicas.filter { load[$0] != nil }.prefix(wanted))
        for node in kept { load[node, default: 0] += 1 }
        plan.append(kept)
    }

    /// Fills up what is missing, with those that have least.
    private mutating func complete(_ index: Int, _ partition: Present) {
        let wanted = min(max(1, partition.factor), places.count)
        while plan[index].count < wanted {
            guard let best = candidates(for: index).min(by: { cost($0, index) < cost($1, index) }) else { return }
            plan[index].append(best.node)
            load[best.node, default: 0] += 1
        }
    }

    private func candidates(for index: Int) -> [Place] { places.filter { !plan[index].contains($0.node) } }

    /// A place in a zone that has a replica already comes after all others; then the one with fewest replicas.
    private func cost(_ place: Place, _ index: Int) -> (Int, Int, UInt64) {
        let crowd = plan[index].count { node in !place.zone.isEmpty && zone(of: node) == place.zone }
        return (crowd, load[place.node] ?? 0, place.node.rawValue)
    }

    private func zone(of node: NodeID) -> String { places.first { $0.node == node }?.zone ?? "" }

    /// Moves replicas from those that have most to those that have least, until they differ by no more than one.
    private mutating func levelReplicas() {
        for index in plan.indices {
            guard let most = plan[index].max(by: { (load[$0] ?? 0, $0) < (load[$1] ?? 0, $1) }),
                let place = plan[index].firstIndex(of: most)
            else { continue }
            let others = candidates(for: index).filter { candidate in
                (load[candidate.node] ?? 0) + 1 < (load[most] ?? 0) && keepsZones(index, place, candidate)
            }
            guard let least = others.min(by: { (load[$0.node] ?? 0, $0.node) < (load[$1.node] ?? 0, $1.node) }) else {
                continue
            }
            plan[index][place] = least.node
            load[most, default: 0] -= 1
            load[least.node, default: 0] += 1
        }
    }

    /// Whether as many zones have a replica when the one at `place` goes to `candidate`.
    private func keepsZones(_ index: Int, _ place: Int, _ candidate: Place) -> Bool {
        let before = Set(plan[index].map { zone(of: $0) })
        var moved = plan[index]
        moved[place] = candidate.node
        return Set(moved.map { zone(of: $0) }).count >= before.count
    }

    /// Lets those with most reigns give some to those with fewest among the partition's own replicas.
    private mutating func levelReigns() {
        for replicas in plan { if let first = replicas.first { reigns[first, default: 0] += 1 } }
        for index in plan.indices {
            guard let first = plan[index].first,
                let fewest = plan[index].min(by: { (reigns[$0] ?? 0, $0) < (reigns[$1] ?? 0, $1) }),
                (reigns[fewest] ?? 0) + 1 < (reigns[first] ?? 0), let place = plan[index].firstIndex(of: fewest)
            else { continue }
            plan[index].swapAt(0, place)
            reigns[first, default: 0] -= 1
            reigns[fewest, default: 0] += 1
        }
    }
}
