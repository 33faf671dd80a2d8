import EnergyRules
import Foundation
import Testing
import Wire

@testable import Energy

@Suite struct EnergyBaselineTests {
    /// 2024-05-13T00:00:00Z, a Monday.
    private let monday: Int64 = 1_715_558_400_000

    /// A floor's readings: its day, noise of a fixed seed, and a register that is exchanged once.
    private func readings(_ count: Int, everyMs: Int64 = 420_000, seed: UInt64 = 1) -> [Reading] {
        var random = seed
        func noise() -> Double {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(random >> 11) / Double(1 << 53)
        }
        var kwh = 1_000.0
        return (0..<count).map { index in
            let kw = 3 + 2 * noise()
            kwh = index == count / 2 ? 0 : kwh + kw * Double(everyMs) / 3_600_000
            return Reading(
                piano: 1, kwh: kwh, kw: kw, amp: kw * 2.7, volt: 230 + noise(),
                timestampMs: monday + Int64(index) * everyMs)
        }
    }

    /// What a detector makes of readings: each with what it says after the ones before.
    private func observations(_ readings: [Reading]) -> [Observation] {
        var state: FloorState?
        return readings.map { reading in
            let observation = Observation(reading, after: state)
            var next = FloorState()
            next.lastKwh = reading.kwh
            state = next
            return observation
        }
    }

    private func learned(_ observations: [Observation], utcOffsetMinutes: Int = 0) -> Baseline {
        var baseline = Baseline(utcOffsetMinutes: utcOffsetMinutes)
        for observation in observations { baseline.learn(observation) }
        return baseline
    }

    // MARK: The rule

