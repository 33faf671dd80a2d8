import Energy
import EnergyRules
import Logging
import ServiceLifecycle
import StormoClient

/// Puts the agents of EnergyGuard together as the settings say.
enum EnergyGuard {
    /// What gateways and agents share.
    static func shared(_ settings: ResolvedSettings) throws(ConfigurationError) -> EnergyAgentSettings {
        var shared = EnergyAgentSettings()
        shared.historyTTLMs = try settings.value(EnergyGuardSettings.historyTTL)
        shared.notificationsMax = try settings.value(EnergyGuardSettings.notificationsMax)
        shared.suppressMs = Int64(clamping: try settings.value(EnergyGuardSettings.suppress))
        return shared
    }

    /// The documents of the application, for gateways and the ingestor.
    static func store(_ settings: ResolvedSettings, client: StormoClient, logger: Logger) throws(ConfigurationError)
        -> EnergyStore
    {
        EnergyStore(client: client, settings: try shared(settings), logger: logger)
    }

    /// A simulator of meters. What is wrong with single lines of a meter file is logged by it.
    static func simulator(
        _ settings: ResolvedSettings, client: StormoClient, logger: Logger
    ) throws(ConfigurationError) -> SensorSimulator {
        let speed = try settings.value(AgentSettings.speed)
        var shared = try shared(settings)
        let intervalMs = try settings.value(EnergyGuardSettings.interval)
        shared.rules.simulator.intervalMs = max(1, Int64((Double(intervalMs) / speed).rounded()))
        shared.rules.simulator.anomalyRate = try settings.value(EnergyGuardSettings.anomalyRate)
        var configuration = SensorSimulatorConfiguration()
        configuration.floors = try settings.value(EnergyGuardSettings.floors)
        if let path = try settings.optional(EnergyGuardSettings.replay) {
            let series: MeterSeries
            do { series = try SensorSource.meterFile(path: path, settings: shared.rules.replay) } catch {
                throw .refused("\(error)")
            }
            let stamps = ReplayStamps(rawValue: try settings.value(EnergyGuardSettings.stamps)) ?? .shifted
            configuration.source = .replay(series, speed: speed, stamps: stamps)
            // A file of readings names its floors itself, unless somebody names some of them.
            if !settings.isGiven(EnergyGuardSettings.floors.definition), series.format == .readings {
                configuration.floors = []
            }
        }
        let store = EnergyStore(client: client, settings: shared, logger: logger)
        return SensorSimulator(store: store, configuration: configuration, logger: logger)
    }

    /// An ingestor.
    static func ingestor(_ settings: ResolvedSettings, client: StormoClient, logger: Logger) throws(ConfigurationError)
        -> Ingestor
    {
        var configuration = IngestorConfiguration()
        configuration.keptFloors = try settings.optional(EnergyGuardSettings.keptFloors)
        return Ingestor(
            store: try store(settings, client: client, logger: logger), configuration: configuration, logger: logger)
    }

    /// A detector, which first sets the thresholds of a file when one is named.
    static func detector(_ settings: ResolvedSettings, client: StormoClient, logger: Logger) throws(ConfigurationError)
        -> any Service
    {
        var shared = try shared(settings)
        shared.rules.detector.cooldownMs = Int64(clamping: try settings.value(EnergyGuardSettings.cooldown))
        var configuration = DetectorConfiguration()
        configuration.isDryRun = try settings.value(EnergyGuardSettings.dryRun)
        let store = EnergyStore(client: client, settings: shared, logger: logger)
        let detector = Detector(store: store, configuration: configuration, logger: logger)
        guard let path = try settings.optional(EnergyGuardSettings.thresholds) else { return detector }
        return InitialThresholds(
            thresholds: try InitialThresholds.load(path), store: store, detector: detector, logger: logger)
    }
}
