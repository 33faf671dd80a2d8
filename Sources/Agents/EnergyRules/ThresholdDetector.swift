/// Decides which readings raise threshold alerts.
///
/// **The limit itself is allowed.** "Over" is strictly more than the limit and "under" strictly less, here as in what
/// the pages show in red.
///
/// **Edge-triggered.** An alert is raised when a value passes its threshold, and not again until the value has come
/// back by the hysteresis.
///
/// **Cool-down.** Two alerts of one floor and type are at least the cool-down apart, *in the readings' own time*.
/// A replay at a hundred times the speed, a consumer that catches up after an outage and one that runs live then
/// raise the very same alerts from the same readings; by the wall clock a replay would swallow almost all of them.
/// An edge within the cool-down is not lost: if the value is still over when the cool-down ends, that reading raises
/// the alert.
///
/// **Late and duplicate readings** (not newer than the floor's last) change nothing, so what is delivered twice is
/// judged once. A reading further ahead of `now` than a clock may drift is ignored too: it would make every good
/// reading after it late.
///
/// All state is in ``FloorState`` and can be stored, so that a restarted detector goes on where it was.
package struct ThresholdDetector: Sendable {
    /// What was ignored or held back since the detector was made.
    package struct Counters: Equatable, Sendable {
        /// Readings judged.
        package var judged = 0
        /// Readings older than the floor's last.
        package var late = 0
        /// Readings of the same time as the floor's last.
        package var duplicates = 0
        /// Readings that are not acceptable at all (not finite, out of range, ahead of the clock).
        package var invalid = 0
        /// Edges that waited for the cool-down.
        package var cooledDown = 0
        /// Alerts raised.
        package var raised = 0
    }

    private let settings: DetectorSettings
    private let limits: ReadingLimits
    private var floors: [Int: FloorState] = [:]

    /// What was ignored or held back.
    package private(set) var counters = Counters()

    /// A detector that knows no floor yet.
    package init(settings: EnergySettings = EnergySettings()) {
        self.settings = settings.detector
        self.limits = settings.reading
    }

    /// Number of floors it holds the state of.
    package var floorCount: Int { floors.count }

    /// The state of `floor`, to be stored; nil when it has seen none of its readings.
    package func state(floor: Int) -> FloorState? { floors[floor] }

    /// Goes on from a stored state; nil forgets the floor.
    package mutating func restore(_ state: FloorState?, floor: Int) {
        floors[floor] = state
    }

    /// Forgets every floor, for states that somebody else may have carried on meanwhile.
    package mutating func forgetAll() {
        floors.removeAll(keepingCapacity: true)
    }

    /// Judges one reading against the limits in force at `nowMs` (ms since 1970); the alerts come in the order of
    /// ``AlertType``.
    package mutating func handle(_ reading: Reading, thresholds: Thresholds, nowMs: Int64) -> [Alert] {
        guard reading.problems(nowMs: nowMs, limits: limits).isEmpty else {
            counters.invalid += 1
            return []
        }
        var state = floors[reading.piano] ?? FloorState()
        if let last = state.lastTimestampMs, reading.timestampMs <= last {
            if reading.timestampMs == last { counters.duplicates += 1 } else { counters.late += 1 }
            return []
        }
        counters.judged += 1
        let alerts = judge(reading, &state, thresholds.effective(floor: reading.piano))
        floors[reading.piano] = state
        counters.raised += alerts.count
        return alerts
    }

    private mutating func judge(_ reading: Reading, _ state: inout FloorState, _ limit: FloorThresholds) -> [Alert] {
        var alerts: [Alert] = []
        for type in AlertType.allCases {
            let value: Double
            switch type {
            case .kwOver: value = reading.kw
            case .ampOver: value = reading.amp
            case .voltOver, .voltUnder: value = reading.volt
            case .dkwhOver:
                guard let increase = state.increase(to: reading.kwh) else { continue }
                value = increase
            }
            let bound = ThresholdBound(type: type, limit: limit, settings: settings)
            var condition = state[type]
            if bound.isPassed(by: value) {
                if !condition.raised, isCool(condition, at: reading.timestampMs) {
                    condition = FloorState.Condition(raised: true, lastAlertMs: reading.timestampMs)
                    alerts.append(
                        Alert(
                            piano: reading.piano, type: type, value: value, threshold: bound.threshold,
                            severity: bound.severity(of: value), timestampMs: reading.timestampMs))
                } else if !condition.raised {
                    counters.cooledDown += 1
                }
            } else if bound.isCleared(by: value) {
                condition.raised = false
            }
            state[type] = condition
        }
        state.lastTimestampMs = reading.timestampMs
        state.lastKwh = reading.kwh
        return alerts
    }

    private func isCool(_ condition: FloorState.Condition, at timestampMs: Int64) -> Bool {
        guard let last = condition.lastAlertMs else { return true }
        return timestampMs - last >= settings.cooldownMs
    }
}
