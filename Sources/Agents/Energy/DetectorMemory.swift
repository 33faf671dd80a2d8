import EnergyRules
import Wire

/// What the detector keeps of one floor in the cluster, under `energy:p{n}:detector`.
///
/// The offset tells operators how far the state goes. It does not decide what is judged: the time of the last reading
/// in the state does, which also holds when the topic has been made anew and counts from zero.
struct DetectorDocument: Equatable, Sendable, Codable {
    /// Partition of the readings topic that the floor's readings are in.
    var partition: UInt32
    /// The offset behind the last reading judged.
    var offset: UInt64
    /// The rules' memory.
    var state: FloorState
    /// Alerts that came of the last step to this state. They are raised after it is stored, so that a detector that
    /// has lost its partition without knowing raises nothing; who loads the state raises them again, which is nothing
    /// new if they are out. Absent when there are none.
    var alerts: [AlertDocument]?
    /// What the floor's baseline has still to learn, oldest first. Everything judged is here or in the baseline; what
    /// is in both is not learned again. Absent when there is nothing.
    var waiting: [Observation]?
}

/// One partition's detector in memory: the states of its floors with the versions they were stored under.
///
/// Every state is written back by compare-and-set with that version. If another detector has taken the partition over
/// meanwhile, the write is refused, the memory is thrown away and the records are judged anew.
struct DetectorMemory: Sendable {
    /// The rules.
    var detector: ThresholdDetector

    // Nil for a floor that has no document yet.
    private var versions: [Int: Ballot?] = [:]
    private var waiting: [Int: [Observation]] = [:]
    private let settings: EnergyAgentSettings

    /// A memory that knows no floor.
    init(settings: EnergyAgentSettings) {
        detector = ThresholdDetector(settings: settings.rules)
        self.settings = settings
    }

    /// Judges a reading, and keeps what it says for the floor's baseline to learn, unless it is one that changes
    /// nothing: late, a duplicate or not acceptable. `nowMs` is ms since 1970.
    mutating func handle(_ reading: Reading, thresholds: Thresholds, nowMs: Int64) -> [Alert] {
        let before = detector.state(floor: reading.piano)
        let judged = detector.counters.judged
        let alerts = detector.handle(reading, thresholds: thresholds, nowMs: nowMs)
        if detector.counters.judged > judged {
            waiting[reading.piano, default: []].append(Observation(reading, after: before))
        }
        return alerts
    }

    /// What a floor's baseline has still to learn, oldest first.
    func waiting(floor: Int) -> [Observation] { waiting[floor] ?? [] }

    /// Those of `floors` whose baselines should learn now what waits.
    func floorsToLearn(of floors: [Int]) -> [Int] {
        let half = settings.baselineEvery / 2
        let spread = settings.baselineEvery - half
        return floors.filter { floor in
            waiting(floor: floor).count >= max(1, half + Int(floor.magnitude % UInt(spread + 1)))
        }
    }

    /// Those of `floors` of which more waits than may be stored with their state.
    func floorsOverfull(of floors: [Int]) -> [Int] {
        floors.filter { waiting(floor: $0).count > settings.baselineWaitingMax }
    }

    /// Notes that a floor's baseline has learned what was waiting.
    mutating func learned(floor: Int) { waiting.removeValue(forKey: floor) }

    /// Those floors of a batch whose state must be loaded first, each once, in the order they come. Makes room when
    /// there are too many in memory.
    mutating func unknownFloors(in readings: [Reading]) -> [Int] {
        if versions.count + readings.count > settings.floorsInMemoryMax,
            readings.contains(where: { versions[$0.piano] == nil })
        {
            versions.removeAll(keepingCapacity: true)
            waiting.removeAll(keepingCapacity: true)
            detector.forgetAll()
        }
        var seen: Set<Int> = []
        return readings.map(\.piano).filter { versions[$0] == nil && seen.insert($0).inserted }
    }

    /// Takes over a floor's stored state, nil for none, and what was waiting to be learned.
    mutating func load(floor: Int, state: FloorState?, waiting: [Observation] = [], version: Ballot?) {
        self.waiting[floor] = waiting.isEmpty ? nil : waiting
        versions.updateValue(version, forKey: floor)
        detector.restore(state, floor: floor)
    }

    /// What must hold of a floor's document for its state to be written.
    func condition(floor: Int) -> Condition {
        guard let known = versions[floor], let version = known else { return .absent }
        return .version(version)
    }

    /// Notes that a floor's state was stored; without a version, somebody has replaced it since and it must be
    /// loaded again.
    mutating func stored(floor: Int, version: Ballot?) {
        if let version {
            versions.updateValue(version, forKey: floor)
        } else {
            versions.removeValue(forKey: floor)
            waiting.removeValue(forKey: floor)
            detector.restore(nil, floor: floor)
        }
    }
}
