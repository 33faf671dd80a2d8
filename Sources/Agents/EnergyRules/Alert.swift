/// What a threshold alert is about: a value strictly above or below a limit, which itself is allowed. The raw values
/// are the contract's words.
package enum AlertType: String, CaseIterable, Codable, Sendable {
    /// Power above the threshold.
    case kwOver = "kw_over"
    /// Current above the threshold.
    case ampOver = "amp_over"
    /// Voltage above the threshold.
    case voltOver = "volt_over"
    /// Voltage below the threshold.
    case voltUnder = "volt_under"
    /// The register grew by more than the threshold since the floor's previous reading.
    case dkwhOver = "dkwh_over"

    /// The measured quantity.
    package var metric: Metric {
        switch self {
        case .kwOver: .kw
        case .ampOver: .amp
        case .voltOver, .voltUnder: .volt
        case .dkwhOver: .dkwh
        }
    }
}

/// How far over its threshold a value is.
package enum AlertSeverity: String, CaseIterable, Codable, Sendable {
    /// Just over.
    case info
    /// Clearly over.
    case warning
    /// So far over that somebody should act now.
    case critical
}

/// One floor's value passed a threshold at one reading.
package struct Alert: Equatable, Sendable {
    /// The floor.
    package var piano: Int

    /// What passed which limit.
    package var type: AlertType

    /// The value found, in the metric's unit (kW, A, V, kWh).
    package var value: Double

    /// The limit it passed, same unit.
    package var threshold: Double

    /// How far over.
    package var severity: AlertSeverity

    /// Time of the reading, ms since 1970 UTC.
    package var timestampMs: Int64

    /// An alert with these values.
    package init(
        piano: Int, type: AlertType, value: Double, threshold: Double, severity: AlertSeverity, timestampMs: Int64
    ) {
        self.piano = piano
        self.type = type
        self.value = value
        self.threshold = threshold
        self.severity = severity
        self.timestampMs = timestampMs
    }

    /// `{floor}:{seconds since 1970}:{type}`: the same alert raised twice has the same id.
    package var id: String { Self.id(piano: piano, type: type.rawValue, timestampMs: timestampMs) }

    /// The id of an alert of any type, made from floor, type and the reading's time (whole seconds, rounded down).
    package static func id(piano: Int, type: String, timestampMs: Int64) -> String {
        "\(piano):\(CivilTime.floorDivide(timestampMs, 1_000)):\(type)"
    }
}
