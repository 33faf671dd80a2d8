/// The two coefficients of mean power in one flight phase, `P = b1 · m^1.5 / √ρ + b0` in watts.
package struct PowerFit: Sendable, Hashable {
    /// Induced power: W · kg^−1.5 · (kg/m³)^0.5.
    package var b1: Double
    /// Power that does not depend on mass, watts; negative where descending air helps.
    package var b0: Double

    /// Makes a fit from its two coefficients.
    package init(b1: Double, b0: Double) {
        self.b1 = b1
        self.b0 = b0
    }
}

/// The part of a leg a drone is in.
package enum FlightPhase: Sendable, Hashable {
    case climb
    case cruise
    case descent
}

/// How much power flight takes, and how much time and energy a leg costs.
///
/// The form is the regression of Rodrigues et al., "In-flight positional and energy use data set of a DJI Matrice 100
/// quadcopter for small package delivery" (Scientific Data 8, 2021), which is the induced power of momentum theory as
/// Stolaroff et al. use it for delivery drones (Nature Communications 9, 2018): power grows with mass to the 1.5.
/// Momentum theory also gives the scaling to other rotors, power ∝ 1/√area, which lets one fit serve all classes.
package struct EnergyModel: Sendable {
    /// The numbers in force.
    package let settings: FleetSettings

    /// Makes the model for these settings.
    package init(_ settings: FleetSettings) {
        self.settings = settings
    }

    /// Mean electrical power in watts of a class in a phase with a parcel of `payloadKg`; never below zero.
    package func power(_ type: DroneClass, _ phase: FlightPhase, payloadKg: Double) -> Double {
        let profile = settings.profile(of: type)
        return power(
            phase, massKg: profile.emptyMassKg + payloadKg, rotorAreaM2: profile.rotorAreaM2)
    }

    /// Mean electrical power in watts for a total mass in kg and a rotor area in m².
    package func power(_ phase: FlightPhase, massKg: Double, rotorAreaM2: Double) -> Double {
        let fit =
            switch phase {
            case .climb: settings.takeOffPower
            case .cruise: settings.cruisePower
            case .descent: settings.landingPower
            }
        let scale = (settings.fittedRotorAreaM2 / rotorAreaM2 / settings.airDensityKgPerM3).squareRoot()
        return max(0, fit.b1 * scale * massKg * massKg.squareRoot() + fit.b0)
    }

    /// Time and energy of one straight leg.
    package struct Leg: Sendable, Hashable {
        /// From the first climb to the landing, milliseconds.
        package var durationMs: Double
        /// Energy out of the battery, watt-hours.
        package var energyWh: Double
    }

    /// The cost of flying `distanceM` metres from `altitudeM` above ground and landing at the end.
    ///
    /// A drone that already stands at its target does not take off: that leg costs nothing.
    package func leg(_ type: DroneClass, distanceM: Double, payloadKg: Double, altitudeM: Double = 0) -> Leg {
        let times = phases(type, distanceM: distanceM, altitudeM: altitudeM)
        let joules =
            times.climbS * power(type, .climb, payloadKg: payloadKg)
            + times.cruiseS * power(type, .cruise, payloadKg: payloadKg)
            + times.descentS * power(type, .descent, payloadKg: payloadKg)
        return Leg(durationMs: times.totalMs, energyWh: joules / 3600)
    }

    /// The time of such a leg alone, milliseconds; the payload does not change it.
    package func durationMs(_ type: DroneClass, distanceM: Double, altitudeM: Double = 0) -> Double {
        phases(type, distanceM: distanceM, altitudeM: altitudeM).totalMs
    }

    /// Seconds in each phase of a leg.
    private struct PhaseTimes {
        var climbS = 0.0
        var cruiseS = 0.0
        var descentS = 0.0

        var totalMs: Double { (climbS + cruiseS + descentS) * 1000 }
    }

    private func phases(_ type: DroneClass, distanceM: Double, altitudeM: Double) -> PhaseTimes {
        if distanceM <= settings.arrivalToleranceM {
            return PhaseTimes(descentS: max(0, altitudeM) / settings.descentSpeedMps)
        }
        return PhaseTimes(
            climbS: max(0, settings.cruiseAltitudeM - altitudeM) / settings.climbSpeedMps,
            cruiseS: distanceM / settings.profile(of: type).cruiseSpeedMps,
            descentS: max(altitudeM, settings.cruiseAltitudeM) / settings.descentSpeedMps)
    }

    /// Watt-hours as percent of a class's battery.
    package func percent(_ type: DroneClass, wattHours: Double) -> Double {
        wattHours * 100 / settings.profile(of: type).batteryWh
    }

    /// Percent of a class's battery as watt-hours.
    package func wattHours(_ type: DroneClass, percent: Double) -> Double {
        percent * settings.profile(of: type).batteryWh / 100
    }
}
