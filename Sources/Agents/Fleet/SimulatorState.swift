package import FleetRules

/// The drones a simulator process flies, as a value: it is told what the cluster holds and says which writes are due.
package struct SimulatorState: Sendable {
    /// A write that is due: the drone as it was read and as it flies on.
    package struct Move: Sendable, Hashable {
        /// The drone as it is in the cluster.
        package var old: Versioned<Drone>
        /// The drone now.
        package var new: Drone
        /// Milliseconds of flight that `new` is ahead of `old`, in simulated time.
        package var milliseconds: Int64
        /// What happened meanwhile.
        package var events: [DroneEvent]
    }

    private struct Entry {
        var stored: Versioned<Drone>
        /// Up to when it has been flown, by the steady clock, ms.
        var flownToMs: Int64
        /// Whether the version is known to be stale: it is read again before the next move.
        var isStale = false
    }

    private let motion: DroneMotion
    private let speedFactor: Double
    private let slotCount: Int
    private var ownedSlots: [Bool]
    private var entries: [Entry] = []
    private var places: [String: Int] = [:]

    /// Flies nothing yet.
    /// - Parameters:
    ///   - speedFactor: simulated milliseconds in one real one.
    ///   - slots: into how many shares the fleet is divided, the same for all processes.
    package init(settings: FleetSettings, city: City, speedFactor: Double, slots: Int) {
        motion = DroneMotion(settings: settings, city: city)
        self.speedFactor = speedFactor
        slotCount = max(1, slots)
        ownedSlots = Array(repeating: false, count: slotCount)
    }

    /// Drones being flown.
    package var count: Int { entries.count }

    /// The drone as last seen; nil for one that is not flown here.
    package func drone(_ id: String) -> Drone? { places[id].map { entries[$0].stored.value } }

    /// Whether a drone falls to this process.
    package func owns(_ droneID: String) -> Bool {
        ownedSlots[FleetShare.slot(of: droneID, slots: slotCount)]
    }

    /// Takes a slot; its drones come by ``see(_:nowMs:)``.
    package mutating func own(slot: Int) {
        ownedSlots[slot] = true
    }

    /// Gives a slot up, and its drones.
    package mutating func disown(slot: Int) {
        ownedSlots[slot] = false
        entries.removeAll { FleetShare.slot(of: $0.stored.value.id, slots: slotCount) == slot }
        rebuildPlaces()
    }

    /// Takes in a drone as it is in the cluster; older versions and others' drones are passed over.
    ///
    /// Time counts for a drone from the moment it is first seen, and while it flies; one that stood still begins its
    /// flight when its new state is seen.
    package mutating func see(_ drone: Versioned<Drone>, nowMs: Int64) {
        guard owns(drone.value.id) else { return }
        guard let place = places[drone.value.id] else {
            places[drone.value.id] = entries.count
            entries.append(Entry(stored: drone, flownToMs: nowMs))
            return
        }
        guard drone.version > entries[place].stored.version || entries[place].isStale else { return }
        if Self.isAtRest(entries[place].stored.value) { entries[place].flownToMs = nowMs }
        entries[place].stored = drone
        entries[place].isStale = false
    }

    /// A drone that a listing did not find.
    package mutating func gone(_ droneID: String) {
        guard let place = places[droneID] else { return }
        entries.remove(at: place)
        rebuildPlaces()
    }

    /// The writes that are due now, in the order the drones were first seen.
    package func moves(nowMs: Int64) -> [Move] {
        var moves: [Move] = []
        for entry in entries where !entry.isStale && !Self.isAtRest(entry.stored.value) {
            let milliseconds = simulated(nowMs - entry.flownToMs)
            guard let move = self.move(entry.stored, milliseconds: milliseconds) else { continue }
            moves.append(move)
        }
        return moves
    }

    /// The same flight from another starting state: what to write when somebody else wrote first. Nil when that state
    /// does not fly.
    package func move(_ stored: Versioned<Drone>, milliseconds: Int64) -> Move? {
        guard milliseconds > 0 else { return nil }
        let (new, events) = motion.step(stored.value, milliseconds: milliseconds)
        return new == stored.value ? nil : Move(old: stored, new: new, milliseconds: milliseconds, events: events)
    }

    /// A move was written.
    package mutating func written(_ drone: Versioned<Drone>, at nowMs: Int64) {
        guard let place = places[drone.value.id] else { return }
        entries[place].stored = drone
        entries[place].flownToMs = nowMs
        entries[place].isStale = false
    }

    /// A move's outcome is not known: the drone is left alone until it has been read again.
    ///
    /// Its time is taken as flown: a drone that pauses is better than one that flies the same second twice.
    package mutating func unknown(_ droneID: String, at nowMs: Int64) {
        guard let place = places[droneID] else { return }
        entries[place].isStale = true
        entries[place].flownToMs = nowMs
    }

    /// The drones that must be read again before they move.
    package var staleIDs: [String] { entries.filter(\.isStale).map(\.stored.value.id) }

    /// The ids of all drones flown here.
    package var droneIDs: [String] { entries.map(\.stored.value.id) }

    /// Whether a drone has nothing to fly or charge; it needs no write.
    package static func isAtRest(_ drone: Drone) -> Bool {
        guard drone.altitudeM <= 0 else { return false }
        switch drone.status {
        case .inactive, .idle: return true
        case .busy: return drone.mission == nil || drone.mission?.stage == .arrived
        case .charging, .retiring: return false
        }
    }

    private func simulated(_ realMs: Int64) -> Int64 {
        Int64((Double(max(0, realMs)) * speedFactor).rounded())
    }

    private mutating func rebuildPlaces() {
        places.removeAll(keepingCapacity: true)
        for (place, entry) in entries.enumerated() { places[entry.stored.value.id] = place }
    }
}
