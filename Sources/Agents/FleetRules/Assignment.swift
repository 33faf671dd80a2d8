/// What a delivery asks of a drone.
package struct DeliveryDemand: Sendable, Hashable {
    /// Where the parcel is picked up.
    package var origin: GeoPoint
    /// Where it is dropped off.
    package var destination: GeoPoint
    /// The parcel's weight, kilograms.
    package var weightKg: Double

    /// Makes a demand from its parts.
    package init(origin: GeoPoint, destination: GeoPoint, weightKg: Double) {
        self.origin = origin
        self.destination = destination
        self.weightKg = weightKg
    }

    /// The demand of a delivery.
    package init(_ delivery: Delivery) {
        self.init(origin: delivery.origin, destination: delivery.destination, weightKg: delivery.weightKg)
    }
}

/// Why a drone cannot take a delivery.
package enum Unfit: Error, Sendable, Hashable {
    /// The parcel weighs more than the class carries.
    case tooHeavy
    /// The mission needs more than the battery holds; a full battery would do.
    case needsCharge
    /// Not even a full battery would do from where the drone is.
    case tooFar
    /// The city has no charge point to end the mission at.
    case noChargePoint
}

/// What a mission would take of a drone.
package struct MissionEstimate: Sendable, Hashable {
    /// From now to the landing at the pick-up, milliseconds.
    package var pickUpMs: Double
    /// From now to the landing at the drop-off, milliseconds.
    package var dropOffMs: Double
    /// Percent of the battery, up to the charge point nearest the drop-off, without the reserve.
    package var percent: Double
}

/// Which drone carries which delivery: feasibility and choice.
package struct Assignment: Sendable {
    private let settings: FleetSettings
    private let energy: EnergyModel
    private let city: City

    /// Makes the rule for a fleet over a city.
    package init(settings: FleetSettings, city: City) {
        self.settings = settings
        energy = EnergyModel(settings)
        self.city = city
    }

    /// What the mission would take of this drone from where it is, or why it cannot fly it.
    ///
    /// Energy counts the empty leg to the origin, the loaded one to the destination and the empty one on to the nearest
    /// charge point; after all three the reserve must be left.
    package func estimate(_ drone: Drone, _ demand: DeliveryDemand) -> Result<MissionEstimate, Unfit> {
        guard let charge = city.nearestChargePoint(to: demand.destination) else { return .failure(.noChargePoint) }
        guard demand.weightKg <= settings.profile(of: drone.type).payloadLimitKg else { return .failure(.tooHeavy) }
        return estimate(
            drone, demand, emptyM: drone.position.distance(to: demand.origin),
            loadedM: demand.origin.distance(to: demand.destination), homeM: charge.distanceM)
    }

    /// The same for a drone whose class carries the weight, with the lengths of the three legs in metres.
    private func estimate(
        _ drone: Drone, _ demand: DeliveryDemand, emptyM: Double, loadedM: Double, homeM: Double
    ) -> Result<MissionEstimate, Unfit> {
        let empty = energy.leg(drone.type, distanceM: emptyM, payloadKg: 0, altitudeM: drone.altitudeM)
        let loaded = energy.leg(drone.type, distanceM: loadedM, payloadKg: demand.weightKg)
        let home = energy.leg(drone.type, distanceM: homeM, payloadKg: 0)
        let percent = energy.percent(drone.type, wattHours: empty.energyWh + loaded.energyWh + home.energyWh)
        if percent + settings.reservePercent > settings.chargedPercent { return .failure(.tooFar) }
        if percent + settings.reservePercent > drone.battery { return .failure(.needsCharge) }
        return .success(
            MissionEstimate(
                pickUpMs: empty.durationMs, dropOffMs: empty.durationMs + loaded.durationMs, percent: percent))
    }

    /// The outcome of a choice among drones.
    package struct Choice: Sendable, Hashable {
        /// Place of the chosen drone in the list that was given.
        package var index: Int
        /// What the mission will take of it.
        package var estimate: MissionEstimate
    }

    /// The fit drone with the soonest pick-up; of two equally soon the one with the smaller id. Nil when none is fit.
    /// - Parameters:
    ///   - drones: those to choose among; their status is the caller's matter.
    ///   - isFree: tells for a place in `drones` whether it may be chosen; it is asked before anything is computed.
    package func choose(
        among drones: [Drone], for demand: DeliveryDemand, isFree: (Int) -> Bool = { _ in true }
    ) -> Choice? {
        guard let charge = city.nearestChargePoint(to: demand.destination) else { return nil }
        let loadedM = demand.origin.distance(to: demand.destination)
        var best: Choice?
        for index in drones.indices where isFree(index) {
            let drone = drones[index]
            guard demand.weightKg <= settings.profile(of: drone.type).payloadLimitKg else { continue }
            let emptyM = drone.position.distance(to: demand.origin)
            if let held = best {
                // Time is cheaper to compute than energy, and most drones of a fleet are already too late.
                let pickUpMs = energy.durationMs(drone.type, distanceM: emptyM, altitudeM: drone.altitudeM)
                let isSooner = pickUpMs < held.estimate.pickUpMs
                let isTie = pickUpMs == held.estimate.pickUpMs && drone.id < drones[held.index].id
                if !isSooner && !isTie { continue }
            }
            guard
                case .success(let estimate) = estimate(
                    drone, demand, emptyM: emptyM, loadedM: loadedM, homeM: charge.distanceM)
            else { continue }
            best = Choice(index: index, estimate: estimate)
        }
        return best
    }

    /// Why no drone of any class could ever carry it, as a stable word for the delivery's `reason`; nil when one could.
    ///
    /// The yardstick is a fully charged drone of each class at the charge point nearest to the origin.
    package func impossibility(of demand: DeliveryDemand) -> String? {
        if demand.weightKg > settings.heaviestPayloadKg { return "too_heavy" }
        if city.isForbidden(demand.origin) || city.isForbidden(demand.destination) { return "no_fly" }
        guard let start = city.nearestChargePoint(to: demand.origin) else { return "no_charge_point" }
        let isPossible = DroneClass.allCases.contains { type in
            let drone = Drone(
                id: "", type: type, status: .idle, battery: settings.chargedPercent,
                position: start.chargePoint.position)
            if case .success = estimate(drone, demand) { return true }
            return false
        }
        return isPossible ? nil : "out_of_range"
    }

    /// Milliseconds until a drone's mission lands at its drop-off; nil without a mission, 0 once it has arrived.
    package func remainingMs(of drone: Drone) -> Double? {
        guard let mission = drone.mission else { return nil }
        switch mission.stage {
        case .arrived:
            return 0
        case .toDestination:
            return energy.leg(
                drone.type, distanceM: drone.position.distance(to: mission.destination), payloadKg: mission.weightKg,
                altitudeM: drone.altitudeM
            ).durationMs
        case .toOrigin:
            let empty = energy.leg(
                drone.type, distanceM: drone.position.distance(to: mission.origin), payloadKg: 0,
                altitudeM: drone.altitudeM)
            let loaded = energy.leg(
                drone.type, distanceM: mission.origin.distance(to: mission.destination), payloadKg: mission.weightKg)
            return empty.durationMs + loaded.durationMs
        }
    }
}
