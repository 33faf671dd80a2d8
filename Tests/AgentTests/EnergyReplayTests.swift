import EnergyRules
import Foundation
import Testing

/// The excerpt of real meter data that ships with the project.
func energySampleText() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(
        contentsOf: root.appendingPathComponent("Tests/AgentTests/Data/household-december-20.csv"), encoding: .utf8)
}

@Suite struct EnergyMeterFileTests {
    private let householdHeader =
        "Date;Time;Global_active_power;Global_reactive_power;Voltage;Global_intensity;Sub_metering_1;Sub_metering_2;"
        + "Sub_metering_3\n"

    private func parse(_ text: String) throws -> MeterSeries {
        try MeterSeries(text: text, parseTimestamp: { _ in nil })
    }

    @Test func theExcerptHasTheFiguresOfItsReadme() throws {
        let series = try parse(energySampleText())
        #expect(series.format == .household)
        #expect(series.samples.count == 2_878)
        #expect(series.lines.bad == 0)
        #expect(series.lines.missing == 2)
        #expect(series.lines.reported.map(\.number) == [2_125, 2_126])
        #expect(abs(series.totalKwh - 65.7062) < 0.000_05)
        #expect(series.samples.map(\.kw).max() == 5.988)
        #expect(series.samples.map(\.amp).max() == 25.4)
        #expect(series.samples.map(\.volt).min() == 228.91)
        #expect(series.samples.map(\.volt).max() == 249.48)
    }

    @Test func theShippedFileHasTheFiguresOfItsReadme() throws {
        let shipped = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../deploy/sample-data/meter.csv")
        let series = try parse(String(contentsOf: shipped, encoding: .utf8))
        #expect(series.samples.count == 2_880)
        #expect(series.lines.bad == 0)
        #expect(series.lines.missing == 0)
        #expect(abs(series.totalKwh - 98.5838) < 0.000_05)
        #expect(series.samples.map(\.kw).max() == 7.706)
        #expect(series.samples.map(\.amp).max() == 33.2)
        #expect(series.samples.map(\.volt).min() == 229.57)
        #expect(series.samples.map(\.volt).max() == 249.37)
    }

    @Test func localTimeIsTakenToUTC() throws {
        let series = try parse(energySampleText())
        // 2006-12-20 00:00 and 2006-12-21 23:59 in UTC+1 (`date -d "2006-12-20 00:00 +0100" +%s`).
        #expect(series.samples.first?.timestampMs == 1_166_569_200_000)
        #expect(series.samples.last?.timestampMs == 1_166_741_940_000)
    }

    @Test func badLinesAreCountedAndNamedNeverFatal() throws {
        let series = try parse(
            householdHeader + """
                16/12/2006;17:24:00;4.216;0.418;234.840;18.400;0.000;1.000;17.000
                not a row
                31/2/2006;17:25:00;4.216;0.418;234.840;18.400;0.000;1.000;17.000
                16/12/2006;17:26:00;-4.2;0.418;234.840;18.400;0.000;1.000;17.000

                16/12/2006;17:27:00;nan;0.418;234.840;18.400;0.000;1.000;17.000
                16/12/2006;17:28:00;?;?;?;?;?;?;
                16/12/2006;17:23:00;4.216;0.418;234.840;18.400;0.000;1.000;17.000
                16/12/2006;17:29:00;6.000;0.436;233.630;23.000;0.000;1.000;16.000
                """)
        #expect(series.samples.map(\.kw) == [4.216, 6])
        #expect(series.lines.bad == 5)
        #expect(series.lines.missing == 1)
        #expect(series.lines.reported.map(\.number) == [3, 4, 5, 7, 8, 9])
        #expect(abs(series.totalKwh - 10.216 / 60) < 1e-12)
    }

    @Test func linesMayEndAsOnWindows() throws {
        let text = householdHeader + "16/12/2006;17:24:00;4.216;0.418;234.840;18.400;0.000;1.000;17.000\n"
        let windows = "\u{FEFF}" + text.replacingOccurrences(of: "\n", with: "\r\n")
        #expect(try parse(windows).samples == parse(text).samples)
    }

