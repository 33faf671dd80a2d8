/// Every number of the energy rules, with its unit and the reason for its default.
package struct EnergySettings: Equatable, Sendable {
    /// What a reading may contain.
    package var reading = ReadingLimits()

    /// When a threshold detector speaks and when it keeps silent.
    package var detector = DetectorSettings()

    /// By which clock the baselines tell the half hours of the week.
    package var baseline = BaselineSettings()

    /// What a silence may ask for.
    package var silence = SilenceLimits()

    /// The building that the synthetic meters are in.
    package var simulator = SimulatorSettings()

    /// How meter files are read and played.
    package var replay = ReplaySettings()

    /// The defaults.
    package init() {}
}

/// What a reading may contain; what lies outside is a broken sensor or a wrong unit, not a measurement.
package struct ReadingLimits: Equatable, Sendable {
    /// Floor numbers. The ground floor is 0; a million meters is ten times the largest installation foreseen.
    package var floors = 0...1_000_000

    /// kWh on the register. A mechanical or electronic register rolls over long before 10⁹ kWh.
    package var kwh = 0.0...1e9

    /// kW of one floor. 100 MW is a steel works; a floor that reports more reports watts as kilowatts.
    package var kw = 0.0...1e5

    /// Ampere of one floor: what 100 MW would draw at 230 V, rounded up.
    package var amp = 0.0...1e6

    /// Volt. Floors are fed at low voltage, but a meter may sit on the medium-voltage side (up to 36 kV).
    package var volt = 0.0...5e4

    /// The earliest time of a reading, ms since 1970: 2000-01-01 UTC. Meters that lost their clock report 1970.
    package var earliestMs: Int64 = 946_684_800_000

    /// How far ahead of our clock a reading may be, ms. Five minutes cover a meter's drift; more would let one bad
    /// clock freeze `latest`, which never goes back in time.
    package var futureToleranceMs: Int64 = 300_000

    /// The defaults.
    package init() {}
}

/// When a threshold detector speaks and when it keeps silent.
package struct DetectorSettings: Equatable, Sendable {
    /// The pause between two alerts of one floor and type, ms of the readings' own time. The source system's
    /// `EDGE_COOLDOWN_SECS`: with a reading every 30 s no two readings in a row raise the same alert.
    /// At least one second, since an alert's id tells seconds apart.
    package var cooldownMs: Int64 = 30_000 {
        didSet { cooldownMs = max(1_000, cooldownMs) }
    }

    /// Hysteresis of kW, A and ΔkWh, as a share of the threshold: the excess is over when the value has fallen 5 %
    /// below it. Measured floors vary by 1–3 % from reading to reading, so noise does not toggle the alert.
    package var loadHysteresis = 0.05

    /// Hysteresis of voltage. 1 % is about 2.5 V, twice the usual jitter; 5 % would be outside the normal range,
    /// and an alert once raised would never end.
    package var voltageHysteresis = 0.01

    /// From this excess over the threshold on, kW, A and ΔkWh alerts are warnings: 10 %.
    package var loadWarning = 0.10

    /// From this excess on they are critical: 50 %, where breakers begin to trip within the hour.
    package var loadCritical = 0.50

    /// From this deviation beyond the threshold on, voltage alerts are warnings: 2 %.
    package var voltageWarning = 0.02

    /// From this deviation on they are critical: 5 % beyond a limit that is already 10 % off the nominal voltage.
    package var voltageCritical = 0.05

    /// The defaults.
    package init() {}
}

