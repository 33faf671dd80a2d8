/// The settings of a command after flag, environment, file and default have been weighed, in this order.
struct ResolvedSettings: Sendable {
    /// A text and where it came from.
    struct Entry: Sendable, Hashable {
        let text: String
        let origin: String
        let isDefault: Bool
    }

    private let entries: [String: Entry]

    /// Weighs the sources for `definitions`, the settings of one command. `catalogue` is all settings there are: the
    /// file and the environment may name any of them, since several commands share both.
    ///
    /// `flags` holds the given flags by key of the setting.
    init(
        _ definitions: [SettingDefinition], catalogue: [SettingDefinition], flags: [String: String],
        environment: [String: String], file: ConfigurationFile
    ) throws(ConfigurationError) {
        try Self.refuseUnknownVariables(environment, catalogue: catalogue)
        var entries: [String: Entry] = [:]
        for definition in definitions {
            guard let entry = Self.entry(of: definition, flags: flags, environment: environment, file: file) else {
                continue
            }
            do { try definition.check(entry.text) } catch {
                throw .invalid(
                    setting: definition.key, value: definition.isSecret ? "…" : entry.text, expected: error.expected,
                    origin: entry.origin)
            }
            entries[definition.key] = entry
        }
        self.entries = entries
    }

    /// The value of a setting; nil when nobody gave one and it has no default.
    func optional<Value>(_ setting: Setting<Value>) throws(ConfigurationError) -> Value? {
        guard let entry = entries[setting.definition.key] else { return nil }
        do { return try setting.parse(entry.text) } catch {
            throw .invalid(
                setting: setting.definition.key, value: entry.text, expected: error.expected, origin: entry.origin)
        }
    }

    /// The value of a setting that must have one.
    func value<Value>(_ setting: Setting<Value>) throws(ConfigurationError) -> Value {
        guard let value = try optional(setting) else {
            let definition = setting.definition
            var ways: [String] = []
            if definition.channels.contains(.flag) { ways.append(definition.flag) }
            if definition.channels.contains(.environment) { ways.append(definition.variable) }
            if definition.channels.contains(.file) { ways.append("\(definition.key) in the configuration file") }
            throw .missing(setting: definition.key, ways: ways.joined(separator: ", "))
        }
        return value
    }

    /// Whether somebody gave the setting, so that its value is not the default.
    func isGiven(_ definition: SettingDefinition) -> Bool { entries[definition.key].map { !$0.isDefault } ?? false }

    private static func entry(
        of definition: SettingDefinition, flags: [String: String], environment: [String: String],
        file: ConfigurationFile
    ) -> Entry? {
        if let text = flags[definition.key] {
            return Entry(text: Text.trimmed(text), origin: definition.flag, isDefault: false)
        }
        if definition.channels.contains(.environment) {
            if let text = environment[definition.variable] {
                return Entry(text: Text.trimmed(text), origin: "environment \(definition.variable)", isDefault: false)
            }
            for alias in definition.aliases {
                guard let text = environment[alias.name] else { continue }
                let trimmed = Text.trimmed(text)
                let isBare = !trimmed.isEmpty && trimmed.allSatisfy { $0.isNumber || $0 == "." }
                return Entry(
                    text: isBare ? trimmed + alias.suffix : trimmed, origin: "environment \(alias.name)",
                    isDefault: false)
            }
        }
        if let entry = file.entries[definition.key] {
            return Entry(text: Text.trimmed(entry.text), origin: entry.place, isDefault: false)
        }
        return definition.defaultText.map { Entry(text: $0, origin: "default", isDefault: true) }
    }

    private static func refuseUnknownVariables(
        _ environment: [String: String], catalogue: [SettingDefinition]
    ) throws(ConfigurationError) {
        let known = catalogue.filter { $0.channels.contains(.environment) }.map(\.variable)
        for name in environment.keys.sorted() where name.hasPrefix("STORMO_") {
            guard !known.contains(name), !InternalVariables.all.contains(name) else { continue }
            throw .unknownVariable(name, nearest: Suggestion.nearest(to: name, among: known, separator: "_"))
        }
    }
}

/// Variables that the supervisor passes to its children; not settings.
enum InternalVariables {
    /// Set to `stdin` in a child whose standard input ends with its supervisor.
    static let lifeline = "STORMO_LIFELINE"
    /// All of them.
    static let all = [lifeline]
}
