import ArgumentParser
import Wire

/// `stormo gateway`: the cluster as HTTP.
struct GatewayCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = CommonSettings.process + GatewaySettings.all
    }

    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Run a gateway: REST and events over HTTP.")

    @OptionGroup var flags: SettingFlags<Scope>

    func run() async throws {
        let context = try CommandContext(flags)
        let logger = context.logger("gateway")
        let client = try ServiceRunner.client(context, role: .gateway, name: "gateway", logger: logger)
        try await ServiceRunner.run([ClientService(client: client)], context: context, logger: logger)
    }
}
