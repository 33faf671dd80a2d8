import WireTransport

/// A setting whose values are of one type.
struct Setting<Value: Sendable>: Sendable {
    /// Its definition.
    let definition: SettingDefinition
    /// Reads a value.
    let parse: @Sendable (String) throws(ValueProblem) -> Value
}

extension Setting {
    /// A setting of any kind of values; the factories below are the usual ones.
    init(
        _ section: SettingSection, _ name: String, type: String, allowed: String, default defaultText: String?,
        unit: String? = nil, aliases: [EnvironmentAlias] = [], channels: SettingChannels = .all,
        _ documentation: String,
        parse: @escaping @Sendable (String) throws(ValueProblem) -> Value
    ) {
        definition = SettingDefinition(
            section: section, name: name, type: type, allowed: allowed, defaultText: defaultText, unit: unit,
            aliases: aliases, channels: channels, documentation: documentation,
            check: { text throws(ValueProblem) in _ = try parse(text) })
        self.parse = parse
    }
}

extension Setting where Value == String {
    /// Any text but the empty one.
    static func text(
        _ section: SettingSection, _ name: String, default defaultText: String? = nil, aliases: [EnvironmentAlias] = [],
        channels: SettingChannels = .all, bytesMax: Int = 1_024, _ documentation: String
    ) -> Setting {
        Setting(
            section, name, type: "text", allowed: "1 to \(bytesMax) bytes", default: defaultText, aliases: aliases,
            channels: channels, documentation
        ) { text throws(ValueProblem) in
            guard (1...bytesMax).contains(text.utf8.count) else {
                throw ValueProblem(expected: "1 to \(bytesMax) bytes of text")
            }
            return text
        }
    }

    /// The path of a file or a directory, relative to where the command is run.
    static func path(
        _ section: SettingSection, _ name: String, default defaultText: String? = nil, aliases: [EnvironmentAlias] = [],
        channels: SettingChannels = .all, _ documentation: String
    ) -> Setting {
        Setting(
            section, name, type: "path", allowed: "a path", default: defaultText, aliases: aliases, channels: channels,
            documentation
        ) {
            text throws(ValueProblem) in
            guard !text.isEmpty, !text.utf8.contains(0) else { throw ValueProblem(expected: "a path") }
            return text
        }
    }

    /// One of a few words.
    static func choice(
        _ section: SettingSection, _ name: String, default defaultText: String, of words: [String],
        _ documentation: String
    ) -> Setting {
        let allowed = words.joined(separator: ", ")
        return Setting(section, name, type: "word", allowed: allowed, default: defaultText, documentation) {
            text throws(ValueProblem) in
            guard words.contains(text) else { throw ValueProblem(expected: "one of \(allowed)") }
            return text
        }
    }
}

extension Setting where Value == Bool {
    /// On or off; off unless given.
    static func toggle(
        _ section: SettingSection, _ name: String, default isOn: Bool = false, _ documentation: String
    ) -> Setting {
        Setting(section, name, type: "switch", allowed: "true, false", default: String(isOn), documentation) {
            text throws(ValueProblem) in
            switch text {
            case "true", "yes", "on", "1": return true
            case "false", "no", "off", "0": return false
            default: throw ValueProblem(expected: "true or false")
            }
        }
    }
}

extension Setting where Value == Int {
    /// A whole number within a range.
    static func integer(
        _ section: SettingSection, _ name: String, default value: Int?, in range: ClosedRange<Int>, unit: String? = nil,
        aliases: [EnvironmentAlias] = [], _ documentation: String
    ) -> Setting {
        Setting(
            section, name, type: "integer", allowed: "\(range.lowerBound) to \(range.upperBound)",
            default: value.map { String($0) }, unit: unit, aliases: aliases, documentation
        ) { text throws(ValueProblem) in
            let unitText = unit.map { " \($0)" } ?? ""
            guard let number = Int(text), range.contains(number) else {
                throw ValueProblem(
                    expected: "a whole number from \(range.lowerBound) to \(range.upperBound)\(unitText)")
            }
            return number
        }
    }

