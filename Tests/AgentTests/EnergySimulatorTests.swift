import EnergyRules
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014), so that a test runs the same every time.
struct EnergyTestGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct EnergySimulatorTests {
    /// Monday 2024-05-20 00:00 in UTC+1.
    private let monday: Int64 = 1_716_159_600_000

    private func run(
        floors: [Int] = [1, 2, 3], hours: Int64, seed: UInt64 = 1, change: (inout SimulatorSettings) -> Void = { _ in }
    ) -> (readings: [Reading], counters: MeterSimulator<EnergyTestGenerator>.Counters) {
        var settings = SimulatorSettings()
        change(&settings)
        var simulator = MeterSimulator(
            floors: floors, startMs: monday, settings: settings, generator: EnergyTestGenerator(state: seed))
        var readings: [Reading] = []
        while let due = simulator.nextDueMs, due < monday + hours * 3_600_000 {
            readings.append(contentsOf: simulator.handle(nowMs: due))
        }
        return (readings, simulator.counters)
    }

    @Test func sameSeedSameReadings() {
        let first = run(hours: 2).readings
        #expect(first == run(hours: 2).readings)
        #expect(first != run(hours: 2, seed: 2).readings)
    }

    @Test func everyFloorReportsEveryInterval() {
        let readings = run(hours: 1).readings
        for floor in 1...3 {
            let times = readings.filter { $0.piano == floor }.map(\.timestampMs)
            #expect(times.count == 120)
            #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 30_000 })
        }
    }

    @Test func readingsAreAcceptableAndTheRegisterOnlyGrows() {
        let readings = run(hours: 48).readings
        let now = monday + 48 * 3_600_000
        #expect(readings.allSatisfy { $0.problems(nowMs: now, limits: ReadingLimits()).isEmpty })
        for floor in 1...3 {
            let registers = readings.filter { $0.piano == floor }.map(\.kwh)
            #expect(zip(registers, registers.dropFirst()).allSatisfy { $0 <= $1 })
            #expect(registers.first == 1_000)
            #expect((registers.last ?? 0) > 1_050)
        }
    }

    @Test func currentAndVoltageFitThePower() {
        for reading in run(hours: 24).readings where reading.kw > 1 {
            let apparent = 3.0.squareRoot() * reading.volt * reading.amp / 1_000
            #expect(abs(apparent * 0.92 / reading.kw - 1) < 0.01)
        }
    }

    @Test func anomaliesComeAtTheirRate() {
        let (readings, counters) = run(hours: 48)
        #expect(readings.count == 3 * 48 * 120)
        // Binomial(17280, 0.15): mean 2592, standard deviation 47; five of them on either side.
        #expect(abs(counters.anomalies - 2_592) < 235)
    }

    @Test func withoutAnomaliesNothingPassesTheDefaultThresholds() {
        let (readings, counters) = run(floors: Array(1...10), hours: 7 * 24) { $0.anomalyRate = 0 }
        var detector = ThresholdDetector()
        let raised = readings.reduce(0) {
            $0 + detector.handle($1, thresholds: Thresholds(), nowMs: $1.timestampMs).count
        }
        #expect(counters.anomalies == 0)
        #expect(raised == 0)
        #expect(detector.counters.judged == 10 * 7 * 24 * 120)
    }

    @Test func anomaliesRaiseAlerts() {
        var detector = ThresholdDetector()
        var types: Set<AlertType> = []
        for reading in run(hours: 24).readings {
            let alerts = detector.handle(reading, thresholds: Thresholds(), nowMs: reading.timestampMs)
            types.formUnion(alerts.map(\.type))
        }
        #expect(types == Set(AlertType.allCases))
    }

    @Test func workingHoursAndDaysShowInThePower() {
        let readings = run(floors: [1], hours: 7 * 24) { $0.anomalyRate = 0 }.readings
        func mean(day: Int64, hour: Int64) -> Double {
            let from = monday + (day * 24 + hour) * 3_600_000
            let inside = readings.filter { $0.timestampMs >= from && $0.timestampMs < from + 3_600_000 }.map(\.kw)
            return inside.reduce(0, +) / Double(inside.count)
        }
        #expect(mean(day: 1, hour: 11) > 3 * mean(day: 1, hour: 3))
        #expect(mean(day: 1, hour: 11) > 1.7 * mean(day: 6, hour: 11))
        #expect(abs(mean(day: 1, hour: 3) - 7 * 0.25) < 0.1)
    }

    @Test func aRestartGoesOnFromItsRegister() {
        var simulator = MeterSimulator(
            floors: [4], registersKwh: [4: 7_654.321], startMs: monday, settings: SimulatorSettings(),
            generator: EnergyTestGenerator(state: 3))
        #expect(simulator.handle(nowMs: monday).map(\.kwh) == [7_654.321])
    }

    @Test func missedRoundsAreLeftOut() {
        var simulator = MeterSimulator(
            floors: [1, 2], startMs: monday, settings: SimulatorSettings(), generator: EnergyTestGenerator(state: 3))
        #expect(simulator.handle(nowMs: monday + 10).count == 2)
        let late = simulator.handle(nowMs: monday + 3_600_010)
        #expect(late.count == 2)
        #expect(simulator.counters.skipped == 2 * 119)
        #expect(late.allSatisfy { $0.timestampMs >= monday + 3_600_000 })
    }

    @Test func manyMetersAreSpreadOverTheInterval() {
        var simulator = MeterSimulator(
            floors: Array(0..<100_000), startMs: monday, settings: SimulatorSettings(),
            generator: EnergyTestGenerator(state: 3))
        var count = 0
        for second in 0..<Int64(30) {
            var inSecond = 0
            while true {
                let batch = simulator.handle(nowMs: monday + second * 1_000 + 999)
                if batch.isEmpty { break }
                inSecond += batch.count
            }
            #expect((3_300...3_400).contains(inSecond))
            count += inSecond
        }
        #expect(count == 100_000)
    }
}
