import ArgumentParser

/// The settings that a command takes as flags.
protocol SettingScope: Sendable {
    /// Its settings; their flags differ.
    static var definitions: [SettingDefinition] { get }
}

/// The flags of a command's settings, made from their definitions.
///
/// ArgumentParser finds a command's arguments by reflection on a fresh value of its type, and reads them back by
/// decoding. This type answers both from the definitions, so a setting is written down once.
struct SettingFlags<Scope: SettingScope>: ParsableArguments, CustomReflectable {
    /// What was given, by key of the setting.
    private(set) var given: [String: String] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: FlagKey.self)
        for definition in Self.flagged {
            let key = FlagKey(definition.name)
            if definition.isSwitch {
                if let isOn = try container.decode(Flag<Bool?>.self, forKey: key).wrappedValue {
                    given[definition.key] = String(isOn)
                }
            } else if let text = try container.decode(Option<String?>.self, forKey: key).wrappedValue {
                given[definition.key] = text
            }
        }
    }

    var customMirror: Mirror {
        let children = Self.flagged.map { definition -> Mirror.Child in
            let help = ArgumentHelp(
                "\(definition.documentation)\(Self.details(definition))", valueName: Self.valueName(definition))
            return definition.isSwitch
                ? (
                    "_\(definition.name)",
                    Flag<Bool?>(name: .customLong(definition.name), inversion: .prefixedNo, help: help)
                )
                : ("_\(definition.name)", Option<String?>(name: .customLong(definition.name), help: help))
        }
        return Mirror(self, children: children, displayStyle: .struct)
    }

    private static var flagged: [SettingDefinition] { Scope.definitions.filter { $0.channels.contains(.flag) } }

    private static func valueName(_ definition: SettingDefinition) -> String {
        switch definition.type {
        case "address": "host:port"
        case "integer", "number": "n"
        case "list": "a,b,…"
        default: definition.type
        }
    }

    private static func details(_ definition: SettingDefinition) -> String {
        var parts: [String] = []
        if definition.type == "word" { parts.append(definition.allowed) }
        if definition.type == "integer" || definition.type == "number" {
            parts.append(definition.allowed + (definition.unit.map { " \($0)" } ?? ""))
        }
        if let text = definition.defaultText, !definition.isSwitch { parts.append("default \(text)") }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
    }

    private struct FlagKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
