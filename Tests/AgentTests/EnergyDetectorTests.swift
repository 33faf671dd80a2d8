import EnergyRules
import Foundation
import Testing

@Suite struct EnergyDetectorTests {
    private let start: Int64 = 1_716_116_592_000
    private let thresholds = Thresholds()

    /// Feeds floor 1 with powers, `step` seconds apart, and returns the index of each reading that raised `kw_over`.
    private func powerEdges(_ powers: [Double], step: Int64 = 60) -> [Int] {
        var detector = ThresholdDetector()
        var edges: [Int] = []
        for (index, kw) in powers.enumerated() {
            let alerts = detector.handle(
                reading(kw: kw, seconds: Int64(index) * step), thresholds: thresholds, nowMs: start + 86_400_000)
            if alerts.contains(where: { $0.type == .kwOver }) { edges.append(index) }
        }
        return edges
    }

    private func reading(
        piano: Int = 1, kwh: Double = 100, kw: Double = 5, amp: Double = 10, volt: Double = 230, seconds: Int64
    ) -> Reading {
        Reading(piano: piano, kwh: kwh, kw: kw, amp: amp, volt: volt, timestampMs: start + seconds * 1_000)
    }

    @Test func anExcessIsOneAlertUntilItIsOver() {
        #expect(powerEdges([9, 11, 12, 13, 9, 11, 9]) == [1, 5])
    }

    @Test func theThresholdItselfIsAllowed() {
        #expect(powerEdges([10, 10, 10.001]) == [2])
    }

