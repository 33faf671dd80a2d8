package import EnergyRules

/// An alert as JSON, as it is stored, streamed and listed.
package struct AlertDocument: Equatable, Sendable, Codable {
    /// The band in which a learned pattern expected the value.
    package struct Expected: Equatable, Sendable, Codable {
        /// Lowest value expected.
        package var low: Double
        /// Highest value expected.
        package var high: Double

        /// A band.
        package init(low: Double, high: Double) {
            self.low = low
            self.high = high
        }
    }

    /// Every type that the contract knows; ours are the threshold types, programs outside may report the others.
    package static let types =
        AlertType.allCases.map(\.rawValue) + [
            "pattern_outlier_kw", "pattern_outlier_amp", "pattern_outlier_volt", "pattern_outlier_dkwh", "no_data",
        ]

    /// `{piano}:{epoch}:{type}`.
    package var id: String
    /// The floor.
    package var piano: Int
    /// What happened: one of ``types``.
    package var type: String
    /// The measured quantity: `kw`, `amp`, `volt`, `dkwh`.
    package var metric: String
    /// The value found, in the metric's unit.
    package var value: Double
    /// The limit it passed.
    package var threshold: Double?
    /// What a pattern expected.
    package var expected: Expected?
    /// How far from the pattern, in its own measure.
    package var score: Double?
    /// How bad.
    package var severity: AlertSeverity
    /// Time of the reading, ms since 1970; RFC 3339 in JSON.
    package var timestampMs: Int64
    /// Whether somebody has read it.
    package var read: Bool
    /// Who took care of it.
    package var acknowledgedBy: String?

    /// Whether a silence covered it when it was raised: it is kept, but was not published, and nobody needs to read it.
    package var isSilenced = false

    /// The mark of an alert whose event is not published yet: whoever finds it publishes. Never leaves the store.
    var isUnpublished = false

    /// The document of an alert that a detector raised.
    package init(_ alert: Alert) {
        id = alert.id
        piano = alert.piano
        type = alert.type.rawValue
        metric = alert.type.metric.rawValue
        value = alert.value
        threshold = alert.threshold
        severity = alert.severity
        timestampMs = alert.timestampMs
        read = false
    }

    enum CodingKeys: String, CodingKey {
        case id, piano, type, metric, value, threshold, expected, score, severity, timestamp, read
        case acknowledgedBy = "acknowledged_by"
        case isSilenced = "silenced"
        case isUnpublished = "unpublished"
    }

    /// Whether it counts as unread.
    package var isUnread: Bool { !read && !isSilenced }

    /// Writes the members of the contract, and the marks where they are set.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(piano, forKey: .piano)
        try container.encode(type, forKey: .type)
        try container.encode(metric, forKey: .metric)
        try container.encode(value, forKey: .value)
        try container.encodeIfPresent(threshold, forKey: .threshold)
        try container.encodeIfPresent(expected, forKey: .expected)
        try container.encodeIfPresent(score, forKey: .score)
        try container.encode(severity, forKey: .severity)
        try container.encode(EnergyTime.text(timestampMs), forKey: .timestamp)
        try container.encode(read, forKey: .read)
        try container.encodeIfPresent(acknowledgedBy, forKey: .acknowledgedBy)
        if isSilenced { try container.encode(true, forKey: .isSilenced) }
        if isUnpublished { try container.encode(true, forKey: .isUnpublished) }
    }

    /// Reads a stored document; a bad member is thrown as ``EnergyInputError/invalid(_:)``.
    package init(from decoder: any Decoder) throws {
        let input = try AlertInput(from: decoder)
        guard let document = input.document, input.problems.isEmpty else {
            throw EnergyInputError.invalid(input.problems)
        }
        self = document
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decodeIfPresent(String.self, forKey: .id) ?? id
        read = try container.decodeIfPresent(Bool.self, forKey: .read) ?? false
        acknowledgedBy = try container.decodeIfPresent(String.self, forKey: .acknowledgedBy)
        isSilenced = try container.decodeIfPresent(Bool.self, forKey: .isSilenced) ?? false
        isUnpublished = try container.decodeIfPresent(Bool.self, forKey: .isUnpublished) ?? false
    }

    /// The document's bytes.
    package func encoded() throws -> [UInt8] { try EnergyJSON.encode(self) }

    /// Reads an alert that a program outside reports. Its id is made anew from floor, type and time; it is unread.
    package static func parse(_ bytes: [UInt8], nowMs: Int64, limits: ReadingLimits = ReadingLimits())
        throws(EnergyInputError) -> AlertDocument
    {
        let input = try EnergyJSON.decode(AlertInput.self, bytes)
        guard let document = input.document else { throw .invalid(input.problems) }
        var problems = input.problems
        if !limits.floors.contains(document.piano) {
            problems.append(FieldProblem(field: "piano", reason: "is no floor: \(document.piano)"))
        }
        let latest = limits.latestMs(nowMs: nowMs)
        if document.timestampMs < limits.earliestMs || document.timestampMs > latest {
            problems.append(FieldProblem(field: "timestamp", reason: "is before 2000 or in the future"))
        }
        guard problems.isEmpty else { throw .invalid(problems) }
        return document
    }

    fileprivate init(
        piano: Int, type: String, metric: String, value: Double, severity: AlertSeverity, timestampMs: Int64
    ) {
        id = Alert.id(piano: piano, type: type, timestampMs: timestampMs)
        self.piano = piano
        self.type = type
        self.metric = metric
        self.value = value
        self.severity = severity
        self.timestampMs = timestampMs
        read = false
    }
}

/// An alert as it came, with all that is wrong about its members.
private struct AlertInput: Decodable {
    let document: AlertDocument?
    let problems: [FieldProblem]

    init(from decoder: any Decoder) throws {
        guard var fields = FieldReader(decoder) else {
            document = nil
            problems = [FieldProblem(field: "body", reason: "expected an object")]
            return
        }
        let piano = fields.integer("piano")
        let type = fields.text("type")
        if let type, !AlertDocument.types.contains(type) {
            fields.add("type", "expected one of \(AlertDocument.types.joined(separator: ", "))")
        }
        let metric = fields.has("metric") ? fields.text("metric") : Self.metric(of: type ?? "")
        let value = fields.number("value")
        let severityText = fields.has("severity") ? fields.text("severity") : AlertSeverity.warning.rawValue
        let severity = severityText.flatMap(AlertSeverity.init(rawValue:))
        if severityText != nil, severity == nil {
            let known = AlertSeverity.allCases.map(\.rawValue).joined(separator: ", ")
            fields.add("severity", "expected one of \(known)")
        }
        let timestampMs = fields.timestamp("timestamp")
        let threshold = fields.has("threshold") ? fields.number("threshold") : nil
        let score = fields.has("score") ? fields.number("score") : nil
        var expected: AlertDocument.Expected?
        if fields.has("expected"), var band = fields.object("expected") {
            if let low = band.number("low"), let high = band.number("high") {
                expected = AlertDocument.Expected(low: low, high: high)
            }
            fields.take(band)
        }
        problems = fields.problems
        guard let piano, let type, let metric, let value, let severity, let timestampMs else {
            document = nil
            return
        }
        var document = AlertDocument(
            piano: piano, type: type, metric: metric, value: value, severity: severity, timestampMs: timestampMs)
        document.threshold = threshold
        document.score = score
        document.expected = expected
        self.document = document
    }

    /// The quantity that a type is about, for reports that do not name it.
    private static func metric(of type: String) -> String {
        if let known = AlertType(rawValue: type) { return known.metric.rawValue }
        return type.split(separator: "_").last.map(String.init) ?? type
    }
}
