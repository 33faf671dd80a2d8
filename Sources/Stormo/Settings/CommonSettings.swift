import Logging
import WireTransport

/// Settings that more than one command has.
enum CommonSettings {
    /// The configuration file.
    static let configuration = Setting.path(
        .common, "config", channels: [.flag, .environment], "Configuration file (YAML) with settings of any command.")
    /// The cluster's name.
    static let cluster = Setting.text(
        .common, "cluster", default: "stormo", bytesMax: 255,
        "Name of the cluster. Nodes, gateways and agents of another name are refused.")
    /// Where nodes may be found.
    static let seeds = Setting.list(
        .common, "seeds", of: "host:port",
        "Nodes to find the cluster by. For a node: all founders, itself included, the same on every node."
    ) { HostPort(given: $0) }
    /// The file of the secret.
    static let secretFile = Setting.path(
        .common, "secret-file", "File that holds the cluster secret, 16 to 1024 bytes; readable by its owner only.")
    /// The secret.
    static let secret = Setting.text(
        .common, "secret", channels: .environment,
        "The cluster secret itself, when no secret file is given. Needed to listen beyond this machine.")
    /// How much is logged.
    static let logLevel = Setting.choice(
        .common, "log-level", default: "info", of: Logger.Level.allCases.map(\.rawValue),
        "The least severe events that are logged.")
    /// How long a stop may take.
    static let shutdownGrace = Setting.duration(
        .common, "shutdown-grace", default: "10s", in: 100...600_000,
        "How long a process that was asked to stop may take before it is ended.")

    /// How long a command waits for the cluster.
    static let timeout = Setting.duration(
        .common, "timeout", default: "5s", in: 100...600_000, "How long a command waits for the cluster to answer.")

    /// What every process of a cluster takes.
    static let process: [SettingDefinition] = [
        configuration.definition, cluster.definition, seeds.definition, secretFile.definition, secret.definition,
        logLevel.definition,
        shutdownGrace.definition,
    ]

    /// In the order of the reference.
    static let all = process + [timeout.definition]
}