    /// A number of bytes: `64MiB`, `512KiB`, `1048576`.
    static func bytes(
        _ section: SettingSection, _ name: String, default defaultText: String, in range: ClosedRange<Int>,
        _ documentation: String
    ) -> Setting {
        let allowed = "\(Quantity.bytesText(range.lowerBound)) to \(Quantity.bytesText(range.upperBound))"
        return Setting(
            section, name, type: "bytes", allowed: allowed, default: defaultText, unit: "bytes", documentation
        ) {
            text throws(ValueProblem) in
            guard let bytes = Quantity.bytes(text), range.contains(bytes) else {
                throw ValueProblem(expected: "\(allowed), as in 64MiB or 65536")
            }
            return bytes
        }
    }
}

extension Setting where Value == Double {
    /// A number within a range.
    static func number(
        _ section: SettingSection, _ name: String, default value: Double, in range: ClosedRange<Double>,
        unit: String? = nil, aliases: [EnvironmentAlias] = [], _ documentation: String
    ) -> Setting {
        let allowed = "\(Quantity.numberText(range.lowerBound)) to \(Quantity.numberText(range.upperBound))"
        return Setting(
            section, name, type: "number", allowed: allowed, default: Quantity.numberText(value), unit: unit,
            aliases: aliases, documentation
        ) { text throws(ValueProblem) in
            guard let number = Double(text), number.isFinite, range.contains(number) else {
                throw ValueProblem(expected: "a number from \(allowed)\(unit.map { " \($0)" } ?? "")")
            }
            return number
        }
    }
}

extension Setting where Value == UInt64 {
    /// A time in milliseconds, written with its unit: `250ms`, `30s`, `5m`, `2h`, `7d`. A bare number is in `unit`.
    static func duration(
        _ section: SettingSection, _ name: String, default defaultText: String, in range: ClosedRange<UInt64>,
        unit: String = "s", aliases: [EnvironmentAlias] = [], _ documentation: String
    ) -> Setting {
        let allowed = "\(Quantity.durationText(range.lowerBound)) to \(Quantity.durationText(range.upperBound))"
        return Setting(
            section, name, type: "duration", allowed: allowed, default: defaultText, unit: unit, aliases: aliases,
            documentation
        ) { text throws(ValueProblem) in
            guard let ms = Quantity.durationMs(text, unit: unit), range.contains(ms) else {
                throw ValueProblem(expected: "\(allowed), as in 250ms, 30s, 5m, 2h or 7d")
            }
            return ms
        }
    }
}

extension Setting where Value == HostPort {
    /// Where something listens or is reached.
    static func address(
        _ section: SettingSection, _ name: String, default defaultText: String? = nil, _ documentation: String
    ) -> Setting {
        Setting(section, name, type: "address", allowed: "host:port", default: defaultText, documentation) {
            text throws(ValueProblem) in
            guard let address = HostPort(given: text) else {
                throw ValueProblem(expected: "host:port, as in 127.0.0.1:7400 or [::1]:7400")
            }
            return address
        }
    }
}

extension Setting {
    /// Several values, separated by commas (in a file, a list); each once, and at most `countMax` of them.
    static func list<Element: Sendable & Hashable>(
        _ section: SettingSection, _ name: String, default defaultText: String? = nil, of element: String,
        countMax: Int = 1_024, aliases: [EnvironmentAlias] = [], _ documentation: String,
        parse: @escaping @Sendable (String) -> Element?
    ) -> Setting where Value == [Element] {
        Setting(
            section, name, type: "list", allowed: "\(element), separated by commas, at most \(countMax)",
            default: defaultText, aliases: aliases, documentation
        ) { text throws(ValueProblem) in
            var values: [Element] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard let value = parse(Text.trimmed(part)), !values.contains(value), values.count < countMax else {
                    throw ValueProblem(expected: "\(element), separated by commas, each once, at most \(countMax)")
                }
                values.append(value)
            }
            return values
        }
    }
}
