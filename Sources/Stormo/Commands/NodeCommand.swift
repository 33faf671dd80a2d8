import ArgumentParser
import NodeShell

/// `stormo node`: one node of a cluster.
struct NodeCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = CommonSettings.process + NodeSettings.all
    }

    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Run one node of a cluster.",
        discussion: """
            The seeds are the founders of the cluster, the same list on every node. At the very first start \
            --bootstrap-expect of them must see each other; afterwards a node finds its cluster by any of them.
            """)

    @OptionGroup var flags: SettingFlags<Scope>

    func run() async throws {
        let context = try CommandContext(flags)
        let logger = context.logger("node")
        let configuration = try NodeConfiguration(context.settings, secret: try ServiceRunner.secret(context, logger))
        try await ServiceRunner.run(
            [StormoNode(configuration: configuration, logger: logger)], context: context, logger: logger)
    }
}
