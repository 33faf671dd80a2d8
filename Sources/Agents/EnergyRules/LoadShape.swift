import Glibc

/// How much of its full load an office floor draws at a moment, without noise.
struct LoadShape {
    let settings: SimulatorSettings

    /// Power as a share of the full load, from the idle share up to about 1.
    func share(atMs ms: Int64) -> Double {
        let (weekday, hour) = CivilTime.weekdayAndHour(ms: ms, utcOffsetMinutes: settings.utcOffsetMinutes)
        let weekdayFactor = weekday < settings.weekdayFactors.count ? settings.weekdayFactors[weekday] : 1
        return settings.idleShare + (1 - settings.idleShare) * weekdayFactor * Self.occupancy(hour: hour)
    }

    /// Share of the people who are there: they come around 8:30, leave around 18:00, and a few go out for lunch.
    static func occupancy(hour: Double) -> Double {
        let arrival = 1 / (1 + exp(-(hour - 8.5) / 0.5))
        let departure = 1 / (1 + exp((hour - 18) / 0.7))
        let lunch = 0.15 * exp(-pow((hour - 13.25) / 0.5, 2))
        return max(0, arrival * departure - lunch)
    }
}

/// A draw from the standard normal distribution (Box and Muller 1958).
func standardNormal(using generator: inout some RandomNumberGenerator) -> Double {
    // The logarithm needs a number above zero.
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator))).squareRoot()
    return radius * cos(2 * Double.pi * Double.random(in: 0..<1, using: &generator))
}
