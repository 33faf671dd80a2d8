package import EnergyRules

/// A reading as JSON, with the field names of the source system.
package struct ReadingDocument: Equatable, Sendable, Codable {
    /// The reading.
    package var reading: Reading

    /// Wraps a reading.
    package init(_ reading: Reading) { self.reading = reading }

    enum CodingKeys: String, CodingKey {
        case piano
        case kwh = "sensore1_kwh"
        case kw = "sensore2_kw"
        case amp = "sensore3_corrente"
        case volt = "sensore3_tensione"
        case timestamp
    }

    /// Writes the members of the contract.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(reading.piano, forKey: .piano)
        try container.encode(reading.kwh, forKey: .kwh)
        try container.encode(reading.kw, forKey: .kw)
        try container.encode(reading.amp, forKey: .amp)
        try container.encode(reading.volt, forKey: .volt)
        try container.encode(EnergyTime.text(reading.timestampMs), forKey: .timestamp)
    }

    /// Reads the members; what is missing or of the wrong type is thrown as ``EnergyInputError/invalid(_:)``.
    package init(from decoder: any Decoder) throws {
        let input = try ReadingInput(from: decoder)
        guard let reading = input.reading else { throw EnergyInputError.invalid(input.problems) }
        self.reading = reading
    }

    /// The document's bytes. The numbers of a reading that passed validation are finite, so this does not throw for it.
    package func encoded() throws -> [UInt8] { try EnergyJSON.encode(self) }

    /// Reads one reading or an array of them and validates each; takes all or none.
    ///
    /// Fields of an array's elements are named with their place: `[3].sensore2_kw`.
    package static func parse(
        _ bytes: [UInt8], nowMs: Int64, limits: ReadingLimits = ReadingLimits(), most: Int = 10_000
    ) throws(EnergyInputError) -> [Reading] {
        let isArray = bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "[")
        let inputs =
            isArray
            ? try EnergyJSON.decode([ReadingInput].self, bytes) : [try EnergyJSON.decode(ReadingInput.self, bytes)]
        guard inputs.count <= most else {
            throw .invalid([FieldProblem(field: "body", reason: "at most \(most) readings, found \(inputs.count)")])
        }
        var readings: [Reading] = []
        var problems: [FieldProblem] = []
        for (index, input) in inputs.enumerated() {
            let prefix = isArray ? "[\(index)]." : ""
            var found = input.problems
            if let reading = input.reading {
                found += reading.problems(nowMs: nowMs, limits: limits)
                readings.append(reading)
            }
            problems += found.map { FieldProblem(field: prefix + $0.field, reason: $0.reason) }
        }
        guard problems.isEmpty else { throw .invalid(problems) }
        return readings
    }
}

/// A reading as it came, with all that is wrong about its members.
struct ReadingInput: Decodable {
    /// Nil when a member is missing or of the wrong type.
    let reading: Reading?
    let problems: [FieldProblem]

    init(from decoder: any Decoder) throws {
        guard var fields = FieldReader(decoder) else {
            reading = nil
            problems = [FieldProblem(field: "reading", reason: "expected an object")]
            return
        }
        let piano = fields.integer("piano")
        let kwh = fields.number("sensore1_kwh")
        let kw = fields.number("sensore2_kw")
        let amp = fields.number("sensore3_corrente")
        let volt = fields.number("sensore3_tensione")
        let timestampMs = fields.timestamp("timestamp")
        problems = fields.problems
        if let piano, let kwh, let kw, let amp, let volt, let timestampMs {
            reading = Reading(piano: piano, kwh: kwh, kw: kw, amp: amp, volt: volt, timestampMs: timestampMs)
        } else {
            reading = nil
        }
    }
}
