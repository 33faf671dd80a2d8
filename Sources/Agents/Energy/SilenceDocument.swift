package import EnergyRules
import Wire

/// A silence as JSON, as it is stored and listed: `{"id","piano"?,"type"?,"until","comment"}`.
package struct SilenceDocument: Equatable, Sendable, Codable {
    /// Its name: 32 hexadecimal digits that sort by the time it was made.
    package var id: String

    /// What is silenced, until when and why.
    package var silence: Silence

    /// A silence under a name.
    package init(id: String, silence: Silence) {
        self.id = id
        self.silence = silence
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, piano, type, until, comment
    }

    /// Writes the members of the contract.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encodeIfPresent(silence.piano, forKey: .piano)
        try container.encodeIfPresent(silence.type, forKey: .type)
        try container.encode(EnergyTime.text(silence.untilMs), forKey: .until)
        try container.encode(silence.comment, forKey: .comment)
    }

    /// Reads a stored document; a bad member is thrown as ``EnergyInputError/invalid(_:)``.
    package init(from decoder: any Decoder) throws {
        let input = try SilenceInput(from: decoder)
        guard let silence = input.silence else { throw EnergyInputError.invalid(input.problems) }
        self.silence = silence
        id = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .id)
    }

    /// The document's bytes.
    package func encoded() throws -> [UInt8] { try EnergyJSON.encode(self) }

    /// Reads and validates what somebody wants silenced from `nowMs` (ms since 1970) on. A member that means nothing is
    /// refused: a misspelt `piano` would silence every floor.
    package static func parse(
        _ bytes: [UInt8], nowMs: Int64, rules: EnergySettings = EnergySettings()
    ) throws(EnergyInputError) -> Silence {
        let input = try EnergyJSON.decode(SilenceInput.self, bytes)
        var problems = input.problems
        problems += input.silence?.problems(nowMs: nowMs, reading: rules.reading, limits: rules.silence) ?? []
        guard let silence = input.silence, problems.isEmpty else { throw .invalid(problems) }
        return silence
    }

    /// The name of a silence that is made at `nowMs`.
    static func makeID(nowMs: Int64, using generator: inout some RandomNumberGenerator) -> String {
        Hex.fixed(UInt64(clamping: nowMs)) + Hex.fixed(generator.next())
    }

    /// Whether a text may be the name of a silence.
    static func isID(_ text: String) -> Bool {
        text.utf8.count == 32 && Hex.number(text.prefix(16)) != nil && Hex.number(text.suffix(16)) != nil
    }
}

/// A silence as it came, with all that is wrong about its members.
private struct SilenceInput: Decodable {
    /// Nil when a member is missing or of the wrong type.
    let silence: Silence?
    let problems: [FieldProblem]

    init(from decoder: any Decoder) throws {
        guard var fields = FieldReader(decoder) else {
            silence = nil
            problems = [FieldProblem(field: "body", reason: "expected an object")]
            return
        }
        let known = SilenceDocument.CodingKeys.allCases.map(\.rawValue)
        for name in fields.names where !known.contains(name) {
            fields.add(name, "is no member of a silence: expected piano, type, until or comment")
        }
        let piano = fields.has("piano") ? fields.integer("piano") : nil
        let type = fields.has("type") ? fields.text("type") : nil
        if let type, !AlertDocument.types.contains(type) {
            fields.add("type", "expected one of \(AlertDocument.types.joined(separator: ", "))")
        }
        let untilMs = fields.timestamp("until")
        let comment = fields.text("comment")
        problems = fields.problems
        let isWhole = (piano != nil || !fields.has("piano")) && (type != nil || !fields.has("type"))
        if isWhole, let untilMs, let comment {
            silence = Silence(piano: piano, type: type, untilMs: untilMs, comment: comment)
        } else {
            silence = nil
        }
    }
}

extension Silence {
    /// Whether a stored or reported alert that is raised at `nowMs` (ms since 1970) is silenced.
    package func covers(_ alert: AlertDocument, at nowMs: Int64) -> Bool {
        covers(piano: alert.piano, type: alert.type, at: nowMs)
    }
}
