/// What one floor's meter reports at one moment. Field names in JSON are the source system's.
package struct Reading: Equatable, Sendable {
    /// The floor (`piano`).
    package var piano: Int

    /// The energy register, kWh, only growing (`sensore1_kwh`).
    package var kwh: Double

    /// Active power, kW (`sensore2_kw`).
    package var kw: Double

    /// Current, A (`sensore3_corrente`).
    package var amp: Double

    /// Voltage, V (`sensore3_tensione`).
    package var volt: Double

    /// When it was measured, ms since 1970 UTC (`timestamp`).
    package var timestampMs: Int64

    /// A reading with these values; nothing is checked, see ``problems(nowMs:limits:)``.
    package init(piano: Int, kwh: Double, kw: Double, amp: Double, volt: Double, timestampMs: Int64) {
        self.piano = piano
        self.kwh = kwh
        self.kw = kw
        self.amp = amp
        self.volt = volt
        self.timestampMs = timestampMs
    }

    /// Every field that cannot be accepted, in the order of the document; empty when the reading is good.
    ///
    /// `nowMs` is the receiver's clock, ms since 1970.
    package func problems(nowMs: Int64, limits: ReadingLimits) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if !limits.floors.contains(piano) {
            let range = "\(limits.floors.lowerBound) to \(limits.floors.upperBound)"
            problems.append(FieldProblem(field: "piano", reason: "expected a floor from \(range), found \(piano)"))
        }
        let numbers = [
            FieldProblem.ofNumber(kwh, in: limits.kwh, field: "sensore1_kwh", unit: "kWh"),
            FieldProblem.ofNumber(kw, in: limits.kw, field: "sensore2_kw", unit: "kW"),
            FieldProblem.ofNumber(amp, in: limits.amp, field: "sensore3_corrente", unit: "A"),
            FieldProblem.ofNumber(volt, in: limits.volt, field: "sensore3_tensione", unit: "V"),
        ]
        problems.append(contentsOf: numbers.compactMap { $0 })
        if timestampMs < limits.earliestMs {
            problems.append(
                FieldProblem(field: "timestamp", reason: "is before 2000: has the meter lost its clock?"))
        } else if timestampMs > limits.latestMs(nowMs: nowMs) {
            let ahead = (timestampMs - nowMs) / 1_000
            let most = limits.futureToleranceMs / 1_000
            problems.append(
                FieldProblem(field: "timestamp", reason: "is \(ahead) s in the future, at most \(most) s are accepted"))
        }
        return problems
    }
}

extension ReadingLimits {
    /// The latest acceptable time of a reading at `nowMs`, ms since 1970.
    package func latestMs(nowMs: Int64) -> Int64 {
        nowMs.addingReportingOverflow(futureToleranceMs).partialValue
    }
}
