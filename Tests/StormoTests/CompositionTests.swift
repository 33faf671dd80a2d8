import Energy
import EnergyRules
import Fleet
import FleetRules
import Gateway
import Logging
import Membership
import NodeCore
import NodeShell
import NodeStorage
import StormoClient
import Testing
import Wire

@testable import Stormo

/// From settings to what the services take.
@Suite struct CompositionTests {
    private static let threeSeeds = "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"

    private func settings(
        _ definitions: [SettingDefinition], flags: [String: String] = [:], environment: [String: String] = [:]
    ) throws -> ResolvedSettings {
        try ResolvedSettings(
            definitions, catalogue: SettingCatalogue.all, flags: flags, environment: environment, file: .none)
    }

    private func node(
        _ flags: [String: String] = [:], environment: [String: String] = [:], secret: [UInt8]? = nil
    ) throws -> NodeConfiguration {
        let given = ["node.name": "n1", "node.data": "/data", "seeds": Self.threeSeeds].merging(flags) { $1 }
        return try NodeConfiguration(
            settings(NodeCommand.Scope.definitions, flags: given, environment: environment), secret: secret)
    }

    private func problem(_ body: () throws -> some Any) -> String {
        do {
            _ = try body()
            return "nothing was wrong"
        } catch { return "\(error)" }
    }

    private var client: StormoClient {
        StormoClient(
            configuration: ClientConfiguration(
                seeds: ["127.0.0.1:1"], clusterName: "c", secret: [], role: .tool, name: "t"),
            logger: Logger(label: "test"))
    }

