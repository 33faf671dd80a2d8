/// The limits of one floor.
package struct FloorThresholds: Equatable, Sendable {
    /// Highest power, kW.
    package var kw: Double

    /// Highest current, A.
    package var amp: Double

    /// Lowest voltage, V.
    package var voltMin: Double

    /// Highest voltage, V.
    package var voltMax: Double

    /// Highest increase of the register from one reading to the next, kWh.
    package var dkwh: Double

    /// Limits with these values; nothing is checked, see ``Thresholds/problems()``.
    package init(kw: Double, amp: Double, voltMin: Double, voltMax: Double, dkwh: Double) {
        self.kw = kw
        self.amp = amp
        self.voltMin = voltMin
        self.voltMax = voltMax
        self.dkwh = dkwh
    }

    /// What a floor is held to when nobody has said otherwise.
    ///
    /// 10 kW is the contracted power of a small office floor, 32 A the usual breaker of its feed; 207 to 253 V is
    /// 230 V ±10 % (EN 50160); 0.2 kWh between two readings is 24 kW over 30 s or 12 kW over a minute.
    package static let building = FloorThresholds(kw: 10, amp: 32, voltMin: 207, voltMax: 253, dkwh: 0.2)
}

/// What one floor's limits differ in; nil keeps the default's value.
package struct ThresholdOverride: Equatable, Sendable {
    /// Highest power, kW.
    package var kw: Double?

    /// Highest current, A.
    package var amp: Double?

    /// Lowest voltage, V.
    package var voltMin: Double?

    /// Highest voltage, V.
    package var voltMax: Double?

    /// Highest increase of the register from one reading to the next, kWh.
    package var dkwh: Double?

    /// An override of the given values.
    package init(
        kw: Double? = nil, amp: Double? = nil, voltMin: Double? = nil, voltMax: Double? = nil, dkwh: Double? = nil
    ) {
        self.kw = kw
        self.amp = amp
        self.voltMin = voltMin
        self.voltMax = voltMax
        self.dkwh = dkwh
    }

    /// `base` with what this override says in place of it.
    package func applied(to base: FloorThresholds) -> FloorThresholds {
        FloorThresholds(
            kw: kw ?? base.kw, amp: amp ?? base.amp, voltMin: voltMin ?? base.voltMin, voltMax: voltMax ?? base.voltMax,
            dkwh: dkwh ?? base.dkwh)
    }
}

/// The limits of a building: a default and what single floors differ in.
package struct Thresholds: Equatable, Sendable {
    /// Most floors with limits of their own: the document must fit one value of the store (1 MiB).
    package static let maxOverrides = 5_000

    /// Limits of every floor without an override.
    package var standard: FloorThresholds

    /// Overrides by floor.
    package var perFloor: [Int: ThresholdOverride]

    /// Limits of a building.
    package init(standard: FloorThresholds = .building, perFloor: [Int: ThresholdOverride] = [:]) {
        self.standard = standard
        self.perFloor = perFloor
    }

    /// The limits in force on `floor`.
    package func effective(floor: Int) -> FloorThresholds {
        guard let override = perFloor[floor] else { return standard }
        return override.applied(to: standard)
    }

    /// Every field that cannot be accepted, the default's first, then floor by floor; empty when all are good.
    package func problems(limits: ReadingLimits = ReadingLimits()) -> [FieldProblem] {
        var problems = Self.problems(
            of: ThresholdOverride(
                kw: standard.kw, amp: standard.amp, voltMin: standard.voltMin, voltMax: standard.voltMax,
                dkwh: standard.dkwh),
            merged: standard, path: "default", limits: limits)
        if perFloor.count > Self.maxOverrides {
            problems.append(
                FieldProblem(
                    field: "per_floor", reason: "at most \(Self.maxOverrides) floors, found \(perFloor.count)"))
        }
        for floor in perFloor.keys.sorted() {
            guard let override = perFloor[floor] else { continue }
            let path = "per_floor.\(floor)"
            if !limits.floors.contains(floor) {
                let range = "\(limits.floors.lowerBound) to \(limits.floors.upperBound)"
                problems.append(FieldProblem(field: path, reason: "expected a floor from \(range)"))
            }
            problems.append(
                contentsOf: Self.problems(
                    of: override, merged: override.applied(to: standard), path: path, limits: limits))
        }
        return problems
    }

    /// Problems of the fields that `given` has; `merged` is what would be in force.
    private static func problems(
        of given: ThresholdOverride, merged: FloorThresholds, path: String, limits: ReadingLimits
    ) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        func check(_ value: Double?, _ name: String, _ range: ClosedRange<Double>, _ unit: String, positive: Bool) {
            guard let value else { return }
            let field = "\(path).\(name)"
            if let problem = FieldProblem.ofNumber(value, in: range, field: field, unit: unit) {
                problems.append(problem)
            } else if positive, value <= 0 {
                problems.append(FieldProblem(field: field, reason: "expected more than 0 \(unit), found \(value)"))
            }
        }
        check(given.kw, "kw", limits.kw, "kW", positive: true)
        check(given.amp, "amp", limits.amp, "A", positive: true)
        check(given.voltMin, "volt_min", limits.volt, "V", positive: false)
        check(given.voltMax, "volt_max", limits.volt, "V", positive: true)
        check(given.dkwh, "dkwh", limits.kwh, "kWh", positive: true)
        let givesVoltage = given.voltMin != nil || given.voltMax != nil
        if givesVoltage, problems.allSatisfy({ !$0.field.hasPrefix("\(path).volt") }), merged.voltMin >= merged.voltMax
        {
            problems.append(
                FieldProblem(
                    field: given.voltMin != nil ? "\(path).volt_min" : "\(path).volt_max",
                    reason: "volt_min \(merged.voltMin) is not below volt_max \(merged.voltMax)"))
        }
        return problems
    }
}
