/// One row of a meter file in common units.
package struct MeterSample: Equatable, Sendable {
    /// The floor, in files that name it.
    package var piano: Int?
    /// Time of the row, ms since 1970 UTC.
    package var timestampMs: Int64
    /// Active power, kW.
    package var kw: Double
    /// Current, A.
    package var amp: Double
    /// Voltage, V; derived where the file has none.
    package var volt: Double
    /// The register, kWh: the file's own, or the energy summed up since its beginning.
    package var kwh: Double
}

/// A meter file read into memory, in the order of time.
package struct MeterSeries: Equatable, Sendable {
    /// The file's format.
    package let format: MeterFormat

    /// Its usable rows; never empty.
    package let samples: [MeterSample]

    /// The lines that could not be used.
    package let lines: LineReport

    /// The register before the first row, kWh: energies are counted from here.
    package let initialKwh: Double

    /// The energy of the whole file in kWh, for files of one meter.
    package var totalKwh: Double { (samples.last?.kwh ?? initialKwh) - initialKwh }

    /// Reads the text of a meter file.
    ///
    /// `parseTimestamp` turns the time of our own format into ms since 1970, nil when it cannot; whole numbers are
    /// taken as such ms without asking it.
    package init(
        text: String, settings: ReplaySettings = ReplaySettings(), limits: ReadingLimits = ReadingLimits(),
        parseTimestamp: (Substring) -> Int64?
    ) throws(MeterFileError) {
        var lineNumber = 0
        var lines = LineReport(maxReported: settings.maxReportedLines)
        var parser: MeterRowParser?
        var samples: [MeterSample] = []
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            lineNumber += 1
            let row = Substring(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
            guard var current = parser else {
                parser = try MeterRowParser(header: row, settings: settings, limits: limits)
                continue
            }
            guard !row.isEmpty else { continue }
            switch current.parse(row, parseTimestamp) {
            case .success(let sample):
                guard samples.count < settings.maxRows else { throw .tooManyRows(most: settings.maxRows) }
                samples.append(sample)
            case .failure(let problem): lines.add(problem, line: lineNumber)
            }
            parser = current
        }
        guard let parser else { throw .unknownFormat(firstLine: "") }
        guard let first = samples.first else { throw .noRows(format: parser.format, lines: lines) }
        if parser.format == .readings {
            // Several floors may follow one another in a file; a stable sort keeps the rows of one moment in order.
            let order = samples.indices.sorted {
                (samples[$0].timestampMs, $0) < (samples[$1].timestampMs, $1)
            }
            samples = order.map { samples[$0] }
        }
        self.format = parser.format
        self.samples = samples
        self.lines = lines
        self.initialKwh = parser.hasRegister ? first.kwh : 0
    }
}
