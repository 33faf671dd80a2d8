/// A change of a drone's status that the dispatcher makes for the fleet's sake.
package struct DroneOrder: Sendable, Hashable {
    /// The drone's id.
    package var droneID: String
    /// Its new status.
    package var status: DroneStatus

    /// Makes an order.
    package init(droneID: String, status: DroneStatus) {
        self.droneID = droneID
        self.status = status
    }
}

/// How many drones are awake, by class, and which of them charge.
package struct FleetSize: Sendable {
    private let settings: FleetSettings
    private let assignment: Assignment

    /// Makes the rule for a fleet over a city.
    package init(settings: FleetSettings, city: City) {
        self.settings = settings
        assignment = Assignment(settings: settings, city: city)
    }

    /// Idle drones that go charging: all under the low mark, and for each delivery that waits for nothing but energy
    /// one.
    ///
    /// The second rule keeps a delivery from waiting for ever while every idle drone is above the mark and too low for
    /// it. A drone that charges already and will be able to fly it counts, so a waiting delivery sends one drone, not
    /// all.
    /// - Parameters:
    ///   - drones: the fleet, in a fixed order.
    ///   - waiting: demands that found no drone in this round.
    package func charging(_ drones: [Drone], waiting: [DeliveryDemand]) -> [DroneOrder] {
        var orders: [DroneOrder] = []
        var spare: [Drone] = []
        var coming: [Drone] = []
        for drone in drones where drone.battery > 0 || drone.isAtCharge {
            if drone.status == .idle && drone.battery < settings.lowBatteryPercent {
                orders.append(DroneOrder(droneID: drone.id, status: .charging))
                coming.append(charged(drone))
            } else if drone.status == .charging {
                coming.append(charged(drone))
            } else if drone.status == .idle && drone.battery < settings.chargedPercent {
                spare.append(charged(drone))
            }
        }
        var isComingTaken = [Bool](repeating: false, count: coming.count)
        var isSpareTaken = [Bool](repeating: false, count: spare.count)
        for demand in waiting {
            if let choice = assignment.choose(among: coming, for: demand, isFree: { !isComingTaken[$0] }) {
                isComingTaken[choice.index] = true
            } else if let choice = assignment.choose(among: spare, for: demand, isFree: { !isSpareTaken[$0] }) {
                isSpareTaken[choice.index] = true
                orders.append(DroneOrder(droneID: spare[choice.index].id, status: .charging))
            }
        }
        return orders
    }

    /// The drone as it will be once charged.
    private func charged(_ drone: Drone) -> Drone {
        var drone = drone
        drone.battery = settings.chargedPercent
        return drone
    }

    /// Inactive drones to wake: for each demand that has waited long enough the one with the soonest pick-up.
    /// - Parameters:
    ///   - drones: the fleet, in a fixed order.
    ///   - waiting: demands without a drone, each with the milliseconds it has waited, longest first.
    package func waking(_ drones: [Drone], waiting: [(demand: DeliveryDemand, waitedMs: Int64)]) -> [DroneOrder] {
        let inactive = drones.filter { $0.status == .inactive }
        var isTaken = [Bool](repeating: false, count: inactive.count)
        var orders: [DroneOrder] = []
        for (demand, waitedMs) in waiting where waitedMs >= settings.wakeAfterMs {
            guard let choice = assignment.choose(among: inactive, for: demand, isFree: { !isTaken[$0] }) else {
                continue
            }
            isTaken[choice.index] = true
            orders.append(DroneOrder(droneID: inactive[choice.index].id, status: .idle))
        }
        return orders
    }

    /// Surplus idle drones to retire: unused for the quiet time, longest first, leaving each class its minimum awake.
    ///
    /// An idle drone's document does not change while it waits, so `updatedAtMs` is when it was last needed.
    package func retiring(_ drones: [Drone], nowMs: Int64) -> [DroneOrder] {
        var orders: [DroneOrder] = []
        for type in DroneClass.allCases {
            let idle = drones.filter { $0.type == type && $0.status == .idle }
            let spare = idle.count - settings.minimumAwakePerClass
            guard spare > 0 else { continue }
            let quiet = idle.filter { nowMs - $0.updatedAtMs >= settings.quietBeforeRetiringMs }
                .sorted { ($0.updatedAtMs, $0.id) < ($1.updatedAtMs, $1.id) }
            for drone in quiet.prefix(min(spare, settings.retiredPerRound - orders.count)) {
                orders.append(DroneOrder(droneID: drone.id, status: .retiring))
            }
        }
        return orders
    }
}