    @Test func floorsKeepTheirRegister() throws {
        let series = try parse(
            """
            t_ms,power_w,current_a,energy_wh
            1401595224000,1333.8,1.947,32013198
            1401595254000,1332.4,1.945,32013210
            1401595284000,0,0,32013220
            """)
        #expect(series.format == .floors)
        #expect(series.samples.map(\.kwh) == [32_013.198, 32_013.210, 32_013.220])
        #expect(abs(series.totalKwh - 0.022) < 1e-9)
        // 1333.8 / (3 · 1.947 · 0.97) V; nothing can be derived from no current.
        #expect(abs((series.samples.first?.volt ?? 0) - 235.42) < 0.01)
        #expect(series.samples.last?.volt == 230)
    }

    @Test func withoutARegisterPowerIsIntegrated() throws {
        // A trapezoid of half an hour from 2 to 4 kW in steps of ten minutes: 1.5 kWh; then a gap that counts nothing.
        let series = try parse(
            """
            t_ms,power_w,current_a
            1000000000000,2000,3
            1000000600000,2666.6666,4
            1000001200000,3333.3333,5
            1000001800000,4000,6
            1000009000000,4000,6
            """)
        #expect(abs(series.totalKwh - 1.5) < 1e-6)
    }

    @Test func ourOwnReadingsAreReadInAnyColumnOrder() throws {
        let series = try MeterSeries(
            text: """
                timestamp,piano,sensore1_kwh,sensore2_kw,sensore3_corrente,sensore3_tensione
                noon,2,10.5,1,2,230
                1000,1,20.5,1.5,2,231
                never,1,1,1,1,1
                """,
            parseTimestamp: { $0 == "noon" ? 43_200_000 : nil })
        #expect(series.samples.map(\.piano) == [1, 2])
        #expect(series.samples.map(\.timestampMs) == [1_000, 43_200_000])
        #expect(series.lines.reported.map(\.number) == [4])
    }

    @Test func whatIsNoMeterFileIsRefused() {
        #expect(throws: MeterFileError.unknownFormat(firstLine: "a,b,c")) { try parse("a,b,c\n1,2,3\n") }
        #expect(throws: MeterFileError.unknownFormat(firstLine: "")) { try parse("") }
        #expect(throws: MeterFileError.self) { try parse(householdHeader + "?;?;?\n") }
    }
}

@Suite struct EnergyReplayTests {
    private let start: Int64 = 1_800_000_000_000

    private func excerpt() throws -> MeterSeries {
        try MeterSeries(text: energySampleText(), parseTimestamp: { _ in nil })
    }

    /// Plays to the end; each reading with the clock at which it was made.
    private func play(_ replay: MeterReplay) -> [(clockMs: Int64, reading: Reading)] {
        var replay = replay
        var played: [(clockMs: Int64, reading: Reading)] = []
        while let due = replay.nextDueMs {
            played.append(contentsOf: replay.handle(nowMs: due).map { (due, $0) })
        }
        return played
    }

    @Test func theFirstFloorHasTheFilesOwnValues() throws {
        let series = try excerpt()
        let replay = try MeterReplay(
            series: series, floors: [1, 2], startMs: start, speed: 3_600, stamps: .original)
        let first = play(replay).map(\.reading).filter { $0.piano == 1 }
        #expect(first.map(\.kw) == series.samples.map(\.kw))
        #expect(first.map(\.timestampMs) == series.samples.map(\.timestampMs))
        #expect(abs((first.last?.kwh ?? 0) - 1_065.7062) < 0.000_05)
    }

    @Test func floorsDifferByShiftAndFactor() throws {
        let series = try excerpt()
        let replay = try MeterReplay(
            series: series, floors: [1, 2], startMs: start, speed: 3_600, stamps: .original)
        let second = play(replay).map(\.reading).filter { $0.piano == 2 }
        #expect(second.count == series.samples.count)
        #expect(second.first?.timestampMs == series.samples[0].timestampMs + 420_000)
        #expect(abs((second.last?.kwh ?? 0) - (1_000 + 0.8 * 65.7062)) < 0.000_05)
        #expect(abs((second.map(\.kw).max() ?? 0) - 0.8 * 5.988) < 0.000_6)
    }

