import ArgumentParser

/// `stormo node`: one node of a cluster.
struct NodeCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = CommonSettings.process + NodeSettings.all
    }

    static let configuration = CommandConfiguration(commandName: "node", abstract: "Run one node of a cluster.")

    @OptionGroup var flags: SettingFlags<Scope>

    func run() async throws {
        let context = try CommandContext(flags)
        let logger = context.logger("node")
        let secret = try ServiceRunner.secret(context, logger)
        try ClusterSecret.require(secret, toListenOn: try context.settings.value(NodeSettings.listen))
        try await ServiceRunner.run([], context: context, logger: logger)
    }
}
