/// Every number the fleet's rules use, with its unit and the reason for its default.
package struct FleetSettings: Sendable, Hashable {
    // MARK: Classes

    /// The smallest drones: six parcels in ten weigh no more than they carry.
    package var light = ClassProfile.light
    /// The middle size.
    package var medium = ClassProfile.medium
    /// The largest; a parcel it cannot carry is refused.
    package var heavy = ClassProfile.heavy

    // MARK: Flight

    /// Air density in kg/m³: sea level at 20 °C. The flights that gave the power fit were flown at about 1.15.
    package var airDensityKgPerM3 = 1.2
    /// Height of the cruise above ground in metres: over roofs, under the 120 m that open-category rules allow.
    package var cruiseAltitudeM = 60.0
    /// Climb rate in m/s, as in the published trip model of the power fit.
    package var climbSpeedMps = 2.5
    /// Descent rate in m/s, as in the published trip model of the power fit.
    package var descentSpeedMps = 2.0
    /// A drone nearer to its target than this, in metres, is there: below what satellite positioning tells apart.
    package var arrivalToleranceM = 0.5
    /// Take-off power: fit of 120 measured flights.
    package var takeOffPower = PowerFit(b1: 80.67, b0: 3.55)
    /// Cruise power: fit of 120 measured flights.
    package var cruisePower = PowerFit(b1: 69.03, b0: 9.11)
    /// Landing power: fit of 120 measured flights.
    package var landingPower = PowerFit(b1: 71.62, b0: -32.54)
    /// Rotor area in m² of the drone that was measured (four 13-inch propellers): the fit is scaled from here.
    package var fittedRotorAreaM2 = 0.3425

    // MARK: Battery

    /// Percent that a planned mission must leave when the drone lands at the charge point: wind and ageing eat it.
    package var reservePercent = 15.0
    /// Idle drones below this percent go charging: under it most missions across the city no longer fit.
    package var lowBatteryPercent = 35.0
    /// Charging ends at this percent.
    package var chargedPercent = 100.0

    // MARK: Fleet size

    /// A delivery that has waited this long, in ms, without a drone wakes an inactive one: two dispatcher rounds.
    package var wakeAfterMs: Int64 = 500
    /// An idle drone that nothing has needed for this long, in ms, is surplus: ten minutes outlast a lull.
    package var quietBeforeRetiringMs: Int64 = 600_000
    /// Idle drones of each class that stay awake however quiet it is, so that the next order finds one at once.
    package var minimumAwakePerClass = 2
    /// Most drones retired in one round, so that a fleet shrinks gently.
    package var retiredPerRound = 10

    /// The defaults.
    package init() {}

    /// The figures of a class.
    package func profile(of type: DroneClass) -> ClassProfile {
        switch type {
        case .light: light
        case .medium: medium
        case .heavy: heavy
        }
    }

    /// The heaviest parcel that any class carries, kilograms.
    package var heaviestPayloadKg: Double {
        max(light.payloadLimitKg, medium.payloadLimitKg, heavy.payloadLimitKg)
    }

    /// Tells the first setting that makes no sense, as a sentence to show; nil when all is well.
    package func problem() -> String? {
        for type in DroneClass.allCases {
            let profile = profile(of: type)
            let figures = [
                ("payload limit", profile.payloadLimitKg), ("empty mass", profile.emptyMassKg),
                ("rotor area", profile.rotorAreaM2), ("cruise speed", profile.cruiseSpeedMps),
                ("battery", profile.batteryWh), ("charging power", profile.chargePowerW),
            ]
            for (name, value) in figures where !(value.isFinite && value > 0) {
                return "\(name) of the \(type.rawValue) class is \(value): give a number above zero"
            }
        }
        let rates = [
            ("air density", airDensityKgPerM3), ("climb speed", climbSpeedMps), ("descent speed", descentSpeedMps),
            ("fitted rotor area", fittedRotorAreaM2),
        ]
        for (name, value) in rates where !(value.isFinite && value > 0) {
            return "\(name) is \(value): give a number above zero"
        }
        if !(0..<100).contains(reservePercent) { return "reserve is \(reservePercent) %: give 0 up to below 100" }
        if !(0...100).contains(lowBatteryPercent) { return "low battery mark is \(lowBatteryPercent) %: give 0…100" }
        if !(lowBatteryPercent...100).contains(chargedPercent) {
            return "charging ends at \(chargedPercent) %: give a percent from the low battery mark to 100"
        }
        if !(cruiseAltitudeM.isFinite && cruiseAltitudeM >= 0) {
            return "cruise altitude is \(cruiseAltitudeM) m: give zero or more"
        }
        return nil
    }
}
