/// One limit of one floor: when a value passes it, when it has come back, and how bad it is.
struct ThresholdBound {
    /// The limit, in the metric's unit.
    let threshold: Double

    private let isUpper: Bool
    private let hysteresis: Double
    private let warning: Double
    private let critical: Double

    /// The limit that alerts of `type` are about.
    init(type: AlertType, limit: FloorThresholds, settings: DetectorSettings) {
        switch type {
        case .kwOver: threshold = limit.kw
        case .ampOver: threshold = limit.amp
        case .voltOver: threshold = limit.voltMax
        case .voltUnder: threshold = limit.voltMin
        case .dkwhOver: threshold = limit.dkwh
        }
        isUpper = type != .voltUnder
        switch type {
        case .kwOver, .ampOver, .dkwhOver:
            hysteresis = settings.loadHysteresis
            warning = settings.loadWarning
            critical = settings.loadCritical
        case .voltOver, .voltUnder:
            hysteresis = settings.voltageHysteresis
            warning = settings.voltageWarning
            critical = settings.voltageCritical
        }
    }

    /// Whether `value` is beyond the limit, strictly: the limit itself is allowed.
    func isPassed(by value: Double) -> Bool {
        isUpper ? value > threshold : value < threshold
    }

    /// Whether `value` has come back by the hysteresis.
    func isCleared(by value: Double) -> Bool {
        isUpper ? value <= threshold * (1 - hysteresis) : value >= threshold * (1 + hysteresis)
    }

    /// How bad a value beyond the limit is, by its distance as a share of the limit.
    func severity(of value: Double) -> AlertSeverity {
        guard threshold > 0 else { return .critical }
        let excess = (isUpper ? value - threshold : threshold - value) / threshold
        if excess >= critical { return .critical }
        return excess >= warning ? .warning : .info
    }
}
