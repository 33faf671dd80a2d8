/// The three sizes of drone.
package enum DroneClass: String, Sendable, Hashable, CaseIterable {
    case light
    case medium
    case heavy
}

/// What a drone of one class can do.
package struct ClassProfile: Sendable, Hashable {
    /// The heaviest parcel in kilograms; a parcel of exactly this weight is carried.
    package var payloadLimitKg: Double
    /// Mass at take-off without a parcel, battery included, kilograms.
    package var emptyMassKg: Double
    /// Area swept by all rotors, square metres; it scales the fitted power, see ``EnergyModel``.
    package var rotorAreaM2: Double
    /// Ground speed between climb and descent, metres per second.
    package var cruiseSpeedMps: Double
    /// Energy of a full battery, watt-hours: 100 % of the drone's `battery`.
    package var batteryWh: Double
    /// Power into the battery at a charge point, watts.
    package var chargePowerW: Double

    /// Makes a profile from its figures.
    package init(
        payloadLimitKg: Double, emptyMassKg: Double, rotorAreaM2: Double, cruiseSpeedMps: Double, batteryWh: Double,
        chargePowerW: Double
    ) {
        self.payloadLimitKg = payloadLimitKg
        self.emptyMassKg = emptyMassKg
        self.rotorAreaM2 = rotorAreaM2
        self.cruiseSpeedMps = cruiseSpeedMps
        self.batteryWh = batteryWh
        self.chargePowerW = chargePowerW
    }

    /// The light default: a quadcopter as in the measured flights, with the second battery its frame takes.
    package static let light = ClassProfile(
        payloadLimitKg: 1, emptyMassKg: 4.3, rotorAreaM2: 0.3425, cruiseSpeedMps: 14, batteryWh: 260,
        chargePowerW: 360)

    /// The medium default: the size of a six-rotor camera platform with 21-inch propellers.
    package static let medium = ClassProfile(
        payloadLimitKg: 5, emptyMassKg: 10, rotorAreaM2: 1.34, cruiseSpeedMps: 16, batteryWh: 780, chargePowerW: 1_200)

    /// The heavy default: the size of a coaxial cargo drone with 54-inch propellers.
    ///
    /// With the rotor scaling of ``EnergyModel`` its endurance comes to 30 min empty and 17 min with 30 kg, which is
    /// what makers of this size state.
    package static let heavy = ClassProfile(
        payloadLimitKg: 30, emptyMassKg: 65, rotorAreaM2: 5.94, cruiseSpeedMps: 18, batteryWh: 3_968,
        chargePowerW: 6_000)
}