    /// Strictly over and strictly under, as the pages mark values.
    @Test func everyLimitItselfIsAllowed() {
        let limit = FloorThresholds(kw: 10, amp: 32, voltMin: 207, voltMax: 253, dkwh: 0.25)
        func types(kwh: Double, kw: Double, amp: Double, volt: Double) -> [AlertType] {
            var detector = ThresholdDetector()
            let own = Thresholds(standard: limit)
            _ = detector.handle(reading(kwh: 100, seconds: 0), thresholds: own, nowMs: start + 3_600_000)
            return detector.handle(
                reading(kwh: kwh, kw: kw, amp: amp, volt: volt, seconds: 60), thresholds: own,
                nowMs: start + 3_600_000
            ).map(\.type)
        }
        #expect(types(kwh: 100.25, kw: 10, amp: 32, volt: 253) == [])
        #expect(types(kwh: 100.25, kw: 10, amp: 32, volt: 207) == [])
        #expect(
            types(kwh: 100.25.nextUp, kw: 10.0.nextUp, amp: 32.0.nextUp, volt: 253.0.nextUp)
                == [.kwOver, .ampOver, .voltOver, .dkwhOver])
        #expect(types(kwh: 100, kw: 0, amp: 0, volt: 207.0.nextDown) == [.voltUnder])
    }

    @Test func noiseAroundTheThresholdIsOneAlert() {
        // Back only at 9.5 kW (5 % below): 9.51 does not end the excess, 9.5 does.
        #expect(powerEdges([10.1, 9.9, 10.1, 9.51, 10.1]) == [0])
        #expect(powerEdges([10.1, 9.5, 10.1]) == [0, 2])
    }

    @Test func theCoolDownRunsInTheReadingsTime() {
        // Edges every 20 s: the second falls into the 30 s after the first and waits for the next reading over.
        #expect(powerEdges([11, 9, 11, 9, 11], step: 10) == [0, 4])
        #expect(powerEdges([11, 9, 11, 11, 11], step: 10) == [0, 3])
        // The same edges a minute apart in data time are all raised, whatever the clock says.
        #expect(powerEdges([11, 9, 11, 9, 11], step: 60) == [0, 2, 4])
    }

    @Test func eachLimitHasItsAlert() {
        var detector = ThresholdDetector()
        let now = start + 3_600_000
        #expect(detector.handle(reading(seconds: 0), thresholds: thresholds, nowMs: now) == [])
        let alerts = detector.handle(
            reading(kwh: 100.25, kw: 12, amp: 48, volt: 260, seconds: 60), thresholds: thresholds, nowMs: now)
        #expect(alerts.map(\.type) == [.kwOver, .ampOver, .voltOver, .dkwhOver])
        #expect(alerts.map(\.value) == [12, 48, 260, 0.25])
        #expect(alerts.map(\.threshold) == [10, 32, 253, 0.2])
        // 20 %, 50 % and 2.8 % over, 25 % over.
        #expect(alerts.map(\.severity) == [.warning, .critical, .warning, .warning])
        let low = detector.handle(
            reading(kwh: 100.26, volt: 206.9, seconds: 120), thresholds: thresholds, nowMs: now)
        #expect(low.map(\.type) == [.voltUnder])
        #expect(low.map(\.severity) == [.info])
    }

    @Test func theIdIsMadeFromFloorTimeAndType() {
        var detector = ThresholdDetector()
        let alerts = detector.handle(
            reading(piano: 12, kw: 20, seconds: 0), thresholds: thresholds, nowMs: start)
        #expect(alerts.map(\.id) == ["12:1716116592:kw_over"])
    }

    @Test func lateAndDuplicateReadingsChangeNothing() {
        var detector = ThresholdDetector()
        let now = start + 3_600_000
        _ = detector.handle(reading(seconds: 100), thresholds: thresholds, nowMs: now)
        let before = detector.state(floor: 1)
        #expect(detector.handle(reading(kwh: 900, kw: 99, seconds: 99), thresholds: thresholds, nowMs: now) == [])
        #expect(detector.handle(reading(kwh: 900, kw: 99, seconds: 100), thresholds: thresholds, nowMs: now) == [])
        #expect(detector.state(floor: 1) == before)
        #expect(detector.counters.late == 1)
        #expect(detector.counters.duplicates == 1)
    }

    @Test func aReadingFromTheFutureDoesNotMakeTheNextOnesLate() {
        var detector = ThresholdDetector()
        #expect(detector.handle(reading(kw: 99, seconds: 7_200), thresholds: thresholds, nowMs: start) == [])
        #expect(detector.counters.invalid == 1)
        #expect(detector.handle(reading(kw: 99, seconds: 0), thresholds: thresholds, nowMs: start).count == 1)
    }

    @Test func aResetRegisterIsNoIncrease() {
        var detector = ThresholdDetector()
        let now = start + 3_600_000
        _ = detector.handle(reading(kwh: 5_000, seconds: 0), thresholds: thresholds, nowMs: now)
        #expect(detector.handle(reading(kwh: 0, seconds: 30), thresholds: thresholds, nowMs: now) == [])
        let jump = detector.handle(reading(kwh: 0.3, seconds: 60), thresholds: thresholds, nowMs: now)
        #expect(jump.map(\.type) == [.dkwhOver])
    }

    @Test func floorsAreJudgedEachForItself() {
        var detector = ThresholdDetector()
        let own = Thresholds(perFloor: [2: ThresholdOverride(kw: 4)])
        let now = start + 3_600_000
        #expect(detector.handle(reading(piano: 1, seconds: 0), thresholds: own, nowMs: now) == [])
        #expect(detector.handle(reading(piano: 2, seconds: 0), thresholds: own, nowMs: now).map(\.piano) == [2])
    }

    @Test func aChangedThresholdIsInForceAtTheNextReading() {
        var detector = ThresholdDetector()
        let now = start + 3_600_000
        #expect(detector.handle(reading(kw: 8, seconds: 0), thresholds: thresholds, nowMs: now) == [])
        var lower = thresholds
        lower.standard.kw = 7
        #expect(detector.handle(reading(kw: 8, seconds: 1), thresholds: lower, nowMs: now).map(\.type) == [.kwOver])
    }

    @Test func aRestartedDetectorGoesOn() throws {
        var running = ThresholdDetector()
        let now = start + 3_600_000
        _ = running.handle(reading(kw: 11, seconds: 0), thresholds: thresholds, nowMs: now)
        let stored = try JSONEncoder().encode(try #require(running.state(floor: 1)))
        var restarted = ThresholdDetector()
        restarted.restore(try JSONDecoder().decode(FloorState.self, from: stored), floor: 1)
        #expect(restarted.state(floor: 1) == running.state(floor: 1))
        // Still over: no second alert, from either.
        #expect(restarted.handle(reading(kw: 12, seconds: 60), thresholds: thresholds, nowMs: now) == [])
        #expect(restarted.handle(reading(kw: 9, seconds: 120), thresholds: thresholds, nowMs: now) == [])
        #expect(restarted.handle(reading(kw: 12, seconds: 180), thresholds: thresholds, nowMs: now).count == 1)
    }
}
