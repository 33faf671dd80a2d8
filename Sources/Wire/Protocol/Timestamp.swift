/// Text of moments: RFC 3339 in UTC with milliseconds, from and to milliseconds since 1970. Proleptic Gregorian
/// calendar, no leap seconds (as in POSIX time).
public enum Timestamp {
    /// `2026-01-31T08:15:30.250Z`. Moments before 1970 and beyond the year 9999 are clamped.
    public static func rfc3339(milliseconds: UInt64) -> String {
        let ms = min(milliseconds, 253_402_300_799_999)
        let (year, month, day) = civil(fromDays: Int64(ms / 86_400_000))
        let ofDay = ms % 86_400_000
        func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        func padded(_ value: UInt64, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(padded(UInt64(year), 4))-\(two(UInt64(month)))-\(two(UInt64(day)))T\(two(ofDay / 3_600_000)):"
            + "\(two(ofDay / 60_000 % 60)):\(two(ofDay / 1_000 % 60)).\(padded(ofDay % 1_000, 3))Z"
    }

    /// Milliseconds since 1970 of an RFC 3339 text; nil when it is not one or lies before 1970. Fractions beyond the
    /// millisecond are cut. An offset is required (`Z`, `+02:00`).
    public static func milliseconds(rfc3339 text: some StringProtocol) -> UInt64? {
        let bytes = Array(text.utf8)
        func number(_ from: Int, _ count: Int) -> Int64? {
            guard from + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[from..<from + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        func mark(_ at: Int, _ allowed: String) -> Bool { at < bytes.count && allowed.utf8.contains(bytes[at]) }
        guard let year = number(0, 4), mark(4, "-"), let month = number(5, 2), mark(7, "-"), let day = number(8, 2),
            mark(10, "Tt "),
            let hour = number(11, 2), mark(13, ":"), let minute = number(14, 2), mark(16, ":"),
            let second = number(17, 2),
            (1...12).contains(month), (1...daysIn(month: month, year: year)).contains(day), hour <= 23, minute <= 59,
            second <= 60
        else { return nil }
        var at = 19
        var fraction: Int64 = 0
        if mark(at, ".") {
            at += 1
            var digits = 0
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                if digits < 3 { fraction = fraction * 10 + Int64(bytes[at] - 0x30) }
                digits += 1
                at += 1
            }
            guard digits > 0 else { return nil }
            for _ in 0..<max(0, 3 - digits) { fraction *= 10 }
        }
        var offsetMinutes: Int64 = 0
        if mark(at, "Zz") {
            at += 1
        } else if mark(at, "+-") {
            guard let hours = number(at + 1, 2), mark(at + 3, ":"), let minutes = number(at + 4, 2), hours <= 23,
                minutes <= 59
            else { return nil }
            offsetMinutes = (bytes[at] == 0x2B ? 1 : -1) * (hours * 60 + minutes)
            at += 6
        } else {
            return nil
        }
        guard at == bytes.count else { return nil }
        let days = daysFromCivil(year: year, month: month, day: day)
        let total = ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60_000 + second * 1_000 + fraction
        return total >= 0 ? UInt64(total) : nil
    }

    /// Milliseconds since 1970 of a civil date and time of day in UTC; nil when the date does not exist or lies before
    /// 1970.
    public static func milliseconds(
        year: Int64, month: Int64, day: Int64, hour: Int64 = 0, minute: Int64 = 0, second: Int64 = 0
    ) -> UInt64? {
        guard year >= 1970, (1...12).contains(month), (1...daysIn(month: month, year: year)).contains(day),
            (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return UInt64(
            ((daysFromCivil(year: year, month: month, day: day) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000)
    }

    private static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Days since 1970 to and from a civil date, by eras of 400 years that begin in March, so that the leap day comes
    // last.
    private static func daysFromCivil(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
