import Fleet
import FleetRules
import Logging
import StormoClient

/// Puts the agents of DroneDispatch together as the settings say.
enum DroneDispatch {
    /// The rules' numbers.
    static func rules(_ settings: ResolvedSettings) throws(ConfigurationError) -> FleetSettings {
        var rules = FleetSettings()
        rules.reservePercent = try settings.value(DroneDispatchSettings.reserve)
        rules.lowBatteryPercent = try settings.value(DroneDispatchSettings.lowBattery)
        rules.wakeAfterMs = Int64(clamping: try settings.value(DroneDispatchSettings.wakeAfter))
        rules.quietBeforeRetiringMs = Int64(clamping: try settings.value(DroneDispatchSettings.retireAfter))
        if let problem = rules.problem() { throw .refused("fleet: \(problem)") }
        return rules
    }

    /// The fleet's documents, for agents and gateways.
    static func store(
        _ settings: ResolvedSettings, client: StormoClient, publisher: String, logger: Logger
    ) throws(ConfigurationError) -> FleetStore<StormoClient> {
        FleetStore(cluster: client, publisher: publisher, logger: logger, rules: try rules(settings))
    }

    /// Settings of the simulator.
    static func simulator(_ settings: ResolvedSettings, name: String) throws(ConfigurationError)
        -> SimulatorConfiguration
    {
        var configuration = SimulatorConfiguration(name: name, drones: try settings.value(DroneDispatchSettings.drones))
        configuration.tickMs = try settings.value(DroneDispatchSettings.tick)
        configuration.speedFactor = try settings.value(AgentSettings.speed)
        return configuration
    }

    /// Settings of the dispatcher.
    static func dispatcher(_ settings: ResolvedSettings, name: String) throws(ConfigurationError)
        -> DispatcherConfiguration
    {
        var configuration = DispatcherConfiguration(name: name)
        configuration.roundMs = try settings.value(DroneDispatchSettings.round)
        configuration.leaseMs = try settings.value(DroneDispatchSettings.lease)
        configuration.limits.speedFactor = try settings.value(AgentSettings.speed)
        return configuration
    }

    /// A burst's rate over the mean one, and how long calm and burst last on average, in milliseconds.
    private static let burst = (factor: 10.0, calmMs: 270_000.0, burstMs: 30_000.0)

    /// Settings of the order generator. What was passed over in a file of orders is logged.
    static func orders(_ settings: ResolvedSettings, logger: Logger) throws(ConfigurationError)
        -> OrderGeneratorConfiguration
    {
        let speed = try settings.value(AgentSettings.speed)
        var weights = WeightTable.marketplace
        if let path = try settings.optional(DroneDispatchSettings.weights) {
            do throws(OrderFileError) { weights = try OrderFile.weights(path: path) } catch {
                throw .refused("\(error)")
            }
        }
        var configuration = OrderGeneratorConfiguration(source: try randomOrders(settings, speed: speed))
        if let path = try settings.optional(DroneDispatchSettings.replay) {
            let contents: OrderFile.Contents
            do throws(OrderFileError) {
                contents = try OrderFile.orders(
                    path: path, city: .rome, weights: weights, maxWeightKg: FleetSettings().heaviestPayloadKg, seed: 1)
            } catch { throw .refused("\(error)") }
            for complaint in contents.complaints { logger.warning("\(complaint)", metadata: ["file": "\(path)"]) }
            logger.info(
                "replaying orders",
                metadata: [
                    "file": "\(path)", "orders": "\(contents.orders.count)", "passed_over": "\(contents.passedOver)",
                ])
            configuration.source = .replay(
                contents.orders, speedFactor: speed, repeats: try settings.value(DroneDispatchSettings.again))
        }
        configuration.weights = weights
        configuration.count = try settings.optional(DroneDispatchSettings.count)
        // Random orders are others at every start.
        configuration.seed = .random(in: 0 ... .max)
        return configuration
    }

    private static func randomOrders(
        _ settings: ResolvedSettings, speed: Double
    ) throws(ConfigurationError) -> OrderGeneratorConfiguration.Source {
        let perMinute = try settings.value(DroneDispatchSettings.orders) * speed
        guard try settings.value(DroneDispatchSettings.pattern) == "bursty" else {
            return .random(.poisson(perMinute: perMinute))
        }
        // Calm and burst together give the mean that was asked for.
        let calm = perMinute * (burst.calmMs + burst.burstMs) / (burst.calmMs + burst.factor * burst.burstMs)
        return .random(
            .bursty(
                calmPerMinute: calm, burstPerMinute: calm * burst.factor, meanCalmMs: burst.calmMs / speed,
                meanBurstMs: burst.burstMs / speed))
    }
}