    @Test func theSpeedFactorShortensTheReplayNotTheData() throws {
        let series = try excerpt()
        let played = play(try MeterReplay(series: series, floors: [1], startMs: start, speed: 60))
        // 2 days less a minute at 60 times the speed.
        #expect(played.last?.clockMs == start + 172_740_000 / 60)
        let steps = zip(played, played.dropFirst()).map { $1.reading.timestampMs - $0.reading.timestampMs }
        #expect(steps.filter { $0 != 60_000 } == [180_000])
    }

    @Test func shiftedStampsAreNeverAheadAndMeetTheClockAtTheEnd() throws {
        let series = try excerpt()
        for speed in [0.5, 1, 7, 60, 86_400] {
            let played = play(try MeterReplay(series: series, floors: [1, 2, 3], startMs: start, speed: speed))
            #expect(played.count == 3 * 2_878)
            #expect(played.allSatisfy { $0.reading.timestampMs <= $0.clockMs })
            if speed >= 1, let last = played.last {
                #expect(last.clockMs - last.reading.timestampMs <= 2)
            }
        }
    }

    @Test func registersGoOn() throws {
        let replay = try MeterReplay(
            series: excerpt(), floors: [5], registersKwh: [5: 321], startMs: start, speed: 3_600)
        let readings = play(replay).map(\.reading)
        #expect(abs((readings.last?.kwh ?? 0) - 386.7062) < 0.000_05)
        #expect((readings.first?.kwh ?? 0) >= 321)
    }

    @Test func aFileOfReadingsKeepsItsFloors() throws {
        let series = try MeterSeries(
            text: """
                piano,sensore1_kwh,sensore2_kw,sensore3_corrente,sensore3_tensione,timestamp
                1,10,1,2,230,1000000000000
                2,20,2,3,231,1000000000000
                1,11,1,2,230,1000000030000
                """,
            parseTimestamp: { _ in nil })
        let all = play(try MeterReplay(series: series, floors: [], startMs: start, speed: 1, stamps: .original))
        #expect(all.map(\.reading.piano) == [1, 2, 1])
        #expect(all.map(\.clockMs) == [start, start, start + 30_000])
        #expect(all.map(\.reading.kwh) == [10, 20, 11])
        let second = play(try MeterReplay(series: series, floors: [2], startMs: start, speed: 1))
        #expect(second.map(\.reading.kwh) == [20])
        #expect(throws: MeterReplayError.noFloors) {
            try MeterReplay(series: series, floors: [9], startMs: start, speed: 1)
        }
    }

    @Test func impossibleSpeedsAreRefused() throws {
        let series = try excerpt()
        for speed in [0, -1, .nan, .infinity] {
            #expect(throws: MeterReplayError.self) {
                try MeterReplay(series: series, floors: [1], startMs: start, speed: speed)
            }
        }
    }

    /// The counts were made by another program from the file's decimal text with exact fractions.
    @Test(arguments: [1.0, 600.0])
    func alertsOnRealDataDoNotDependOnTheSpeed(speed: Double) throws {
        let limits = FloorThresholds(kw: 5, amp: 20, voltMin: 233, voltMax: 246, dkwh: 0.0801)
        var detector = ThresholdDetector()
        var counts: [AlertType: Int] = [:]
        let replay = try MeterReplay(series: excerpt(), floors: [1], startMs: start, speed: speed)
        for (clock, reading) in play(replay) {
            let thresholds = Thresholds(standard: limits)
            for alert in detector.handle(reading, thresholds: thresholds, nowMs: clock) {
                counts[alert.type, default: 0] += 1
            }
        }
        #expect(counts == [.kwOver: 5, .ampOver: 8, .voltOver: 11, .voltUnder: 4, .dkwhOver: 8])
    }
}
