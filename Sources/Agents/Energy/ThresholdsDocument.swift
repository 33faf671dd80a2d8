package import EnergyRules

/// The building's limits as JSON: `{"default":{"kw","amp","volt_min","volt_max","dkwh"},"per_floor":{"1":{…}}}`.
package struct ThresholdsDocument: Equatable, Sendable, Encodable {
    /// The limits.
    package var thresholds: Thresholds

    /// Wraps limits.
    package init(_ thresholds: Thresholds) { self.thresholds = thresholds }

    /// Writes the members of the contract; an override has only the members that it changes.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: FieldKey.self)
        let standard = thresholds.standard
        try container.encode(
            Limits(
                kw: standard.kw, amp: standard.amp, voltMin: standard.voltMin, voltMax: standard.voltMax,
                dkwh: standard.dkwh),
            forKey: FieldKey("default"))
        var floors = container.nestedContainer(keyedBy: FieldKey.self, forKey: FieldKey("per_floor"))
        for floor in thresholds.perFloor.keys.sorted() {
            guard let own = thresholds.perFloor[floor] else { continue }
            try floors.encode(
                Limits(kw: own.kw, amp: own.amp, voltMin: own.voltMin, voltMax: own.voltMax, dkwh: own.dkwh),
                forKey: FieldKey(String(floor)))
        }
    }

    /// The document's bytes. The numbers of limits that passed validation are finite, so this does not throw for them.
    package func encoded() throws -> [UInt8] { try EnergyJSON.encode(self) }

    /// Reads and validates limits. The default must name all five, an override any of them; a name that means nothing
    /// is refused, since a limit with a misspelt name would silently not be in force.
    package static func parse(_ bytes: [UInt8], limits: ReadingLimits = ReadingLimits()) throws(EnergyInputError)
        -> Thresholds
    {
        let input = try EnergyJSON.decode(ThresholdsInput.self, bytes)
        guard let thresholds = input.thresholds else { throw .invalid(input.problems) }
        let problems = input.problems + thresholds.problems(limits: limits)
        guard problems.isEmpty else { throw .invalid(problems) }
        return thresholds
    }
}

/// The members of a set of limits, as they are spelt in JSON.
private struct Limits: Encodable {
    var kw: Double?
    var amp: Double?
    var voltMin: Double?
    var voltMax: Double?
    var dkwh: Double?

    enum CodingKeys: String, CodingKey {
        case kw, amp, dkwh
        case voltMin = "volt_min"
        case voltMax = "volt_max"
    }
}

/// Limits as they came, with all that is wrong about their members.
private struct ThresholdsInput: Decodable {
    let thresholds: Thresholds?
    let problems: [FieldProblem]

    private static let names = ["amp", "dkwh", "kw", "volt_max", "volt_min"]

    init(from decoder: any Decoder) throws {
        guard var fields = FieldReader(decoder) else {
            thresholds = nil
            problems = [FieldProblem(field: "body", reason: "expected an object with default and per_floor")]
            return
        }
        let standard = Self.standard(&fields)
        var perFloor: [Int: ThresholdOverride] = [:]
        if fields.has("per_floor"), var floors = fields.object("per_floor") {
            for name in floors.names {
                // "01" would be a second name for floor 1.
                guard let floor = Int(name), String(floor) == name else {
                    floors.add(name, "expected a floor number")
                    continue
                }
                guard var members = floors.object(name) else { continue }
                perFloor[floor] = Self.override(&members)
                floors.take(members)
            }
            fields.take(floors)
        }
        problems = fields.problems
        thresholds = standard.map { Thresholds(standard: $0, perFloor: perFloor) }
    }

    private static func standard(_ fields: inout FieldReader) -> FloorThresholds? {
        guard var members = fields.object("default") else { return nil }
        refuseUnknown(&members)
        let kw = members.number("kw")
        let amp = members.number("amp")
        let voltMin = members.number("volt_min")
        let voltMax = members.number("volt_max")
        let dkwh = members.number("dkwh")
        fields.take(members)
        guard let kw, let amp, let voltMin, let voltMax, let dkwh else { return nil }
        return FloorThresholds(kw: kw, amp: amp, voltMin: voltMin, voltMax: voltMax, dkwh: dkwh)
    }

    private static func override(_ members: inout FieldReader) -> ThresholdOverride {
        refuseUnknown(&members)
        // A member that is null is one that is not there: it clears the override.
        return ThresholdOverride(
            kw: members.has("kw") ? members.number("kw") : nil,
            amp: members.has("amp") ? members.number("amp") : nil,
            voltMin: members.has("volt_min") ? members.number("volt_min") : nil,
            voltMax: members.has("volt_max") ? members.number("volt_max") : nil,
            dkwh: members.has("dkwh") ? members.number("dkwh") : nil)
    }

    private static func refuseUnknown(_ members: inout FieldReader) {
        for name in members.names where !names.contains(name) {
            members.add(name, "is not a limit: expected one of \(names.joined(separator: ", "))")
        }
    }
}
