/// Something that happened to a drone during a step.
package enum DroneEvent: Sendable, Hashable {
    /// It landed at the pick-up; the loaded leg begins.
    case reachedOrigin
    /// It landed at the drop-off.
    case reachedDestination
    /// It landed at this charge point.
    case reachedCharge(chargePointID: String)
    /// Its battery is charged; a charging drone is idle now, a retiring one inactive.
    case charged
    /// Its battery ran out in flight: it is down where it was and moves no more.
    ///
    /// No planned mission comes to this; an operator who sets a battery by hand can bring it about.
    case emptied
}

/// How drones move: a pure function of the drone, the city and the time that has passed.
package struct DroneMotion: Sendable {
    private let settings: FleetSettings
    private let energy: EnergyModel
    private let city: City

    /// A step never loops longer than this: climb, cruise, descend and charge, for each of two mission legs, and slack.
    private static let segmentsPerStep = 16

    /// Below this share of a watt-hour a battery counts as empty: it absorbs rounding, not energy.
    private static let roundingWh = 1e-6

    /// Makes the motion of a fleet over a city.
    package init(settings: FleetSettings, city: City) {
        self.settings = settings
        energy = EnergyModel(settings)
        self.city = city
    }

    /// The drone after `milliseconds` more, and what happened meanwhile, in order.
    ///
    /// A drone goes on from one leg to the next within a step, so one long step and many short ones end alike.
    /// `updatedAtMs` is left for the writer to set.
    package func step(_ drone: Drone, milliseconds: Int64) -> (drone: Drone, events: [DroneEvent]) {
        var flight = Flight(drone: drone, secondsLeft: max(0, Double(milliseconds) / 1000))
        for _ in 0..<Self.segmentsPerStep {
            if advance(&flight) == .done { break }
        }
        return (flight.drone, flight.events)
    }

    /// A drone in the middle of a step.
    private struct Flight {
        var drone: Drone
        var secondsLeft: Double
        var events: [DroneEvent] = []
    }

    private enum Progress {
        case goesOn
        case done
    }

    /// Carries out the next segment: one phase of a leg, or the arrival at its end.
    private func advance(_ flight: inout Flight) -> Progress {
        guard let target = target(of: flight.drone) else { return settle(&flight) }
        let distance = flight.drone.position.distance(to: target.position)
        if distance > settings.arrivalToleranceM {
            return fly(&flight, to: target.position, distance: distance)
        }
        if flight.drone.altitudeM > 0 { return descend(&flight) }
        return arrive(&flight, at: target)
    }

    /// Where a drone wants to be, and why.
    private struct Target {
        var position: GeoPoint
        var chargePointID: String?
    }

    private func target(of drone: Drone) -> Target? {
        switch drone.status {
        case .inactive, .idle:
            return nil
        case .busy:
            switch drone.mission?.stage {
            case .toOrigin: return drone.mission.map { Target(position: $0.origin) }
            case .toDestination: return drone.mission.map { Target(position: $0.destination) }
            case .arrived, nil: return nil
            }
        case .charging, .retiring:
            return city.nearestChargePoint(to: drone.position).map {
                Target(position: $0.chargePoint.position, chargePointID: $0.chargePoint.id)
            }
        }
    }

    /// A drone with nowhere to go lands where it is.
    private func settle(_ flight: inout Flight) -> Progress {
        if flight.drone.altitudeM > 0 { return descend(&flight) }
        flight.drone.speed = 0
        return .done
    }

    private func fly(_ flight: inout Flight, to target: GeoPoint, distance: Double) -> Progress {
        flight.drone.isAtCharge = false
        let climb = settings.cruiseAltitudeM - flight.drone.altitudeM
        if climb > 0 {
            flight.drone.speed = 0
            return spend(&flight, phase: .climb, seconds: climb / settings.climbSpeedMps) { drone, seconds, isWhole in
                drone.altitudeM =
                    isWhole ? settings.cruiseAltitudeM : drone.altitudeM + seconds * settings.climbSpeedMps
            }
        }
        let speed = settings.profile(of: flight.drone.type).cruiseSpeedMps
        flight.drone.heading = flight.drone.position.bearing(to: target)
        flight.drone.speed = speed
        return spend(&flight, phase: .cruise, seconds: distance / speed) { drone, seconds, isWhole in
            drone.position =
                isWhole ? target : drone.position.stepped(towards: target, metres: seconds * speed, length: distance)
        }
    }

    private func descend(_ flight: inout Flight) -> Progress {
        flight.drone.speed = 0
        let seconds = flight.drone.altitudeM / settings.descentSpeedMps
        return spend(&flight, phase: .descent, seconds: seconds) { drone, seconds, isWhole in
            drone.altitudeM = isWhole ? 0 : max(0, drone.altitudeM - seconds * settings.descentSpeedMps)
        }
    }

    /// Moves for as long as the phase, the step and the battery last, and pays for it.
    private func spend(
        _ flight: inout Flight, phase: FlightPhase, seconds needed: Double,
        move: (_ drone: inout Drone, _ seconds: Double, _ isWhole: Bool) -> Void
    ) -> Progress {
        let type = flight.drone.type
        let payload = flight.drone.mission.map { $0.stage == .toDestination ? $0.weightKg : 0 } ?? 0
        let watts = energy.power(type, phase, payloadKg: payload)
        let available = energy.wattHours(type, percent: flight.drone.battery)
        let seconds = min(needed, flight.secondsLeft)
        let cost = watts * seconds / 3600
        if cost > available + Self.roundingWh {
            let affordable = watts > 0 ? available * 3600 / watts : 0
            let wasFlying = flight.drone.altitudeM > 0 || affordable > 0
            move(&flight.drone, affordable, false)
            flight.drone.battery = 0
            flight.drone.altitudeM = 0
            flight.drone.speed = 0
            flight.secondsLeft = 0
            if wasFlying { flight.events.append(.emptied) }
            return .done
        }
        if seconds <= 0 { return .done }
        move(&flight.drone, seconds, seconds == needed)
        flight.drone.battery = max(0, energy.percent(type, wattHours: available - cost))
        flight.secondsLeft -= seconds
        return .goesOn
    }

    private func arrive(_ flight: inout Flight, at target: Target) -> Progress {
        flight.drone.speed = 0
        guard let chargePointID = target.chargePointID else {
            flight.drone.isAtCharge = false
            switch flight.drone.mission?.stage {
            case .toOrigin:
                flight.drone.mission?.stage = .toDestination
                flight.events.append(.reachedOrigin)
                return .goesOn
            case .toDestination:
                flight.drone.mission?.stage = .arrived
                flight.events.append(.reachedDestination)
                return .goesOn
            case .arrived, nil:
                return .done
            }
        }
        if !flight.drone.isAtCharge {
            flight.drone.isAtCharge = true
            flight.events.append(.reachedCharge(chargePointID: chargePointID))
        }
        return charge(&flight)
    }

    private func charge(_ flight: inout Flight) -> Progress {
        let profile = settings.profile(of: flight.drone.type)
        let missing = settings.chargedPercent - flight.drone.battery
        let seconds = max(0, energy.wattHours(flight.drone.type, percent: missing) * 3600 / profile.chargePowerW)
        if seconds > flight.secondsLeft {
            let gained = flight.secondsLeft * profile.chargePowerW / 3600
            flight.drone.battery += energy.percent(flight.drone.type, wattHours: gained)
            flight.secondsLeft = 0
            return .done
        }
        flight.drone.battery = max(flight.drone.battery, settings.chargedPercent)
        flight.drone.status = flight.drone.status == .retiring ? .inactive : .idle
        flight.secondsLeft -= seconds
        flight.events.append(.charged)
        return .goesOn
    }
}
