import Wire

/// How simulator processes share a fleet: drones are spread over slots, slots over the live processes.
package enum FleetShare {
    /// The slot of a drone.
    package static func slot(of droneID: String, slots: Int) -> Int {
        Int(XXH64.hash(Array(droneID.utf8)) % UInt64(max(1, slots)))
    }

    /// The slots that fall to `owner` among the live processes, by rendezvous hashing (Thaler and Ravishankar 1998):
    /// when a process comes or goes only the slots that must move do.
    package static func slots(of owner: String, among live: [String], slots: Int) -> [Int] {
        let names = Set(live).union([owner]).sorted()
        return (0..<slots).filter { slot in
            var best = owner
            var bestWeight: UInt64 = 0
            for name in names {
                let weight = XXH64.hash(Array("\(slot)/\(name)".utf8))
                if name == names.first || weight > bestWeight {
                    best = name
                    bestWeight = weight
                }
            }
            return best == owner
        }
    }
}
