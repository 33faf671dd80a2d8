import Logging
import ServiceLifecycle
import StormoClient
import UnixSignals
import Wire
import WireTransport

/// Runs long-lived services until a signal asks them to stop.
enum ServiceRunner {
    /// Starts services in order and stops them in the reverse order on SIGTERM or SIGINT. Returns when all have stopped, or
    /// when the last one has finished by itself (a replay that reached the end of its file).
    static func run(_ services: [any Service], context: CommandContext, logger: Logger) async throws {
        let graceMs = try context.settings.value(CommonSettings.shutdownGrace)
        let last = services.count - 1
        var configuration = ServiceGroupConfiguration(
            services: services.enumerated().map { index, service in
                .init(
                    service: service,
                    successTerminationBehavior: index == last ? .gracefullyShutdownGroup : .cancelGroup,
                    failureTerminationBehavior: .cancelGroup)
            },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .milliseconds(Int64(clamping: graceMs))
        try await ServiceGroup(configuration: configuration).run()
    }

    /// A client of the cluster that the settings name.
    static func client(_ context: CommandContext, role: Role, name: String, logger: Logger) throws -> StormoClient {
        let settings = context.settings
        let configuration = ClientConfiguration(
            seeds: try settings.value(CommonSettings.seeds).map(\.description),
            clusterName: try settings.value(CommonSettings.cluster),
            secret: try secret(context, logger) ?? [], role: role, name: name)
        return StormoClient(configuration: configuration, logger: logger)
    }

    /// The cluster secret, with a warning when others may read its file.
    static func secret(_ context: CommandContext, _ logger: Logger) throws -> [UInt8]? {
        let secret = try ClusterSecret.load(context.settings)
        if let path = try context.settings.optional(CommonSettings.secretFile), Files.isReadableByOthers(path) {
            logger.warning("other users can read the cluster secret; chmod 600 its file", metadata: ["file": "\(path)"])
        }
        return secret
    }
}

/// A client as a service: it connects first and disconnects last.
struct ClientService: Service {
    /// The client.
    let client: StormoClient

    func run() async throws {
        do { try await cancelWhenGracefulShutdown { try await client.run() } } catch is CancellationError {}
    }
}