/// By which clock the baselines tell the half hours of the week.
package struct BaselineSettings: Equatable, Sendable {
    /// Offset from UTC, minutes, at most 14 hours either way. Fixed through the year, so that every week has
    /// the same 336 half hours. A baseline that was learned at another offset is begun anew.
    package var utcOffsetMinutes = 0 {
        didSet { utcOffsetMinutes = min(840, max(-840, utcOffsetMinutes)) }
    }

    /// The offset as text: `UTC`, `UTC+01:00`.
    package static func zoneName(utcOffsetMinutes: Int) -> String {
        guard utcOffsetMinutes != 0 else { return "UTC" }
        let minutes = utcOffsetMinutes.magnitude
        func digits(_ number: UInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "UTC\(utcOffsetMinutes < 0 ? "-" : "+")\(digits(minutes / 60)):\(digits(minutes % 60))"
    }

    /// The defaults.
    package init() {}
}

/// What a silence may ask for.
package struct SilenceLimits: Equatable, Sendable {
    /// The longest silence, ms: a year and a day. Who never wants to hear of something raises its threshold.
    package var longestMs: Int64 = 366 * 86_400_000

    /// The longest comment, bytes of UTF-8: a paragraph. Every alert is compared with all silences, which are listed
    /// with their comments.
    package var commentBytesMax = 1_000

    /// The defaults.
    package init() {}
}

/// The building that the synthetic meters are in.
package struct SimulatorSettings: Equatable, Sendable {
    /// Time between two readings of one floor, ms. The source system's 30 s.
    package var intervalMs: Int64 = 30_000

    /// The share of readings that carry an injected anomaly. The source system's 15 %.
    package var anomalyRate = 0.15

    /// Offset of the building's clock from UTC, minutes: one hour, Central European Time. Shapes the day only.
    package var utcOffsetMinutes = 60

    /// Power of a floor of factor 1 at full working load, kW: the example reading of the source system has 6.2 kW,
    /// measured office floors peak between 5 and 18 kW.
    package var fullLoadKw = 7.0

    /// Share of the full load that never sleeps (servers, fridges, stand-by): a quarter, as in measured offices.
    package var idleShare = 0.25

    /// Factors of successive floors, so that they differ. With the largest and its noise a normal reading stays
    /// below the default threshold of 10 kW.
    package var floorFactors = [1.0, 0.85, 1.1, 0.7, 0.95]

    /// Working load by weekday, Monday first.
    package var weekdayFactors = [0.96, 1.0, 1.0, 1.0, 0.94, 0.45, 0.30]

    /// Relative noise of the power (standard deviation).
    package var powerNoise = 0.04

    /// Nominal voltage between the conductors, V.
    package var nominalVolt = 230.0

    /// Standard deviation of the voltage, V.
    package var voltNoise = 1.2

    /// Volts lost for each kW that the floor draws.
    package var voltDropPerKw = 0.3

    /// Power factor of a mixed office load. With the three-phase formula P = √3·V·I·cosφ it gives the source
    /// system's example: 6.2 kW at 231.5 V is 16.8 A.
    package var powerFactor = 0.92

    /// Register of a meter never seen before, kWh: as in the source system's example.
    package var initialKwh = 1_000.0

    /// At most this time between the first readings of two successive floors, ms. A few floors report together;
    /// 100,000 are spread over the whole interval.
    package var staggerMs = 5.0

    /// Most readings that one call makes: one batch, so that a simulator that fell behind does not flood memory.
    package var maxBatch = 1_000

    /// The defaults.
    package init() {}
}

/// How meter files are read and played.
package struct ReplaySettings: Equatable, Sendable {
    /// Offset of files in local time from UTC, minutes: one hour, French winter time. Fixed: in a file that runs
    /// over the end of summer time the repeated hour is reported as bad lines.
    package var utcOffsetMinutes = 60

    /// Time that one row of the household format stands for, ms: its power is the mean of one minute.
    package var householdRowMs: Int64 = 60_000

    /// Longest time between two rows over which power is integrated, ms: over a longer gap nothing is known.
    package var maxIntegrationGapMs: Int64 = 600_000

    /// Nominal voltage of a file without a voltage column, V.
    package var nominalVolt = 230.0

    /// Power factor assumed when voltage is derived from power and current.
    package var powerFactor = 0.97

    /// Derived voltage is held within this share of the nominal one. What lies beyond is a change of the unknown
    /// power factor and must not raise voltage alerts.
    package var derivedVoltBand = 0.10

    /// Below this current nothing can be derived from it, A; the nominal voltage is used.
    package var minDerivableAmp = 0.1

    /// Most rows that are kept from one file: two years of minutes, about 50 MB.
    package var maxRows = 1_100_000

    /// Most bad lines that are reported one by one; all are counted.
    package var maxReportedLines = 100

    /// Speed factors: from a hundredth of real time to what no cluster could keep up with.
    package var speeds = 0.01...1_000_000

    /// Shift of a file's series from one floor to the next, ms: 7 minutes, so that peaks do not coincide.
    package var floorShiftMs: Int64 = 420_000

    /// Number of different shifts; then they repeat. Keeps the whole within an hour and a half.
    package var floorShifts = 12

    /// Factors of power, current and energy of successive floors. The first floor has the file's own values.
    package var floorFactors = [1.0, 0.8, 1.15, 0.6, 0.9]

    /// Register of a meter never seen before, kWh, for files without a register of their own.
    package var initialKwh = 1_000.0

    /// Most readings that one call makes.
    package var maxBatch = 1_000

    /// The defaults.
    package init() {}
}
