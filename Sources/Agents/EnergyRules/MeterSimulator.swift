/// Synthetic meters: a day and week shape with noise, a register that only grows, current and voltage that fit the
/// power, and anomalies at a given rate.
///
/// Call ``handle(nowMs:)`` again at ``nextDueMs``. Time and randomness come from outside, so the same generator and
/// the same calls make the same readings.
package struct MeterSimulator<Generator: RandomNumberGenerator> {
    /// What was injected or left out since the start.
    package struct Counters: Equatable, Sendable {
        /// Readings made.
        package var readings = 0
        /// Readings that carry an anomaly.
        package var anomalies = 0
        /// Readings left out because the caller came more than an interval late.
        package var skipped = 0
    }

    private struct Meter: Sendable {
        let piano: Int
        let factor: Double
        var kwh: Double
        var lastMs: Int64?
    }

    private let settings: SimulatorSettings
    private let shape: LoadShape
    private var generator: Generator
    private var meters: [Meter]

    // Floors report in turn; a round takes one interval.
    private var roundStartMs: Int64
    private var next = 0

    /// What was injected or left out.
    package private(set) var counters = Counters()

    /// Meters on `floors` whose first readings are due from `startMs` (ms since 1970) on.
    ///
    /// `registersKwh` are the registers of meters that have run before: they go on from there.
    package init(
        floors: [Int], registersKwh: [Int: Double] = [:], startMs: Int64, settings: SimulatorSettings,
        generator: Generator
    ) {
        self.settings = settings
        self.shape = LoadShape(settings: settings)
        self.generator = generator
        self.roundStartMs = startMs
        let factors = settings.floorFactors.isEmpty ? [1] : settings.floorFactors
        meters = floors.enumerated().map { index, piano in
            Meter(
                piano: piano, factor: factors[index % factors.count],
                kwh: max(0, registersKwh[piano] ?? settings.initialKwh))
        }
    }

    /// When the next reading is due, ms since 1970; nil when there are no meters.
    package var nextDueMs: Int64? {
        meters.isEmpty ? nil : dueMs(next)
    }

    /// The readings due by `nowMs`, at most one batch of them, each stamped with the time it was due.
    package mutating func handle(nowMs: Int64) -> [Reading] {
        guard !meters.isEmpty else { return [] }
        catchUp(nowMs: nowMs)
        var readings: [Reading] = []
        while readings.count < settings.maxBatch, dueMs(next) <= nowMs {
            readings.append(measure(next, atMs: dueMs(next)))
            next += 1
            if next == meters.count {
                next = 0
                roundStartMs += settings.intervalMs
            }
        }
        counters.readings += readings.count
        return readings
    }

    private func dueMs(_ index: Int) -> Int64 {
        let spacing = min(settings.staggerMs, Double(settings.intervalMs) / Double(meters.count))
        return roundStartMs + Int64(Double(index) * spacing)
    }

    /// A meter has no memory of what it did not report: whole rounds that were missed are left out, not made up.
    private mutating func catchUp(nowMs: Int64) {
        let missed = (nowMs - dueMs(next)) / settings.intervalMs
        guard missed > 0 else { return }
        roundStartMs += missed * settings.intervalMs
        counters.skipped += Int(missed) * meters.count
    }

    private mutating func measure(_ index: Int, atMs ms: Int64) -> Reading {
        var meter = meters[index]
        let full = settings.fullLoadKw * meter.factor
        var kw = max(0, full * shape.share(atMs: ms) * (1 + settings.powerNoise * normal()))
        var jumpKwh = 0.0
        var voltShift = 0.0
        if Double.random(in: 0..<1, using: &generator) < settings.anomalyRate {
            counters.anomalies += 1
            switch Double.random(in: 0..<1, using: &generator) {
            // Mostly a load that should not be there, as the source system injects.
            case ..<0.7: kw += full * Double.random(in: 0.8..<2.0, using: &generator)
            case ..<0.8: voltShift = -Double.random(in: 28..<45, using: &generator)
            case ..<0.9: voltShift = Double.random(in: 28..<45, using: &generator)
            default: jumpKwh = Double.random(in: 0.3..<1.0, using: &generator)
            }
        }
        let volt = max(
            1, settings.nominalVolt + settings.voltNoise * normal() - settings.voltDropPerKw * kw + voltShift)
        let elapsedMs = meter.lastMs.map { min(ms - $0, settings.intervalMs) } ?? 0
        meter.kwh += kw * Double(elapsedMs) / 3_600_000 + jumpKwh
        meter.lastMs = ms
        meters[index] = meter
        let amp = kw * 1_000 / (3.0.squareRoot() * volt * settings.powerFactor)
        return Reading(
            piano: meter.piano, kwh: rounded(meter.kwh, 1_000), kw: rounded(kw, 1_000), amp: rounded(amp, 100),
            volt: rounded(volt, 10), timestampMs: ms)
    }

    private mutating func normal() -> Double { standardNormal(using: &generator) }
}

extension MeterSimulator: Sendable where Generator: Sendable {}

/// `value` to the nearest multiple of 1 / `parts`, as a meter's display has it.
func rounded(_ value: Double, _ parts: Double) -> Double {
    (value * parts).rounded() / parts
}
