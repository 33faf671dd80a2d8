/// Reads the rows of one meter file: knows its columns, sums up its energy and checks that time moves on.
struct MeterRowParser {
    let format: MeterFormat

    private let settings: ReplaySettings
    private let limits: ReadingLimits
    private let width: Int
    private let index: [Int]
    private let energyColumn: Int?
    private var sumKwh = 0.0
    private var last: (timestampMs: Int64, kw: Double)?

    /// A parser for the format that the header's columns belong to.
    init(header: Substring, settings: ReplaySettings, limits: ReadingLimits) throws(MeterFileError) {
        let text = header.hasPrefix("\u{FEFF}") ? header.dropFirst() : header
        for format in MeterFormat.allCases {
            let names = Self.split(text, format.separator)
            let found = format.columns.compactMap { names.firstIndex(of: Substring($0)) }
            guard found.count == format.columns.count else { continue }
            self.format = format
            self.settings = settings
            self.limits = limits
            width = names.count
            index = found
            energyColumn = format == .floors ? names.firstIndex(of: "energy_wh") : nil
            return
        }
        throw .unknownFormat(firstLine: String(text.prefix(200)))
    }

    /// Whether the register is the meter's own and not summed up here.
    var hasRegister: Bool { format == .readings || energyColumn != nil }

    /// One row after the header.
    mutating func parse(
        _ row: Substring, _ parseTimestamp: (Substring) -> Int64?
    ) -> Result<MeterSample, RowProblem> {
        let fields = Self.split(row, format.separator)
        guard fields.count == width else {
            return .failure(.bad("expected \(width) columns, found \(fields.count)"))
        }
        do throws(RowProblem) {
            let sample: MeterSample
            switch format {
            case .household: sample = try household(fields)
            case .floors: sample = try floors(fields)
            case .readings: return .success(try reading(fields, parseTimestamp))
            }
            last = (sample.timestampMs, sample.kw)
            return .success(sample)
        } catch {
            return .failure(error)
        }
    }

    private mutating func household(_ fields: [Substring]) throws(RowProblem) -> MeterSample {
        let date = try Self.integers(fields[index[0]], "/", "a date d/m/yyyy")
        let time = try Self.integers(fields[index[1]], ":", "a time hh:mm:ss")
        guard
            let ms = CivilTime.milliseconds(
                year: date[2], month: date[1], day: date[0], hour: time[0], minute: time[1], second: time[2],
                utcOffsetMinutes: settings.utcOffsetMinutes)
        else { throw .bad("there is no \(fields[index[0]]) \(fields[index[1]])") }
        try movesOn(ms)
        guard !fields[index[2]...index[4]].contains("?") else { throw .missing("marked as missing (?)") }
        let kw = try number(fields[index[2]], limits.kw, "kW")
        let volt = try number(fields[index[3]], limits.volt, "V")
        let amp = try number(fields[index[4]], limits.amp, "A")
        sumKwh += kw * Double(settings.householdRowMs) / 3_600_000
        return MeterSample(timestampMs: ms, kw: kw, amp: amp, volt: volt, kwh: sumKwh)
    }

    private mutating func floors(_ fields: [Substring]) throws(RowProblem) -> MeterSample {
        guard let ms = Int64(fields[index[0]]) else {
            throw .bad("expected milliseconds since 1970, found \"\(fields[index[0]])\"")
        }
        try movesOn(ms)
        let kw = try number(fields[index[1]], limits.kw.scaled(1_000), "W") / 1_000
        let amp = try number(fields[index[2]], limits.amp, "A")
        if let energyColumn {
            let kwh = try number(fields[energyColumn], limits.kwh.scaled(1_000), "Wh") / 1_000
            return MeterSample(timestampMs: ms, kw: kw, amp: amp, volt: derivedVolt(kw: kw, amp: amp), kwh: kwh)
        }
        // Trapezoids between the samples; nothing is known about the inside of a long gap.
        if let last, ms - last.timestampMs <= settings.maxIntegrationGapMs {
            sumKwh += (kw + last.kw) / 2 * Double(ms - last.timestampMs) / 3_600_000
        }
        return MeterSample(timestampMs: ms, kw: kw, amp: amp, volt: derivedVolt(kw: kw, amp: amp), kwh: sumKwh)
    }

    private func reading(
        _ fields: [Substring], _ parseTimestamp: (Substring) -> Int64?
    ) throws(RowProblem) -> MeterSample {
        guard let piano = Int(fields[index[0]]), limits.floors.contains(piano) else {
            throw .bad("expected a floor number, found \"\(fields[index[0]])\"")
        }
        guard let ms = Int64(fields[index[5]]) ?? parseTimestamp(fields[index[5]]) else {
            throw .bad("expected an RFC 3339 time or milliseconds since 1970, found \"\(fields[index[5]])\"")
        }
        return MeterSample(
            piano: piano, timestampMs: ms, kw: try number(fields[index[2]], limits.kw, "kW"),
            amp: try number(fields[index[3]], limits.amp, "A"), volt: try number(fields[index[4]], limits.volt, "V"),
            kwh: try number(fields[index[1]], limits.kwh, "kWh"))
    }

    private func movesOn(_ ms: Int64) throws(RowProblem) {
        guard let last, ms <= last.timestampMs else { return }
        throw .bad(ms == last.timestampMs ? "the same time as the row before" : "time runs backwards")
    }

    /// Phase voltage of a three-phase meter with per-phase current: V = P / (3·I·cosφ).
    private func derivedVolt(kw: Double, amp: Double) -> Double {
        guard amp >= settings.minDerivableAmp else { return settings.nominalVolt }
        let derived = kw * 1_000 / (3 * amp * settings.powerFactor)
        let band = settings.nominalVolt * settings.derivedVoltBand
        return min(max(derived, settings.nominalVolt - band), settings.nominalVolt + band)
    }

    private func number(_ field: Substring, _ range: ClosedRange<Double>, _ unit: String) throws(RowProblem) -> Double {
        guard let value = Double(field), value.isFinite else {
            throw .bad("expected a number of \(unit), found \"\(field)\"")
        }
        guard range.contains(value) else {
            throw .bad("expected \(range.lowerBound) to \(range.upperBound) \(unit), found \(value)")
        }
        return value
    }

    private static func integers(
        _ field: Substring, _ separator: Character, _ what: String
    ) throws(RowProblem) -> [Int] {
        let parts = field.split(separator: separator, omittingEmptySubsequences: false).map { Int($0) }
        let numbers = parts.compactMap { $0 }
        guard parts.count == 3, numbers.count == 3 else { throw .bad("expected \(what), found \"\(field)\"") }
        return numbers
    }

    private static func split(_ row: Substring, _ separator: UInt8) -> [Substring] {
        row.utf8.split(separator: separator, omittingEmptySubsequences: false).map { Substring($0) }
    }
}

extension ClosedRange<Double> {
    /// The same range in a unit `parts` times smaller.
    fileprivate func scaled(_ parts: Double) -> ClosedRange<Double> {
        lowerBound * parts...upperBound * parts
    }
}
