import ArgumentParser
import Fleet
import Logging
import ServiceLifecycle
import StormoClient
import Wire

/// An agent: its name on the command line, its settings, and how it is put together.
protocol AgentKind: SettingScope {
    /// As in `stormo agent NAME`.
    static var name: String { get }
    /// What it does, for the help.
    static var abstract: String { get }
    /// The settings that are its own.
    static var own: [SettingDefinition] { get }
    /// The agent as the settings say; `name` is that of this one, different from every other.
    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service
}

extension AgentKind {
    static var definitions: [SettingDefinition] { CommonSettings.process + AgentSettings.all + own }
}

/// `stormo agent NAME`.
struct RunAgent<Kind: AgentKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: Kind.name, abstract: Kind.abstract)
    }

    @OptionGroup var flags: SettingFlags<Kind>

    func run() async throws {
        let context = try CommandContext(flags)
        let logger = context.logger(Kind.name)
        let name =
            try context.settings.optional(AgentSettings.name)
            ?? "\(Kind.name)-\(Hex.fixed(.random(in: 0 ... .max)).suffix(8))"
        let client = try ServiceRunner.client(context, role: .agent, name: name, logger: logger)
        let service = try Kind.service(context, name: name, client: client, logger: logger)
        logger.info("starting", metadata: ["name": "\(name)"])
        try await ServiceRunner.run([ClientService(client: client), service], context: context, logger: logger)
    }
}

/// `stormo agent`: a part of an application.
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Run an agent of an application.",
        discussion:
            "Agents keep everything in the cluster: they can be stopped, restarted, and run several times over.",
        subcommands: [
            RunAgent<DroneSimulatorAgent>.self, RunAgent<DispatcherAgent>.self, RunAgent<OrderGeneratorAgent>.self,
            RunAgent<SensorSimulatorAgent>.self, RunAgent<IngestorAgent>.self, RunAgent<DetectorAgent>.self,
        ])

    /// Name and settings of every agent.
    static let scopes: [(String, [SettingDefinition])] = [
        (DroneSimulatorAgent.name, DroneSimulatorAgent.definitions),
        (DispatcherAgent.name, DispatcherAgent.definitions),
        (OrderGeneratorAgent.name, OrderGeneratorAgent.definitions),
        (SensorSimulatorAgent.name, SensorSimulatorAgent.definitions), (IngestorAgent.name, IngestorAgent.definitions),
        (DetectorAgent.name, DetectorAgent.definitions),
    ]
}

/// `stormo agent drone-sim`.
enum DroneSimulatorAgent: AgentKind {
    static let name = "drone-sim"
    static let abstract = "Fly the fleet: move, spend and charge every drone."
    static let own = DroneDispatchSettings.rules + DroneDispatchSettings.droneSim

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        DroneSimulator(
            store: try DroneDispatch.store(context.settings, client: client, publisher: name, logger: logger),
            configuration: try DroneDispatch.simulator(context.settings, name: name), logger: logger)
    }
}

/// `stormo agent dispatcher`.
enum DispatcherAgent: AgentKind {
    static let name = "dispatcher"
    static let abstract = "Assign deliveries to drones and follow them to their end."
    static let own = DroneDispatchSettings.rules + DroneDispatchSettings.dispatcher

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        Dispatcher(
            store: try DroneDispatch.store(context.settings, client: client, publisher: name, logger: logger),
            configuration: try DroneDispatch.dispatcher(context.settings, name: name), logger: logger)
    }
}

/// `stormo agent order-gen`.
enum OrderGeneratorAgent: AgentKind {
    static let name = "order-gen"
    static let abstract = "Place orders: random ones, or those of a file."
    static let own = DroneDispatchSettings.rules + DroneDispatchSettings.orderGen

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        OrderGenerator(
            store: try DroneDispatch.store(context.settings, client: client, publisher: name, logger: logger),
            configuration: try DroneDispatch.orders(context.settings, logger: logger), logger: logger)
    }
}

/// `stormo agent sensor-sim`.
enum SensorSimulatorAgent: AgentKind {
    static let name = "sensor-sim"
    static let abstract = "Publish the readings of meters: synthetic ones, or those of a file."
    static let own = EnergyGuardSettings.shared + EnergyGuardSettings.sensorSim

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        try EnergyGuard.simulator(context.settings, client: client, logger: logger)
    }
}

/// `stormo agent ingestor`.
enum IngestorAgent: AgentKind {
    static let name = "ingestor"
    static let abstract = "Write readings into each floor's latest and history."
    static let own = EnergyGuardSettings.shared + EnergyGuardSettings.ingestor

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        try EnergyGuard.ingestor(context.settings, client: client, logger: logger)
    }
}

/// `stormo agent detector`.
enum DetectorAgent: AgentKind {
    static let name = "detector"
    static let abstract = "Judge readings and raise alerts."
    static let own = EnergyGuardSettings.shared + EnergyGuardSettings.detector

    static func service(
        _ context: CommandContext, name: String, client: StormoClient, logger: Logger
    ) throws -> any Service {
        if context.environment["DETECTOR_POLL_SECS"] != nil {
            logger.notice("DETECTOR_POLL_SECS has no meaning here: nothing polls, an alert follows its reading at once")
        }
        return try EnergyGuard.detector(context.settings, client: client, logger: logger)
    }
}
