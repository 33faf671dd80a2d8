/// How a replay stamps its readings.
package enum ReplayStamps: String, CaseIterable, Sendable {
    /// The data's own steps, moved so that the last reading of the replay is stamped with the time it is made:
    /// stamps never lie in the future, always grow, and meet the clock at the end.
    case shifted

    /// The file's own times.
    case original
}

/// Why a replay cannot begin.
package enum MeterReplayError: Error, Equatable, CustomStringConvertible {
    /// The speed factor is out of range.
    case speed(Double, allowed: ClosedRange<Double>)
    /// The file names its floors and none of them was asked for, or none was asked for at all.
    case noFloors

    /// What was expected, what was found and what to do.
    package var description: String {
        switch self {
        case .speed(let speed, let allowed):
            "expected a speed factor from \(allowed.lowerBound) to \(allowed.upperBound), found \(speed)"
        case .noFloors: "no floor to replay: name floors, and for a file of readings such as are in the file"
        }
    }
}

/// Plays a meter file at a speed factor.
///
/// A file of one meter is given to all floors. The first floor has the file's own values; floor *k* has the series
/// later by *k* times the floor shift (the shifts repeat) and its power, current and energy times a factor of its
/// own, so that no two floors of sixty are alike. A file of readings keeps its floors, values and registers.
/// Readings keep the file's distances in time at any speed.
package struct MeterReplay: Sendable {
    private struct Meter {
        let piano: Int
        let factor: Double
        let baseKwh: Double
    }

    /// Floors with the same shift, and where they are in the file.
    private struct Lane {
        let shiftMs: Int64
        var meters: [Meter] = []
        var sample = 0
        var meter = 0
    }

    private let samples: [MeterSample]
    private let keepsFloors: Bool
    private let initialKwh: Double
    private let speed: Double
    private let maxBatch: Int
    private let firstMs: Int64
    private let startMs: Int64
    private let stampShiftMs: Int64
    private var lanes: [Lane]

    /// Readings made so far.
    package private(set) var emitted = 0

    /// Readings in all.
    package let total: Int

    /// A replay that begins at `startMs` (ms since 1970).
    ///
    /// `registersKwh` are the registers of meters that have run before: they go on from there. `speed` 60 makes an
    /// hour of data pass in a minute.
    package init(
        series: MeterSeries, floors: [Int], registersKwh: [Int: Double] = [:], startMs: Int64, speed: Double,
        stamps: ReplayStamps = .shifted, settings: ReplaySettings = ReplaySettings()
    ) throws(MeterReplayError) {
        guard settings.speeds.contains(speed) else { throw .speed(speed, allowed: settings.speeds) }
        self.speed = speed
        self.startMs = startMs
        maxBatch = max(1, settings.maxBatch)
        keepsFloors = series.format == .readings
        initialKwh = series.initialKwh
        if keepsFloors {
            let wanted = Set(floors)
            samples =
                floors.isEmpty
                ? series.samples : series.samples.filter { sample in sample.piano.map(wanted.contains) ?? false }
            lanes = [Lane(shiftMs: 0, meters: [Meter(piano: 0, factor: 1, baseKwh: 0)])]
            total = samples.count
        } else {
            samples = series.samples
            let factors = settings.floorFactors.isEmpty ? [1] : settings.floorFactors
            let count = max(1, min(settings.floorShifts, floors.count))
            lanes = (0..<count).map { Lane(shiftMs: Int64($0) * settings.floorShiftMs) }
            for (number, piano) in floors.enumerated() {
                lanes[number % count].meters.append(
                    Meter(
                        piano: piano, factor: factors[number % factors.count],
                        baseKwh: registersKwh[piano] ?? settings.initialKwh))
            }
            total = samples.count * floors.count
        }
        guard let first = samples.first, let last = samples.last, total > 0 else { throw .noFloors }
        firstMs = first.timestampMs
        let durationMs = last.timestampMs - first.timestampMs + (lanes.last?.shiftMs ?? 0)
        switch stamps {
        case .original: stampShiftMs = 0
        case .shifted:
            // At wall time x / speed after the start the stamp is x - duration · (1 - 1 / speed) after the start.
            let lead = Double(durationMs) * (1 - 1 / speed)
            stampShiftMs = startMs - Int64(max(0, lead).rounded(.up)) - first.timestampMs
        }
    }

    /// When the next reading is due, ms since 1970; nil when the file has ended.
    package var nextDueMs: Int64? {
        nextLane.map { dueMs(lane: $0) }
    }

    /// The readings due by `nowMs`, in order of time, at most one batch of them.
    package mutating func handle(nowMs: Int64) -> [Reading] {
        var readings: [Reading] = []
        while readings.count < maxBatch, let lane = nextLane, dueMs(lane: lane) <= nowMs {
            readings.append(makeReading(lane: lane))
        }
        emitted += readings.count
        return readings
    }

    /// The stamp of the first reading, ms since 1970.
    package var firstStampMs: Int64 { firstMs + stampShiftMs }

    private var nextLane: Int? {
        var best: (lane: Int, ms: Int64)?
        for (index, lane) in lanes.enumerated() where lane.sample < samples.count {
            let ms = samples[lane.sample].timestampMs + lane.shiftMs
            if let found = best, found.ms <= ms { continue }
            best = (index, ms)
        }
        return best?.lane
    }

    private func dueMs(lane: Int) -> Int64 {
        let dataMs = samples[lanes[lane].sample].timestampMs + lanes[lane].shiftMs - firstMs
        return startMs + Int64((Double(dataMs) / speed).rounded(.up))
    }

    private mutating func makeReading(lane: Int) -> Reading {
        let sample = samples[lanes[lane].sample]
        let meter = lanes[lane].meters[lanes[lane].meter]
        let stamp = sample.timestampMs + lanes[lane].shiftMs + stampShiftMs
        lanes[lane].meter += 1
        if lanes[lane].meter == lanes[lane].meters.count {
            lanes[lane].meter = 0
            lanes[lane].sample += 1
        }
        if keepsFloors, let piano = sample.piano {
            return Reading(
                piano: piano, kwh: sample.kwh, kw: sample.kw, amp: sample.amp, volt: sample.volt, timestampMs: stamp)
        }
        return Reading(
            piano: meter.piano, kwh: rounded(meter.baseKwh + meter.factor * (sample.kwh - initialKwh), 1_000_000),
            kw: rounded(meter.factor * sample.kw, 1_000), amp: rounded(meter.factor * sample.amp, 1_000),
            volt: rounded(sample.volt, 100), timestampMs: stamp)
    }
}
