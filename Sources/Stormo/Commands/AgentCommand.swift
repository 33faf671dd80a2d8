import ArgumentParser

/// `stormo agent`: a part of an application.
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Run an agent of an application.", subcommands: [])

    /// Name and settings of every agent.
    static let scopes: [(String, [SettingDefinition])] = []
}