    @Test(arguments: [0, 60, -210])
    func itIsWhatTwoPassesOverTheReadingsGive(offset: Int) throws {
        let readings = readings(4_000)
        let baseline = learned(observations(readings), utcOffsetMinutes: offset)
        // Weekdays and times of day by the calendar, increases by subtraction.
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: offset * 60))
        var groups: [Int: [Metric: [Double]]] = [:]
        for (index, reading) in readings.enumerated() {
            let date = Date(timeIntervalSince1970: Double(reading.timestampMs) / 1_000)
            let parts = calendar.dateComponents([.weekday, .hour, .minute], from: date)
            let weekday = (try #require(parts.weekday) + 5) % 7
            let slot = try #require(parts.hour) * 2 + (try #require(parts.minute) >= 30 ? 1 : 0)
            var values: [(Metric, Double)] = [(.kw, reading.kw), (.amp, reading.amp), (.volt, reading.volt)]
            if index > 0, index != readings.count / 2 { values.append((.dkwh, reading.kwh - readings[index - 1].kwh)) }
            for (metric, value) in values {
                groups[weekday * 48 + slot, default: [:]][metric, default: []].append(value)
            }
        }
        #expect(baseline.places.map { $0.weekday * 48 + $0.slot } == groups.keys.sorted())
        #expect(baseline.places.count == 336)
        for place in baseline.places {
            let group = try #require(groups[place.index])
            let bucket = try #require(baseline[place])
            for metric in Metric.allCases {
                let values = group[metric] ?? []
                let mean = values.reduce(0, +) / Double(values.count)
                let squares = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
                let deviation = (squares / Double(values.count - 1)).squareRoot()
                #expect(bucket[metric].count == values.count)
                #expect(abs(bucket[metric].mean - mean) <= 1e-12 * abs(mean))
                #expect(abs(bucket[metric].standardDeviation - deviation) <= 1e-9 * deviation)
            }
        }
    }

    @Test func aSmallSpreadOfLargeValuesIsNotLost() {
        var statistics = RunningStatistics()
        for value in [4.0, 7, 13, 16] { statistics.add(1e9 + value) }
        #expect(statistics.mean == 1e9 + 10)
        // 36 + 9 + 9 + 36 = 90, over 3.
        #expect(statistics.standardDeviation == 30.0.squareRoot())
        var steady = RunningStatistics()
        for _ in 0..<100_000 { steady.add(231.7) }
        #expect(steady.mean == 231.7)
        #expect(steady.standardDeviation == 0)
    }

    @Test func fewerThanTwoValuesHaveNoSpread() {
        var statistics = RunningStatistics()
        #expect(statistics.standardDeviation == 0 && statistics.mean == 0 && statistics.count == 0)
        statistics.add(-3)
        #expect(statistics.standardDeviation == 0 && statistics.mean == -3 && statistics.count == 1)
    }

    @Test func halfHoursBeginOnTheHalfHourAndWeeksOnMonday() {
        func place(_ ms: Int64, _ offset: Int = 0) -> [Int] {
            let place = Baseline.Place(ms: ms, utcOffsetMinutes: offset)
            return [place.weekday, place.slot]
        }
        #expect(place(monday) == [0, 0])
        #expect(place(monday - 1) == [6, 47])
        #expect(place(monday + 1_799_999) == [0, 0])
        #expect(place(monday + 1_800_000) == [0, 1])
        #expect(place(monday + 7 * 86_400_000) == [0, 0])
        #expect(place(monday, 60) == [0, 2])
        #expect(place(monday, -30) == [6, 47])
        // 1970-01-01 was a Thursday; 1969-12-31T23:59:59.999Z a Wednesday.
        #expect(place(0) == [3, 0])
        #expect(place(-1) == [2, 47])
        #expect(Baseline.Place(index: 336) == nil && Baseline.Place(index: -1) == nil)
    }

    @Test func theIncreaseIsUnknownAtFirstAndWhenTheRegisterWentBack() {
        let readings = [100.0, 100.5, 3, 3.25].enumerated().map { index, kwh in
            Reading(piano: 1, kwh: kwh, kw: 5, amp: 10, volt: 230, timestampMs: monday + Int64(index) * 1_000)
        }
        #expect(observations(readings).map(\.dkwh) == [nil, 0.5, nil, 0.25])
    }

    @Test func whatComesAgainIsNotLearnedAgain() {
        let all = observations(readings(500))
        var baseline = learned(all)
        let once = baseline
        for observation in all.reversed() + all {
            let isNew = baseline.learn(observation)
            #expect(!isNew)
        }
        #expect(baseline == once)
        #expect(once.throughMs == all.last?.timestampMs)
    }

    // MARK: Documents

    @Test func aStoredBaselineComesBackToTheLastBit() throws {
        let stored = LearnedBaseline(partition: 3, offset: 12_345, baseline: learned(observations(readings(2_000))))
        let bytes = try EnergyJSON.encode(stored)
        #expect(try EnergyJSON.decode(LearnedBaseline.self, bytes) == stored)
        let empty = LearnedBaseline(partition: 0, offset: 0, baseline: Baseline())
        #expect(try EnergyJSON.decode(LearnedBaseline.self, EnergyJSON.encode(empty)) == empty)
    }

    @Test func aFullBaselineIsBounded() throws {
        // Values with as many digits as there can be, for three weeks: every bucket is there.
        let baseline = learned(observations(readings(3 * 336 * 6, everyMs: 300_000)))
        #expect(baseline.places.count == 336)
        let bytes = try EnergyJSON.encode(LearnedBaseline(partition: 7, offset: 1 << 60, baseline: baseline))
        #expect(bytes.count < 80 << 10)
        #expect(bytes.count < WireLimits.valueBytesMax / 8)
    }

    @Test func aDamagedBaselineIsRefused() {
        func read(_ rows: String) -> Bool {
            let text = #"{"partition":0,"offset":1,"through_ms":5,"utc_offset_minutes":0,"buckets":[\#(rows)]}"#
            return (try? EnergyJSON.decode(LearnedBaseline.self, Array(text.utf8))) != nil
        }
        let good = "1,5.5,0,1,2,0,1,230,0,0,0,0"
        #expect(read("[0,\(good)],[335,\(good)]"))
        #expect(!read("[336,\(good)]"))
        #expect(!read("[-1,\(good)]"))
        #expect(!read("[4,\(good)],[4,\(good)]"))
        #expect(!read("[4,1,5.5,-1,1,2,0,1,230,0,0,0,0]"))
        #expect(!read("[4,-1,5.5,0,1,2,0,1,230,0,0,0,0]"))
        #expect(!read("[4,0,5.5,0,1,2,0,1,230,0,0,0,0]"))
        #expect(!read("[4,1,5.5]"))
    }

    @Test func theContractsDocumentHasOnlyWhatIsKnown() throws {
        let first = Reading(piano: 1, kwh: 10, kw: 4, amp: 11, volt: 230, timestampMs: monday + 1_800_000)
        var second = first
        second.timestampMs += 60_000
        second.kw = 6
        second.kwh = 10.5
        let one = BaselineDocument(piano: 4, baseline: learned(observations([first])))
        #expect(
            String(decoding: try one.encoded(), as: UTF8.self)
                == #"{"buckets":[{"metrics":{"amp":{"count":1,"mean":11,"sd":0},"kw":{"count":1,"mean":4,"sd":0},"#
                + #""volt":{"count":1,"mean":230,"sd":0}},"slot":1,"weekday":0}],"piano":4,"timezone":"UTC"}"#)
        let two = BaselineDocument(piano: 4, baseline: learned(observations([first, second]), utcOffsetMinutes: -90))
        let json = try #require(try JSONSerialization.jsonObject(with: Data(two.encoded())) as? [String: Any])
        #expect(json["timezone"] as? String == "UTC-01:30")
        let bucket = try #require((json["buckets"] as? [[String: Any]])?.first)
        #expect(bucket["weekday"] as? Int == 6 && bucket["slot"] as? Int == 46)
        let metrics = try #require(bucket["metrics"] as? [String: [String: Double]])
        #expect(metrics["kw"] == ["mean": 5, "sd": 2.0.squareRoot(), "count": 2])
        #expect(metrics["dkwh"] == ["mean": 0.5, "sd": 0, "count": 1])
        #expect(try BaselineDocument(piano: 1, baseline: Baseline()).encoded().count > 0)
        #expect(BaselineSettings.zoneName(utcOffsetMinutes: 330) == "UTC+05:30")
    }

    @Test func anotherClockBeginsAnewAndRelearnsNothing() throws {
        let all = observations(readings(100))
        let stored = LearnedBaseline.learning(
            Array(all[..<50]), stored: nil, partition: 0, offset: 50, settings: BaselineSettings())
        var settings = BaselineSettings()
        settings.utcOffsetMinutes = 60
        let anew = try #require(
            LearnedBaseline.learning(all, stored: stored, partition: 0, offset: 100, settings: settings))
        #expect(anew.baseline == learned(Array(all[50...]), utcOffsetMinutes: 60))
        #expect(
            LearnedBaseline.learning(all, stored: anew, partition: 0, offset: 100, settings: settings) == nil)
    }

    @Test func observationsThatWaitComeBackWithTheState() throws {
        let waiting = observations(readings(7))
        let document = DetectorDocument(partition: 1, offset: 7, state: FloorState(), alerts: nil, waiting: waiting)
        let bytes = try EnergyJSON.encode(document)
        #expect(try EnergyJSON.decode(DetectorDocument.self, bytes) == document)
        let before = DetectorDocument(partition: 1, offset: 7, state: FloorState(), alerts: nil)
        #expect(try !String(decoding: EnergyJSON.encode(before), as: UTF8.self).contains("waiting"))
        #expect((try? EnergyJSON.decode(Observation.self, Array("[9223372036854775807,1,1,1,1]".utf8))) == nil)
    }
}
