/// Settings of the agents of EnergyGuard.
enum EnergyGuardSettings {
    // MARK: What gateway and agents share

    /// How long history is kept.
    static let historyTTL = Setting.duration(
        .energy, "history-ttl", default: "30d", in: 60_000...(3_653 * 86_400_000), unit: "d",
        "How long a reading stays in a floor's history.")
    /// Notifications that are kept.
    static let notificationsMax = Setting.integer(
        .energy, "notifications-max", default: 1_000, in: 1...100_000, unit: "notifications",
        aliases: [EnvironmentAlias("NOTIFY_BUFFER_SIZE")], "Notifications that are kept, the newest.")
    /// Equal alerts within it are one.
    static let suppress = Setting.duration(
        .energy, "suppress", default: "1m", in: 0...86_400_000,
        aliases: [EnvironmentAlias("NOTIFY_SUPPRESS_SECS", suffix: "s")],
        "Alerts of one floor and type less than this apart are one notification.")

    // MARK: sensor-sim

    /// The floors.
    static let floors = Setting.floors(
        .energy, "floors", default: "1-3",
        "Floors that report. A replay of readings takes all floors of the file when only it is given.")
    /// Time between two readings.
    static let interval = Setting.duration(
        .energy, "interval", default: "30s", in: 10...86_400_000, "Time between two readings of one floor.")
    /// Share of anomalies.
    static let anomalyRate = Setting.number(
        .energy, "anomaly-rate", default: 0.15, in: 0...1, unit: "of all readings",
        "Share of readings with an anomaly put in.")
    /// A meter file.
    static let replay = Setting.path(
        .energy, "replay",
        "Meter file to replay (CSV) in place of synthetic meters; deploy/sample-data/meter.csv is one.")
    /// How a replay stamps its readings.
    static let stamps = Setting.choice(
        .energy, "stamps", default: "shifted", of: ["shifted", "original"],
        "Times of replayed readings: moved so that the last one is now, or those of the file.")

    // MARK: ingestor

    /// Floors whose history is kept.
    static let keptFloors = Setting.floors(
        .energy, "kept-floors", "Floors whose history is kept. Not given: the first thousand seen.")

    // MARK: detector

    /// Pause between two alerts.
    static let cooldown = Setting.duration(
        .energy, "cooldown", default: "30s", in: 1_000...86_400_000,
        aliases: [EnvironmentAlias("EDGE_COOLDOWN_SECS", suffix: "s")],
        "Pause between two alerts of one floor and type, by the readings' own time.")
    /// Thresholds to begin with.
    static let thresholds = Setting.path(
        .energy, "thresholds", aliases: [EnvironmentAlias("THRESHOLDS_PATH")],
        "File of thresholds (JSON, as `GET /admin/thresholds` answers) that the detector puts in force when nobody has set "
            + "any; deploy/sample-data/thresholds.json is one.")
    /// Says only what it would do.
    static let dryRun = Setting.toggle(.energy, "dry-run", "The detector says what it would raise and raises nothing.")

    /// What gateway and agents share.
    static let shared: [SettingDefinition] = [historyTTL.definition, notificationsMax.definition, suppress.definition]
    /// Those of `sensor-sim` alone.
    static let sensorSim: [SettingDefinition] = [
        floors.definition, interval.definition, anomalyRate.definition, replay.definition, stamps.definition,
    ]
    /// Those of `ingestor` alone.
    static let ingestor: [SettingDefinition] = [keptFloors.definition]
    /// Those of `detector` alone.
    static let detector: [SettingDefinition] = [cooldown.definition, thresholds.definition, dryRun.definition]
    /// In the order of the reference.
    static let all = shared + sensorSim + ingestor + detector
}

extension Setting where Value == [Int] {
    /// Floors by number and range: `1,2,7` or `1-1000`.
    static func floors(
        _ section: SettingSection, _ name: String, default defaultText: String? = nil, _ documentation: String
    ) -> Setting {
        let expected = "floors from 0 to 1000000 by number and range, as in 1,2,7 or 1-1000, each once"
        return Setting(section, name, type: "floors", allowed: expected, default: defaultText, documentation) {
            text throws(ValueProblem) in
            var floors: [Int] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int(Text.trimmed($0)) }
                guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
                    (0...1_000_000).contains(first), last <= 1_000_000
                else { throw ValueProblem(expected: expected) }
                floors += first...last
            }
            guard Set(floors).count == floors.count else { throw ValueProblem(expected: expected) }
            return floors
        }
    }
}
