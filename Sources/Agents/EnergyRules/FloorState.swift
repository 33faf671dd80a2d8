/// What the threshold detector remembers of one floor. It is stored as JSON, so its names do not change.
package struct FloorState: Equatable, Codable, Sendable {
    /// One alert type's memory.
    package struct Condition: Equatable, Codable, Sendable {
        /// The value has passed the limit and has not come back by the hysteresis.
        package var raised = false

        /// Time of the reading that raised the last alert, ms since 1970.
        package var lastAlertMs: Int64?

        enum CodingKeys: String, CodingKey {
            case raised
            case lastAlertMs = "last_alert_ms"
        }
    }

    /// Time of the newest reading judged, ms since 1970.
    package var lastTimestampMs: Int64?

    /// The register at that reading, kWh.
    package var lastKwh: Double?

    private var kwOver = Condition()
    private var ampOver = Condition()
    private var voltOver = Condition()
    private var voltUnder = Condition()
    private var dkwhOver = Condition()

    /// A floor of which nothing is known.
    package init() {}

    /// By how much the register has grown up to a reading, kWh; nil when no reading has been seen, or when the
    /// register went back: the meter was exchanged or reset, and there is no increase to tell.
    package func increase(to kwh: Double) -> Double? {
        guard let lastKwh, kwh >= lastKwh else { return nil }
        return kwh - lastKwh
    }

    /// The memory of one alert type.
    package subscript(type: AlertType) -> Condition {
        get {
            switch type {
            case .kwOver: kwOver
            case .ampOver: ampOver
            case .voltOver: voltOver
            case .voltUnder: voltUnder
            case .dkwhOver: dkwhOver
            }
        }
        set {
            switch type {
            case .kwOver: kwOver = newValue
            case .ampOver: ampOver = newValue
            case .voltOver: voltOver = newValue
            case .voltUnder: voltUnder = newValue
            case .dkwhOver: dkwhOver = newValue
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case lastTimestampMs = "last_timestamp_ms"
        case lastKwh = "last_kwh"
        case kwOver = "kw_over"
        case ampOver = "amp_over"
        case voltOver = "volt_over"
        case voltUnder = "volt_under"
        case dkwhOver = "dkwh_over"
    }
}
