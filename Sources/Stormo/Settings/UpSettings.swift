/// Settings of `stormo up`.
enum UpSettings {
    /// Nodes.
    static let nodes = Setting.integer(
        .up, "nodes", default: 3, in: 1...9, unit: "nodes", "Nodes to run. Fixed once the data directory exists.")
    /// Gateways.
    static let gateways = Setting.integer(
        .up, "gateways", default: 1, in: 0...8, unit: "gateways", "Gateways to run, on successive ports.")
    /// Where the first gateway listens.
    static let http = Setting.integer(
        .up, "http", default: nil, in: 0...65_535, unit: "port",
        "Port of the first gateway on 127.0.0.1; 0 for any free one. Not given: the one used before, at first 8080 or, when "
            + "that is taken, any free one.")
    /// Where everything is.
    static let data = Setting.path(
        .up, "data", default: "stormo-data",
        "Directory of everything: each node's data, the logs, the cluster secret, the ports. Starting over it again goes on."
    )
    /// Applications.
    static let apps = Setting(
        .up, "apps", type: "list", allowed: "fleet, energy, or none", default: "fleet,energy",
        "Applications whose agents run.", parse: { text throws(ValueProblem) in try Self.applications(text) })
    /// Pause after a child's death.
    static let restartPause = Setting.duration(
        .up, "restart-pause", default: "200ms", in: 10...60_000, unit: "ms",
        "Pause before a child that died is started again; it doubles with each death in a row, up to restart-pause-max."
    )
    /// Longest pause.
    static let restartPauseMax = Setting.duration(
        .up, "restart-pause-max", default: "10s", in: 10...600_000, "Longest pause before a child is started again.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        nodes.definition, gateways.definition, http.definition, data.definition, apps.definition,
        restartPause.definition,
        restartPauseMax.definition,
    ]

    private static func applications(_ text: String) throws(ValueProblem) -> Set<Application> {
        if text == "none" { return [] }
        var found: Set<Application> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let application = Application(rawValue: Text.trimmed(part)) else {
                throw ValueProblem(expected: "fleet, energy, both separated by a comma, or none")
            }
            found.insert(application)
        }
        return found
    }
}

/// An application that runs on a cluster.
enum Application: String, Sendable, Hashable, CaseIterable {
    /// DroneDispatch.
    case fleet
    /// EnergyGuard.
    case energy

    /// The names of its agents, as `stormo agent` takes them, in the order in which they are started.
    var agents: [String] {
        switch self {
        case .fleet: ["dispatcher", "drone-sim", "order-gen"]
        case .energy: ["ingestor", "detector", "sensor-sim"]
        }
    }
}
