import ArgumentParser

/// `stormo reference`: the configuration reference.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print the configuration reference (docs/configuration.md).")

    func run() { Console.bytes(Array(ConfigurationReference.markdown(SettingCatalogue.all).utf8)) }
}
