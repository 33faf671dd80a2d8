import ArgumentParser
import FoundationEssentials
import Logging

/// A command's settings, weighed, and the loggers made by them.
struct CommandContext: Sendable {
    /// The settings.
    let settings: ResolvedSettings
    /// What was given as flags, by key.
    let flags: [String: String]
    /// The environment of the process.
    let environment: [String: String]
    private let level: Logger.Level

    /// Weighs flags, environment, file and defaults for the settings of a command.
    init<Scope>(_ given: SettingFlags<Scope>) throws(ConfigurationError) {
        environment = ProcessInfo.processInfo.environment
        flags = given.given
        let setting = CommonSettings.configuration.definition
        var file = ConfigurationFile.none
        if let path = flags[setting.key] ?? environment[setting.variable] {
            file = try ConfigurationFile(path: path, known: SettingCatalogue.all)
        }
        settings = try ResolvedSettings(
            Scope.definitions, catalogue: SettingCatalogue.all, flags: flags, environment: environment, file: file)
        level = Logger.Level(rawValue: try settings.value(CommonSettings.logLevel)) ?? .info
    }

    /// A logger of the process's settings.
    func logger(_ label: String) -> Logger {
        let level = level
        return Logger(label: label) { CompactLogHandler(label: $0, level: level) }
    }
}
