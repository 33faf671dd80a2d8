/// Calendar arithmetic on milliseconds since 1970: what a day's shape and meter files in local time need.
///
/// The proleptic Gregorian calendar, with years counted from March so that the leap day is a year's last
/// (the usual era arithmetic of 400 years = 146,097 days).
enum CivilTime {
    static let dayMs: Int64 = 86_400_000

    /// Quotient rounded towards minus infinity.
    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// Days from 1970-01-01 to the given date, or nil when there is no such date.
    static func days(year: Int, month: Int, day: Int) -> Int64? {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = (month + 9) % 12
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        let days = marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400 + dayOfYear
        return Int64(days - 719_468)
    }

    /// Milliseconds since 1970 UTC of a local date and time, or nil when there is no such moment.
    static func milliseconds(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, utcOffsetMinutes: Int
    ) -> Int64? {
        guard let days = days(year: year, month: month, day: day), (0...23).contains(hour), (0...59).contains(minute),
            (0...59).contains(second)
        else { return nil }
        let seconds = hour * 3_600 + minute * 60 + second - utcOffsetMinutes * 60
        return days * dayMs + Int64(seconds) * 1_000
    }

    /// Half hour of the week, 0 (Monday 00:00) to 335, at an offset from UTC.
    static func halfHourOfWeek(ms: Int64, utcOffsetMinutes: Int) -> Int {
        // 1970-01-01 was a Thursday: its week had begun three days before.
        let sinceMonday = ms + Int64(utcOffsetMinutes) * 60_000 + 3 * dayMs
        return Int((floorDivide(sinceMonday, 1_800_000) % 336 + 336) % 336)
    }

    /// Weekday (0 is Monday) and hour of the day (0 up to 24, with fraction) at an offset from UTC.
    static func weekdayAndHour(ms: Int64, utcOffsetMinutes: Int) -> (weekday: Int, hour: Double) {
        let local = ms + Int64(utcOffsetMinutes) * 60_000
        let day = floorDivide(local, dayMs)
        // 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
        let weekday = Int(((day + 3) % 7 + 7) % 7)
        return (weekday, Double(local - day * dayMs) / 3_600_000)
    }
}
