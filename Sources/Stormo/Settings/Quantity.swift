/// Text of durations, sizes and numbers as people write them, and back.
enum Quantity {
    private static let durations: [(suffix: String, ms: UInt64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]
    private static let sizes: [(suffix: String, bytes: Int)] = [
        ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// Milliseconds of a text like `250ms` or `1.5h`; a bare number is in `unit`. Nil when it is none.
    static func durationMs(_ text: String, unit: String) -> UInt64? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let suffix = digits.count == text.count ? Substring(unit) : text.dropFirst(digits.count)
        guard let scale = durations.first(where: { $0.suffix == suffix }), let number = Double(digits) else {
            return nil
        }
        let ms = number * Double(scale.ms)
        // Ten thousand years: far above every range, far below where the conversion would trap.
        guard ms.isFinite, ms >= 0, ms < 3.2e14 else { return nil }
        return UInt64(ms.rounded())
    }

    /// A duration in the largest unit that gives a whole number.
    static func durationText(_ ms: UInt64) -> String {
        guard ms > 0, let scale = durations.first(where: { ms % $0.ms == 0 }) else { return "0s" }
        return "\(ms / scale.ms)\(scale.suffix)"
    }

    /// Bytes of a text like `64MiB` or `65536`. Nil when it is none.
    static func bytes(_ text: String) -> Int? {
        let digits = text.prefix { $0.isNumber }
        let suffix = digits.count == text.count ? "B" : text.dropFirst(digits.count)
        guard let scale = sizes.first(where: { $0.suffix == suffix }), let number = Int(digits) else { return nil }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: scale.bytes)
        return isTooLarge ? nil : bytes
    }

    /// A size in the largest unit that gives a whole number.
    static func bytesText(_ bytes: Int) -> String {
        guard bytes > 0, let scale = sizes.first(where: { bytes % $0.bytes == 0 }) else { return "0" }
        return scale.bytes == 1 ? String(bytes) : "\(bytes / scale.bytes)\(scale.suffix)"
    }

    /// A number without a needless fraction.
    static func numberText(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int64(number)) : String(number)
    }
}

/// Small helpers for text.
enum Text {
    /// Without white space at both ends.
    static func trimmed(_ text: some StringProtocol) -> String {
        var part = Substring(text)
        while let first = part.first, first.isWhitespace { part.removeFirst() }
        while let last = part.last, last.isWhitespace { part.removeLast() }
        return String(part)
    }

    /// Filled up with spaces to a width, in characters.
    static func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return right ? space + text : text + space
    }

    /// A number with a fixed count of digits behind the point.
    static func fixed(_ number: Double, digits: Int) -> String {
        guard number.isFinite else { return "-" }
        var scale: Double = 1
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(number) * scale).rounded()
        guard scaled < 9e18 else { return String(number) }
        let whole = UInt64(scaled)
        let sign = number < 0 && whole > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(whole) }
        let fraction = String(whole % UInt64(scale))
        return sign + String(whole / UInt64(scale)) + "." + String(repeating: "0", count: digits - fraction.count)
            + fraction
    }

    /// A time as a person would say it, in the two largest units: 45s, 2m30s, 1h20m, 3d4h.
    static func duration(ms: UInt64) -> String {
        let seconds = (ms + 500) / 1_000
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3_600: return "\(seconds / 60)m" + (seconds % 60 == 0 ? "" : "\(seconds % 60)s")
        case ..<86_400: return "\(seconds / 3_600)h" + (seconds / 60 % 60 == 0 ? "" : "\(seconds / 60 % 60)m")
        default: return "\(seconds / 86_400)d" + (seconds / 3_600 % 24 == 0 ? "" : "\(seconds / 3_600 % 24)h")
        }
    }

    /// A size as a person would say it: 512 B, 45.3 MiB.
    static func size(bytes: UInt64) -> String {
        var size = Double(bytes)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        while size >= 1_024, unit < units.count - 1 {
            size /= 1_024
            unit += 1
        }
        return "\(fixed(size, digits: unit == 0 ? 0 : 1)) \(units[unit])"
    }

    /// A whole number with its thousands apart.
    static func grouped(_ number: Double) -> String {
        let digits = Array(fixed(number, digits: 0))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0, digits[index - 1] != "-" { text += "," }
            text.append(digit)
        }
        return text
    }
}
