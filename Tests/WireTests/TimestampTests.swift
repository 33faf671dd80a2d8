import Testing
import Wire

/// Expected numbers are those of `date -u -d TEXT +%s`.
@Suite struct TimestampTests {
    @Test(arguments: [
        (UInt64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"), (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
        (1_767_225_600_000, "2026-01-01T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func momentsAndTheirText(ms: UInt64, text: String) {
        #expect(Timestamp.rfc3339(milliseconds: ms) == text)
        #expect(Timestamp.milliseconds(rfc3339: text) == ms)
    }

    @Test func momentsBeyondTheYear9999AreClamped() {
        #expect(Timestamp.rfc3339(milliseconds: .max) == "9999-12-31T23:59:59.999Z")
    }

    @Test func everyDayOfFourCenturiesComesBack() {
        var days = 0
        for ms in stride(from: UInt64(43_200_000), to: 13_000_000_000_000, by: 86_400_000) {
            days += Timestamp.milliseconds(rfc3339: Timestamp.rfc3339(milliseconds: ms)) == ms ? 1 : 0
        }
        #expect(days == 150_463)
    }

    @Test(arguments: [
        ("2026-01-01T01:00:00+01:00", UInt64(1_767_225_600_000)), ("2025-12-31T19:00:00-05:00", 1_767_225_600_000),
        ("2026-01-01t00:00:00z", 1_767_225_600_000), ("2026-01-01 00:00:00Z", 1_767_225_600_000),
        ("2026-01-01T00:00:00.5Z", 1_767_225_600_500), ("2026-01-01T00:00:00.1239999Z", 1_767_225_600_123),
        ("2026-01-01T00:00:00-00:00", 1_767_225_600_000), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("1970-01-01T02:00:00+02:00", 0), ("2026-01-01T05:45:00+05:45", 1_767_225_600_000),
    ])
    func otherSpellings(text: String, ms: UInt64) { #expect(Timestamp.milliseconds(rfc3339: text) == ms) }

    @Test(arguments: [
        "", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z", "2200-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+00", "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01", "２026-01-01T00:00:00Z", "-026-01-01T00:00:00Z", "2026/01/01T00:00:00Z",
        "+2026-01-01T00:00:00Z",
    ])
    func textThatIsNoMoment(text: String) { #expect(Timestamp.milliseconds(rfc3339: text) == nil) }

    @Test func civilDates() {
        #expect(Timestamp.milliseconds(year: 2024, month: 2, day: 29, hour: 12) == 1_709_208_000_000)
        #expect(Timestamp.milliseconds(year: 2023, month: 2, day: 29) == nil)
        #expect(Timestamp.milliseconds(year: 1969, month: 12, day: 31) == nil)
        #expect(Timestamp.milliseconds(year: 2026, month: 1, day: 1, hour: 24) == nil)
    }
}
