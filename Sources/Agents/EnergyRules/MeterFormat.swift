/// The formats of meter files, told apart by their first line.
package enum MeterFormat: String, Sendable, CaseIterable {
    /// The UCI household format: semicolons, local date and time, kW as the mean of one minute, V, A, `?` for what
    /// is missing. No register: it is summed up from the power.
    case household

    /// The COMBED floor format: `t_ms,power_w,current_a` and, if there, `energy_wh`. No voltage: it is derived.
    case floors

    /// Our own readings: `piano,sensore1_kwh,sensore2_kw,sensore3_corrente,sensore3_tensione,timestamp`.
    case readings

    /// The columns that a file of this format must have, in any order and among others.
    package var columns: [String] {
        switch self {
        case .household: ["Date", "Time", "Global_active_power", "Voltage", "Global_intensity"]
        case .floors: ["t_ms", "power_w", "current_a"]
        case .readings:
            ["piano", "sensore1_kwh", "sensore2_kw", "sensore3_corrente", "sensore3_tensione", "timestamp"]
        }
    }

    /// The byte between two columns.
    var separator: UInt8 {
        switch self {
        case .household: UInt8(ascii: ";")
        case .floors, .readings: UInt8(ascii: ",")
        }
    }
}

/// Why a file is no meter file at all. (Single bad lines are never fatal: see ``MeterSeries/lines``.)
package enum MeterFileError: Error, Equatable, CustomStringConvertible {
    /// The first line is of no known format.
    case unknownFormat(firstLine: String)
    /// Not one line could be used.
    case noRows(format: MeterFormat, lines: LineReport)
    /// The file has more rows than are kept in memory.
    case tooManyRows(most: Int)

    /// What was expected, what was found and what to do.
    package var description: String {
        switch self {
        case .unknownFormat(let firstLine):
            let known = MeterFormat.allCases.map { "\($0.rawValue) (\($0.columns.joined(separator: ", ")))" }
            return "the first line names the columns of no known meter format: found \"\(firstLine)\", expected "
                + "one of \(known.joined(separator: "; "))"
        case .noRows(let format, let lines):
            let first = lines.reported.first.map { ", the first: \($0)" } ?? ""
            return
                "no usable row in this \(format.rawValue) file: \(lines.bad) bad and \(lines.missing) missing\(first)"
        case .tooManyRows(let most):
            return "the file has more than \(most) rows: split it and replay the parts one after the other"
        }
    }
}

/// The lines of a file that could not be used: all are counted, the first of them are kept with their reason.
package struct LineReport: Equatable, Sendable {
    /// One line that could not be used.
    package struct Line: Equatable, Sendable, CustomStringConvertible {
        /// Its number in the file; the first line is 1.
        package let number: Int
        /// What was expected and found.
        package let reason: String

        /// `line 12: …`.
        package var description: String { "line \(number): \(reason)" }
    }

    /// Lines that do not follow the format.
    package private(set) var bad = 0

    /// Well-formed rows whose values the file itself marks as missing.
    package private(set) var missing = 0

    /// The first of both, in the order of the file.
    package private(set) var reported: [Line] = []

    let maxReported: Int

    init(maxReported: Int) {
        self.maxReported = maxReported
    }

    mutating func add(_ problem: RowProblem, line: Int) {
        switch problem {
        case .bad: bad += 1
        case .missing: missing += 1
        }
        if reported.count < maxReported { reported.append(Line(number: line, reason: problem.reason)) }
    }
}

/// Why one row cannot be used.
enum RowProblem: Error {
    case bad(String)
    case missing(String)

    var reason: String {
        switch self {
        case .bad(let reason), .missing(let reason): reason
        }
    }
}
