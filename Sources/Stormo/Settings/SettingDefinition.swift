/// The part of Stormo that a setting belongs to. It is the first word of the setting's key in a file and of its
/// environment name.
enum SettingSection: String, Sendable, Hashable, CaseIterable {
    /// Settings of every command: no first word.
    case common = ""
    /// `stormo node`.
    case node
    /// `stormo gateway`.
    case gateway
    /// All agents.
    case agent
    /// The agents of DroneDispatch.
    case fleet
    /// The agents of EnergyGuard.
    case energy
    /// `stormo up`.
    case up
    /// `stormo bench`.
    case bench

    /// Heading in the configuration reference.
    var title: String {
        switch self {
        case .common: "Every command"
        case .node: "Node"
        case .gateway: "Gateway"
        case .agent: "All agents"
        case .fleet: "Fleet agents"
        case .energy: "Energy agents"
        case .up: "stormo up"
        case .bench: "stormo bench"
        }
    }
}

/// A further environment name of a setting, taken over from the systems that Stormo replaces.
struct EnvironmentAlias: Sendable, Hashable {
    /// The name, as it is.
    let name: String
    /// What is appended to a bare number: the unit that the name's number had there.
    let suffix: String

    /// A name whose numbers are in `suffix`.
    init(_ name: String, suffix: String = "") {
        self.name = name
        self.suffix = suffix
    }
}

/// Where a setting may be given.
struct SettingChannels: OptionSet, Sendable, Hashable {
    let rawValue: Int
    /// On the command line.
    static let flag = SettingChannels(rawValue: 1)
    /// In the environment.
    static let environment = SettingChannels(rawValue: 2)
    /// In the configuration file.
    static let file = SettingChannels(rawValue: 4)
    /// Everywhere.
    static let all: SettingChannels = [.flag, .environment, .file]
    /// Everywhere but on the command line, which every user of the machine can read.
    static let secret: SettingChannels = [.environment, .file]
}

/// A value that a setting does not take, told by what it takes.
struct ValueProblem: Error, Sendable, Hashable {
    /// What was expected, as it stands behind "expected".
    let expected: String
}

/// All there is to say of a setting. Flag, environment name, key in a file, help text and reference come from here.
struct SettingDefinition: Sendable {
    /// The part it belongs to.
    let section: SettingSection
    /// Its name in words joined by `-`: the flag without its dashes.
    let name: String
    /// What its values are, in one word.
    let type: String
    /// Which values it takes.
    let allowed: String
    /// Its value when nobody gives one; nil for none.
    let defaultText: String?
    /// Unit of a bare number.
    let unit: String?
    /// Further environment names.
    let aliases: [EnvironmentAlias]
    /// Where it may be given.
    let channels: SettingChannels
    /// What it does, in whole sentences.
    let documentation: String
    /// Throws when a text is no value of this setting.
    let check: @Sendable (String) throws(ValueProblem) -> Void

    /// Whether it is on or off, so that the flag needs no value.
    var isSwitch: Bool { type == "switch" }

    /// Whether its value must not be shown.
    var isSecret: Bool { !channels.contains(.flag) }

    /// `--virtual-nodes`.
    var flag: String { "--\(name)" }

    /// `STORMO_NODE_VIRTUAL_NODES`.
    var variable: String {
        let words = (section == .common ? [] : [section.rawValue]) + [name]
        return "STORMO_" + words.joined(separator: "_").uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// `node.virtual-nodes`.
    var key: String { section == .common ? name : "\(section.rawValue).\(name)" }
}