    @Test func `a node's defaults are those of its layers`() throws {
        let node = try node()
        let core = CoreLimits()
        let membership = MembershipConfiguration()
        let storage = StorageConfiguration(directory: "/data")
        #expect(node.core.replicationFactor == core.replicationFactor)
        #expect(node.core.virtualNodes == core.virtualNodes)
        #expect(node.core.operationTimeoutMs == core.operationTimeoutMs)
        #expect(node.core.clockDriftMaxMs == core.clockDriftMaxMs)
        #expect(node.core.operationAgeMaxMs == core.operationAgeMaxMs)
        #expect(node.core.inSyncTimeoutMs == core.inSyncTimeoutMs)
        #expect(node.core.roundTimeoutMs == core.roundTimeoutMs && node.core.readHedgeMs == core.readHedgeMs)
        #expect(node.core.operationsMax == core.operationsMax && node.core.watchesMax == core.watchesMax)
        #expect(node.core.backlogBytesMax == core.backlogBytesMax && node.core.graceMs == core.graceMs)
        #expect(node.core.hintBytesMax == core.hintBytesMax && node.core.hintAgeMaxMs == core.hintAgeMaxMs)
        #expect(node.core.hintsPerSecond == core.hintsPerSecond && node.core.repairIntervalMs == core.repairIntervalMs)
        #expect(
            node.core.repairBytesPerSecond == core.repairBytesPerSecond
                && node.core.copyBytesPerSecond == core.copyBytesPerSecond
                && node.core.copyKeysPerSecond == core.copyKeysPerSecond
                && node.core.catchUpBytesPerSecond == core.catchUpBytesPerSecond)
        #expect(node.core.producerAgeMaxMs == core.producerAgeMaxMs)
        #expect(
            node.core.compactionBytesPerSecond == core.compactionBytesPerSecond
                && node.core.compactionBytesMin == core.compactionBytesMin
                && node.core.compactionDirtyPercent == core.compactionDirtyPercent
                && node.core.compactionKeyBytesMax == core.compactionKeyBytesMax
                && node.core.deletionMarkerAgeMs == core.deletionMarkerAgeMs)
        let shell = NodeConfiguration(
            name: "n", clusterName: "c", secret: [], listen: "l", seeds: [], dataDirectory: "/data")
        #expect(node.drainTimeoutMs == shell.drainTimeoutMs && node.clientsLeaveMs == shell.clientsLeaveMs)
        #expect(node.refusedTimeoutMs == shell.refusedTimeoutMs)
        #expect(node.membership == membership)
        #expect(node.storage == storage)
    }

    @Test func `the source systems' names reach a node`() throws {
        let node = try node(
            environment: ["REPLICATION_FACTOR": "2", "VIRTUAL_NODES": "128", "MAX_CACHE_ITEMS": "0"])
        #expect(node.core.replicationFactor == 2)
        #expect(node.core.virtualNodes == 128)
        #expect(node.storage.cacheItemsMax == 0)
    }

    @Test func `a node needs name, data and seeds`() throws {
        let told = problem { try NodeConfiguration(settings(NodeCommand.Scope.definitions), secret: nil) }
        #expect(told.contains("is needed: give --"))
    }

    @Test func `half of the seeds cannot found a cluster`() throws {
        #expect(
            problem { try node(["node.bootstrap-expect": "1"]) }.contains(
                "expected more than half of the seeds, 2 to 3"))
        #expect(problem { try node(["node.bootstrap-expect": "4"]) }.contains("2 to 3"))
        #expect(try node(["node.bootstrap-expect": "2"]).core.bootstrapExpect == 2)
        #expect(try node(["seeds": "127.0.0.1:1", "node.bootstrap-expect": "1"]).seeds == ["127.0.0.1:1"])
    }

    @Test func `a node that listens everywhere needs a secret and an address to tell`() throws {
        let everywhere = ["node.listen": "0.0.0.0:7400"]
        #expect(problem { try node(everywhere) }.contains("needs a cluster secret"))
        let secret = [UInt8](repeating: 1, count: 16)
        #expect(problem { try node(everywhere, secret: secret) }.contains("give --advertise"))
        let told = try node(everywhere.merging(["node.advertise": "192.0.2.1:7400"]) { $1 }, secret: secret)
        #expect(told.advertise == "192.0.2.1:7400")
        #expect(told.secret == secret)
    }

    @Test func `what an operator sets reaches the core`() throws {
        let node = try node([
            "node.repair-interval": "0", "node.grace": "2h", "node.hint-age-max": "1h", "node.hint-bytes-max": "1MiB",
            "node.copy-bytes-per-second": "1MiB", "node.copy-keys-per-second": "500", "node.clients-leave": "0",
            "node.drain": "5s",
        ])
        #expect(
            node.core.repairIntervalMs == 0 && node.core.graceMs == 7_200_000 && node.core.hintAgeMaxMs == 3_600_000)
        #expect(node.core.hintBytesMax == 1 << 20 && node.core.copyBytesPerSecond == 1 << 20)
        #expect(node.core.copyKeysPerSecond == 500)
        #expect(node.clientsLeaveMs == 0 && node.drainTimeoutMs == 5_000)
    }

    @Test(
        arguments: [
            (["node.probe-timeout": "1s"], "node.probe-timeout (1s) is longer than node.probe-interval (200ms)"),
            (["node.round-timeout": "3s"], "node.round-timeout (3s) is longer than node.operation-timeout (2s)"),
            (["node.read-hedge": "500ms"], "node.read-hedge (500ms) is longer than node.round-timeout (400ms)"),
            (
                ["node.operation-age-max": "1s", "node.clock-drift-max": "1s"],
                "node.operation-age-max (1s) is not longer than node.clock-drift-max (1s)"
            ),
            (["node.grace": "1m", "node.hint-age-max": "1s"], "node.grace (1m) is not longer than"),
            (["node.grace": "1h"], "node.hint-age-max (3h) is longer than what node.grace leaves"),
            (["node.drain": "10s"], "node.drain (10s) is not shorter than shutdown-grace (10s)"),
            (["node.clients-leave": "3s"], "node.clients-leave (3s) is longer than node.drain (2s)"),
        ] as [([String: String], String)])
    func `times that contradict each other are refused with both named`(_ given: [String: String], _ reason: String) {
        let told = problem { try node(given) }
        #expect(told.contains(reason), "\(told)")
        #expect(told.contains("make it"), "\(told)")
    }

    @Test func `a gateway's defaults are those of its layer`() throws {
        let gateway = try GatewayConfiguration(settings(GatewayCommand.Scope.definitions))
        let defaults = GatewayConfiguration()
        #expect(gateway.host == defaults.host && gateway.port == defaults.port && gateway.name == defaults.name)
        #expect(gateway.users.isEmpty && gateway.adminToken == nil && gateway.broadcastToken == nil)
        #expect(gateway.tokenLifetimeSeconds == defaults.tokenLifetimeSeconds)
        #expect(gateway.drainMs == defaults.drainMs)
        #expect(
            gateway.leafletDirectory == defaults.leafletDirectory && gateway.chartDirectory == defaults.chartDirectory)
        #expect(gateway.limits == defaults.limits)
    }

    @Test func `the source systems' names reach a gateway`() throws {
        let environment = [
            "ADMIN_TOKEN": "a long token", "ADMIN_USER": "root", "ADMIN_PASS": "open sesame",
            "INTERNAL_BROADCAST_TOKEN": "call",
        ]
        let gateway = try GatewayConfiguration(settings(GatewayCommand.Scope.definitions, environment: environment))
        #expect(gateway.adminToken == "a long token")
        #expect(gateway.broadcastToken == "call")
        #expect(gateway.users.map(\.name) == ["root"])
        #expect(gateway.users.first?.role == .admin)
        #expect(gateway.users.first?.password.matches("open sesame") == true)
        #expect(gateway.users.first?.password.matches("open barley") == false)
    }

    @Test func `the fleet's defaults are those of its layer`() throws {
        #expect(try DroneDispatch.rules(settings(DispatcherAgent.definitions)) == FleetSettings())
        let simulator = try DroneDispatch.simulator(settings(DroneSimulatorAgent.definitions), name: "s")
        #expect(simulator.tickMs == SimulatorConfiguration(name: "s", drones: 1).tickMs)
        #expect(simulator.plan.drones == 60)
        let dispatcher = try DroneDispatch.dispatcher(settings(DispatcherAgent.definitions), name: "d")
        #expect(dispatcher.roundMs == DispatcherConfiguration(name: "d").roundMs)
        #expect(dispatcher.leaseMs == DispatcherConfiguration(name: "d").leaseMs)
    }

    @Test func `speed reaches all who fly by it`() throws {
        let flags = ["agent.speed": "60"]
        #expect(
            try DroneDispatch.simulator(settings(DroneSimulatorAgent.definitions, flags: flags), name: "s").speedFactor
                == 60)
        #expect(
            try DroneDispatch.dispatcher(settings(DispatcherAgent.definitions, flags: flags), name: "d").limits
                .speedFactor == 60)
        let orders = try DroneDispatch.orders(
            settings(OrderGeneratorAgent.definitions, flags: flags), logger: Logger(label: "test"))
        guard case .random(.poisson(let perMinute)) = orders.source else {
            Issue.record("orders are not Poisson: \(orders.source)")
            return
        }
        #expect(perMinute == 600)
    }

    @Test func `bursts keep the mean that was asked for`() throws {
        let flags = ["fleet.orders": "10", "fleet.pattern": "bursty"]
        let orders = try DroneDispatch.orders(
            settings(OrderGeneratorAgent.definitions, flags: flags), logger: Logger(label: "test"))
        guard case .random(.bursty(let calm, let burst, let calmMs, let burstMs)) = orders.source else {
            Issue.record("orders are not bursty: \(orders.source)")
            return
        }
        #expect(abs((calm * calmMs + burst * burstMs) / (calmMs + burstMs) - 10) < 1e-9)
        #expect(abs(burst / calm - 10) < 1e-9)
    }

    @Test func `the sample files replay`() throws {
        let logger = Logger(label: "test")
        let fleet = ["fleet.replay": Project.path("deploy/sample-data/orders.csv"), "agent.speed": "10"]
        let orders = try DroneDispatch.orders(settings(OrderGeneratorAgent.definitions, flags: fleet), logger: logger)
        guard case .replay(let recorded, let speed, let repeats) = orders.source else {
            Issue.record("orders are not replayed: \(orders.source)")
            return
        }
        #expect(recorded.count > 100 && speed == 10 && !repeats)
        let energy = ["energy.replay": Project.path("deploy/sample-data/meter.csv")]
        #expect(throws: Never.self) {
            try EnergyGuard.simulator(
                settings(SensorSimulatorAgent.definitions, flags: energy), client: client, logger: logger)
        }
    }

    @Test func `a file that is not there is a matter of configuration`() throws {
        let logger = Logger(label: "test")
        let flags = ["fleet.replay": "/nonexistent.csv", "energy.replay": "/nonexistent.csv"]
        #expect {
            try DroneDispatch.orders(settings(OrderGeneratorAgent.definitions, flags: flags), logger: logger)
        } throws: { CommandExit.code(of: $0) == 78 && "\($0)".contains("/nonexistent.csv") }
        #expect {
            try EnergyGuard.simulator(
                settings(SensorSimulatorAgent.definitions, flags: flags), client: client, logger: logger)
        } throws: { CommandExit.code(of: $0) == 78 && "\($0)".contains("/nonexistent.csv") }
    }

    @Test func `the source systems' names reach the energy agents`() throws {
        let shared = try EnergyGuard.shared(
            settings(
                DetectorAgent.definitions, environment: ["NOTIFY_BUFFER_SIZE": "50", "NOTIFY_SUPPRESS_SECS": "90"]))
        #expect(shared.notificationsMax == 50)
        #expect(shared.suppressMs == 90_000)
        let cooldown = try settings(DetectorAgent.definitions, environment: ["EDGE_COOLDOWN_SECS": "45"])
        #expect(try cooldown.value(EnergyGuardSettings.cooldown) == 45_000)
        let defaults = try EnergyGuard.shared(settings(DetectorAgent.definitions))
        #expect(defaults.notificationsMax == EnergyAgentSettings().notificationsMax)
        #expect(defaults.suppressMs == EnergyAgentSettings().suppressMs)
        #expect(defaults.historyTTLMs == EnergyAgentSettings().historyTTLMs)
    }

    @Test func `floors are numbers and ranges`() throws {
        func floors(_ text: String) throws -> [Int]? {
            try settings(SensorSimulatorAgent.definitions, flags: ["energy.floors": text]).optional(
                EnergyGuardSettings.floors)
        }
        #expect(try floors("1-3, 7") == [1, 2, 3, 7])
        #expect(try floors("0-99999")?.count == 100_000)
        for text in ["", "3-1", "1,1", "1-3,2", "-1", "a", "1-2-3", "0-1000001", "1,,2"] {
            #expect(problem { try floors(text) }.contains("expected floors from 0 to 1000000"), "\(text)")
        }
    }
}
