import ArgumentParser
import Fleet
import Gateway
import Logging
import Wire

/// `stormo gateway`: the cluster as HTTP.
struct GatewayCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions =
            CommonSettings.process + GatewaySettings.all + DroneDispatchSettings.rules + EnergyGuardSettings.shared
    }

    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Run a gateway: REST, events and pages over HTTP.")

    @OptionGroup var flags: SettingFlags<Scope>

    func run() async throws {
        let context = try CommandContext(flags)
        let settings = context.settings
        let logger = context.logger("gateway")
        let configuration = try GatewayConfiguration(settings)
        let client = try ServiceRunner.client(context, role: .gateway, name: configuration.name, logger: logger)
        let server: GatewayServer
        do throws(GatewayError) {
            server = try GatewayServer(
                configuration: configuration, client: client,
                fleet: try? DroneDispatch.store(
                    settings, client: client, publisher: configuration.name, logger: logger),
                energy: try? EnergyGuard.store(settings, client: client, logger: logger), logger: logger
            ) { port in
                logger.info(
                    "listening",
                    metadata: ["address": "\(configuration.host):\(port)", "name": "\(configuration.name)"])
            }
        } catch { throw ConfigurationError.refused("\(error)") }
        try await ServiceRunner.run([ClientService(client: client), server], context: context, logger: logger)
    }
}
