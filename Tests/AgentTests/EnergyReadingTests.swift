import EnergyRules
import Testing

@Suite struct EnergyReadingTests {
    /// 2024-05-19T11:03:12.123Z.
    private let now: Int64 = 1_716_116_592_123

    private func reading(
        piano: Int = 1, kwh: Double = 1000.315, kw: Double = 6.2, amp: Double = 16.8, volt: Double = 231.5,
        at: Int64 = 1_716_116_592_123
    ) -> Reading {
        Reading(piano: piano, kwh: kwh, kw: kw, amp: amp, volt: volt, timestampMs: at)
    }

    private func badFields(_ reading: Reading) -> [String] {
        reading.problems(nowMs: now, limits: ReadingLimits()).map(\.field)
    }

    @Test func theExampleOfTheContractIsGood() {
        #expect(badFields(reading()) == [])
    }

    @Test func everyBadFieldIsNamed() {
        let bad = Reading(piano: -1, kwh: .nan, kw: -0.1, amp: .infinity, volt: -231, timestampMs: 0)
        #expect(
            badFields(bad) == [
                "piano", "sensore1_kwh", "sensore2_kw", "sensore3_corrente", "sensore3_tensione", "timestamp",
            ])
    }

    @Test func zeroIsAMeasurement() {
        #expect(badFields(reading(piano: 0, kwh: 0, kw: 0, amp: 0, volt: 0)) == [])
    }

    @Test func timesAreBoundedOnBothSides() {
        #expect(badFields(reading(at: 946_684_799_999)) == ["timestamp"])
        #expect(badFields(reading(at: 946_684_800_000)) == [])
        #expect(badFields(reading(at: now + 300_000)) == [])
        #expect(badFields(reading(at: now + 300_001)) == ["timestamp"])
        #expect(badFields(reading(at: .max)) == ["timestamp"])
        #expect(badFields(reading(at: .min)) == ["timestamp"])
    }
}

@Suite struct EnergyThresholdsTests {
    @Test func theDefaultsAreValid() {
        #expect(Thresholds().problems() == [])
    }

    @Test func anOverrideKeepsWhatItDoesNotName() {
        let thresholds = Thresholds(perFloor: [3: ThresholdOverride(kw: 4.5, voltMax: 240)])
        let third = thresholds.effective(floor: 3)
        #expect(third == FloorThresholds(kw: 4.5, amp: 32, voltMin: 207, voltMax: 240, dkwh: 0.2))
        #expect(thresholds.effective(floor: 2) == .building)
    }

    @Test func everyBadFieldIsNamedWithItsPath() {
        let thresholds = Thresholds(
            standard: FloorThresholds(kw: 0, amp: .nan, voltMin: -1, voltMax: 253, dkwh: -0.2),
            perFloor: [2: ThresholdOverride(dkwh: .infinity), 1: ThresholdOverride(voltMin: 260)])
        #expect(
            thresholds.problems().map(\.field) == [
                "default.kw", "default.amp", "default.volt_min", "default.dkwh", "per_floor.1.volt_min",
                "per_floor.2.dkwh",
            ])
    }

    @Test func theLowerVoltageMustBeBelowTheUpper() {
        var thresholds = Thresholds()
        thresholds.standard.voltMin = 253
        #expect(thresholds.problems().map(\.field) == ["default.volt_min"])
        let crossed = Thresholds(perFloor: [7: ThresholdOverride(voltMax: 200)])
        #expect(crossed.problems().map(\.field) == ["per_floor.7.volt_max"])
    }

    @Test func aFloorMustBeAFloor() {
        let thresholds = Thresholds(perFloor: [-2: ThresholdOverride(kw: 1)])
        #expect(thresholds.problems().map(\.field) == ["per_floor.-2"])
    }
}
