package import Energy
package import Fleet
import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle
package import StormoClient
import Wire

/// The cluster as HTTP: a service that listens, answers the calls of the HTTP contract by way of the client, and ends
/// gracefully: first `/ready` says no, then streams end and the listening does, then requests in flight finish.
///
/// The client must be running; it is the caller's.
package struct GatewayServer: Service {
    private let services: GatewayServices
    private let onListening: @Sendable (_ port: Int) -> Void

    /// A gateway; nothing is opened before `run`.
    /// - Parameters:
    ///   - fleet: the fleet's documents; by default with the default rules.
    ///   - energy: the energy application's documents; by default with the default settings.
    ///   - onListening: called once it listens, with the port (the one it took when 0 was configured).
    ///   - steadyMs: a clock that never goes back, in milliseconds, by which attempts to sign in are counted.
    /// - Throws: ``GatewayError`` for settings with which it must not start.
    package init(
        configuration: GatewayConfiguration, client: StormoClient, fleet: FleetStore<StormoClient>? = nil,
        energy: EnergyStore? = nil, logger: Logger, onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in },
        steadyMs: @escaping @Sendable () -> Int64 = WallClock.steadyMs
    ) throws(GatewayError) {
        try configuration.validate()
        services = GatewayServices(
            configuration: configuration, client: client,
            fleet: fleet ?? FleetStore(cluster: client, publisher: configuration.name, logger: logger),
            energy: energy ?? EnergyStore(client: client, logger: logger), logger: logger, steadyMs: steadyMs)
        self.onListening = onListening
    }

    /// Listens until the task is cancelled or a graceful shutdown is asked for.
    /// - Throws: ``GatewayError`` when it cannot listen.
    package func run() async throws {
        let configuration = services.configuration
        let logger = services.logger
        if configuration.isOpen {
            logger.notice(
                "development: no users are configured, so everybody on this host may do what clients and operators may",
                metadata: ["admin": "\(configuration.adminToken == nil ? "nobody" : "by ADMIN_TOKEN")"])
        }
        let group = listeningGroup()
        // Apart from this task's tree, so that the listening outlives the order to end by the time of draining.
        let listening = Task.detached { try await group.run() }
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await services.fleetFeed.run() }
                tasks.addTask { await services.anomalyFeed.run() }
                tasks.addTask { await services.figures.run() }
                tasks.addTask { await prepareTokens() }
                defer { tasks.cancelAll() }
                do {
                    try await listening.value
                } catch {
                    throw Self.gatewayError(error, "\(configuration.host):\(configuration.port)")
                }
            }
        } onCancelOrGracefulShutdown: {
            services.drain()
            Task.detached {
                try? await Task.sleep(for: .milliseconds(configuration.drainMs))
                services.fleetFeed.close()
                services.anomalyFeed.close()
                await group.triggerGracefulShutdown()
            }
        }
    }

    private func listeningGroup() -> ServiceGroup {
        let configuration = services.configuration
        let limits = configuration.limits
        let pipeline = Pipeline(
            routes: RouteTable(services.routes), configuration: configuration,
            crossOrigin: CrossOrigin(origins: configuration.corsOrigins),
            authenticator: Authenticator(
                adminToken: configuration.adminToken, users: services.passwords, tokens: services.tokens),
            metrics: services.metrics, requestIDs: RequestIDs())
        let application = Application(
            responder: pipeline,
            server: .http1(configuration: .init(idleTimeout: .milliseconds(Int64(limits.idleMs)))),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: ConnectionPlaces(
                    most: limits.connectionsMax, metrics: services.metrics, logger: services.logger)),
            onServerRunning: { channel in onListening(channel.localAddress?.port ?? configuration.port) },
            logger: services.logger)
        var group = ServiceGroupConfiguration(
            services: [.init(service: application)], logger: services.logger)
        group.maximumGracefulShutdownDuration = .milliseconds(Int64(configuration.shutdownMs))
        return ServiceGroup(configuration: group)
    }

    /// Fetches the key that signs tokens as soon as the cluster answers, so that the first request need not wait for
    /// it.
    private func prepareTokens() async {
        var pause = Backoff(pauseMs: 200...5_000)
        while !Task.isCancelled {
            do throws(ClientError) {
                try await services.tokens.prepare()
                return
            } catch {
                services.logger.debug("the signing key is not there yet", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(pause.nextMs()))
        }
    }

    /// Why listening failed, in our words.
    private static func gatewayError(_ error: any Error, _ address: String) -> any Error {
        switch error {
        case let error as IOError:
            switch error.errnoCode {
            case ListeningErrno.addressInUse: GatewayError.portInUse(address)
            case ListeningErrno.notPermitted: GatewayError.notPermitted(address)
            case ListeningErrno.noSuchAddress: GatewayError.noSuchAddress(address)
            default: GatewayError.cannotListen(address, reason: "\(error)")
            }
        case is SocketAddressError: GatewayError.noSuchAddress(address)
        default: error
        }
    }
}
