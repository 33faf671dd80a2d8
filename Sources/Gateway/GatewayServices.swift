import Energy
import Fleet
import Logging
import StormoClient
import Synchronization

/// Everything that the handlers of one gateway share.
final class GatewayServices: Sendable {
    let configuration: GatewayConfiguration
    let client: StormoClient
    let fleet: FleetStore<StormoClient>
    let energy: EnergyStore
    let metrics = GatewayMetrics()
    let health: HealthMonitor
    let figures: FleetFigures
    let fleetFeed: StreamFeed
    let anomalyFeed: StreamFeed
    let passwords: PasswordChecker
    let tokens: TokenService
    let signIns: Mutex<SignInLimiter>
    let files: StaticFiles
    let watchers = WatcherCount()
    let topicStreams = WatcherCount()
    /// Milliseconds by which attempts to sign in are counted, never going back.
    let steadyMs: @Sendable () -> Int64
    let logger: Logger
    private let draining = Atomic(false)

    init(
        configuration: GatewayConfiguration, client: StormoClient, fleet: FleetStore<StormoClient>, energy: EnergyStore,
        logger: Logger, steadyMs: @escaping @Sendable () -> Int64
    ) {
        let limits = configuration.limits
        self.configuration = configuration
        self.client = client
        self.fleet = fleet
        self.energy = energy
        self.logger = logger
        self.steadyMs = steadyMs
        health = HealthMonitor(client: client, maxAgeMs: limits.healthMs)
        figures = FleetFigures(fleet: fleet, client: client, maxAgeMs: limits.figuresMs, logger: logger)
        fleetFeed = StreamFeed(
            name: "fleet", sources: StreamSource.fleet, client: client, limits: limits, metrics: metrics, logger: logger
        )
        anomalyFeed = StreamFeed(
            name: "anomalies", sources: StreamSource.anomalies, client: client, limits: limits, metrics: metrics,
            logger: logger)
        passwords = PasswordChecker(users: configuration.users, waitingMax: limits.signInsWaitingMax, metrics: metrics)
        tokens = TokenService(
            lifetimeSeconds: configuration.tokenLifetimeSeconds, rememberedMax: limits.tokensRememberedMax
        ) { () async throws(ClientError) in
            try await SigningKey.load(from: client)
        }
        signIns = Mutex(SignInLimiter(countersMax: limits.signInCountersMax))
        files = StaticFiles(configuration: configuration)
    }

    /// Whether the gateway is going down and wants no new work.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Asks for no new work.
    func drain() { draining.store(true, ordering: .relaxed) }

    /// All calls of the HTTP contract that this gateway answers.
    var routes: [Route] {
        ServiceRoutes(services: self).routes + SessionRoutes(services: self).routes + KeyRoutes(services: self).routes
            + LockRoutes(services: self).routes + RingRoutes(services: self).routes
            + TopicRoutes(services: self).routes + RecordRoutes(services: self).routes
            + GroupRoutes(services: self).routes + FleetRoutes(services: self).routes
            + EnergyRoutes(services: self).routes + NotificationRoutes(services: self).routes
            + SilenceRoutes(services: self).routes + WatchRoutes(services: self).routes
            + PageRoutes(services: self).routes
    }
}
