package import FleetRules
import StormoClient
import Wire

/// How a new fleet is made up.
package struct FleetPlan: Sendable, Hashable {
    /// How many drones.
    package var drones: Int
    /// Shares of light, medium and heavy drones; they need not add up to 1.
    package var shares: [DroneClass: Double] = [.light: 0.5, .medium: 0.3, .heavy: 0.2]
    /// What they do at first.
    package var status = DroneStatus.idle
    /// The same seed places the same drones at the same places.
    package var seed: UInt64 = 1

    /// A fleet of so many drones.
    package init(drones: Int) {
        self.drones = drones
    }

    /// The drones, fully charged, at random places of the city's zones.
    package func make(city: City, nowMs: Int64) -> [Drone] {
        var generator = SplitMix64(seed: seed)
        let source = OrderSource(city: city, weights: .marketplace, maxWeightKg: 1)
        let total = max(shares.values.reduce(0) { $0 + max(0, $1) }, .leastNormalMagnitude)
        var owed: [Double] = Array(repeating: 0, count: DroneClass.allCases.count)
        return (0..<max(0, drones)).map { number in
            // The class that is furthest behind its share comes next, so that any prefix of the fleet is mixed alike.
            for (place, type) in DroneClass.allCases.enumerated() { owed[place] += max(0, shares[type] ?? 0) / total }
            let next = owed.indices.max { owed[$0] < owed[$1] } ?? 0
            owed[next] -= 1
            let digits = String(number + 1)
            return Drone(
                id: "d" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits,
                type: DroneClass.allCases[next], status: status, battery: 100,
                position: PositionDocument(source.place(using: &generator)).point, updatedAtMs: nowMs)
        }
    }
}

/// What `drones_index` holds.
private struct DronesIndex: Codable {
    /// How many drones are being registered; absent once all are.
    var registering: Int?
    /// The ids, at most ``FleetStore/indexedDronesMax``.
    var ids: [String]
}

extension FleetStore {
    /// Most ids in `drones_index`.
    package static var indexedDronesMax: Int { 10_000 }

    /// Registers a fleet on a cluster that has none.
    ///
    /// Any number of processes may do so at once, and one that dies halfway is carried on by the next: the drones of a
    /// plan are the same whoever makes them, and each is stored only when it does not exist.
    /// - Returns: how many drones this call stored; 0 when the cluster had a fleet.
    package func registerFleet(_ plan: FleetPlan, concurrency: Int = 256) async throws(FleetStoreError) -> Int {
        let key = FleetNames.dronesIndex
        var plan = plan
        let stored = try await get(key)
        let index = stored.flatMap { try? FleetJSON.decode(DronesIndex.self, from: $0.value, key: key.description) }
        if let begun = index?.registering {
            plan.drones = begun
        } else {
            guard plan.drones > 0, try await scan(prefix: FleetNames.dronePrefix, after: [], limit: 1).items.isEmpty
            else { return 0 }
            let mark = DronesIndex(registering: plan.drones, ids: [])
            let condition = stored.map { Condition.version($0.version) } ?? .absent
            let outcome = try await replace(key, condition, with: FleetJSON.encode(mark), value: mark) {
                found throws(DocumentError) in
                try FleetJSON.decode(DronesIndex.self, from: found.value, key: key.description)
            }
            switch outcome {
            case .applied: break
            case .refused(let found):
                guard let begun = found?.value.registering else { return 0 }
                plan.drones = begun
            }
        }
        let drones = plan.make(city: try await zones(), nowMs: nowMs())
        let made = try await register(drones, concurrency: concurrency)
        let done = DronesIndex(registering: nil, ids: drones.prefix(Self.indexedDronesMax).map(\.id))
        do {
            try await cluster.put(key, FleetJSON.encode(done), ttlMs: nil, consistency: .quorum)
        } catch {
            throw .cluster(error)
        }
        return made
    }

    private func register(_ drones: [Drone], concurrency: Int) async throws(FleetStoreError) -> Int {
        do {
            return try await withThrowingTaskGroup(of: Int.self) { group in
                let workers = max(1, min(concurrency, drones.count))
                for worker in 0..<workers {
                    group.addTask {
                        var made = 0
                        for place in stride(from: worker, to: drones.count, by: workers) {
                            if case .applied = try await self.registerDrone(drones[place]) { made += 1 }
                        }
                        return made
                    }
                }
                return try await group.reduce(0, +)
            }
        } catch {
            throw Self.storeError(error)
        }
    }
}
