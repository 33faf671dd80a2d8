/// The configuration reference, `docs/configuration.md`, made from the definitions.
enum ConfigurationReference {
    /// The whole document.
    static func markdown(_ catalogue: [SettingDefinition]) -> String {
        var lines = [
            "# Configuration",
            "",
            "<!-- Made by `stormo reference`; `make fix` renews it. Edit the definitions in Sources/Stormo/Settings instead. -->",
            "",
            "A setting is taken from the first of these that gives it:",
            "",
            "1. its flag, as in `--virtual-nodes 128`;",
            "2. its environment variable, as in `STORMO_NODE_VIRTUAL_NODES=128`, or a variable in brackets, which other systems",
            "   used for the same thing;",
            "3. the file that `--config` or `STORMO_CONFIG` names (YAML), as in `node: {virtual-nodes: 128}`;",
            "4. its default.",
            "",
            "Unknown keys in the file and unknown `STORMO_…` variables are errors, and so are values outside of the range. Lists",
            "are separated by commas (in the file, a YAML list does too). Durations are written with their unit (`250ms`, `30s`,",
            "`5m`, `2h`, `7d`), sizes too (`64MiB`). Secrets have no flag, since every user of a machine can read the arguments",
            "of its processes. [deploy/stormo.yaml](../deploy/stormo.yaml) is an example.",
        ]
        for section in SettingSection.allCases {
            let definitions = catalogue.filter { $0.section == section }
            guard !definitions.isEmpty else { continue }
            lines += ["", "## \(section.title)", ""]
            for definition in definitions { lines += entry(definition) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func entry(_ definition: SettingDefinition) -> [String] {
        var given: [String] = []
        if definition.channels.contains(.flag) { given.append("`\(definition.flag)`") }
        if definition.channels.contains(.environment) {
            let aliases = definition.aliases.map { "`\($0.name)`" }.joined(separator: ", ")
            given.append("`\(definition.variable)`" + (aliases.isEmpty ? "" : " (\(aliases))"))
        }
        if definition.channels.contains(.file) { given.append("`\(definition.key)`") }
        let unit = definition.unit.map { definition.type == "duration" ? ", a bare number in \($0)" : " \($0)" } ?? ""
        let value = definition.defaultText.map { "default `\($0)`" } ?? "no default"
        return [
            "### \(definition.key)", "", definition.documentation, "",
            "\(definition.type), \(definition.allowed)\(unit); \(value). \(given.joined(separator: " · "))", "",
        ]
    }
}
