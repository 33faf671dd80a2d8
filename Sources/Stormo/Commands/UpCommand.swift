import ArgumentParser
import FoundationEssentials
import Logging
import StormoClient
import Wire
import WireTransport

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// `stormo up`: a whole cluster on this machine.
struct UpCommand: AsyncParsableCommand {
    /// The settings of `up`, and those of its children that everybody wants at hand.
    enum Scope: SettingScope {
        static let definitions =
            CommonSettings.process.filter { $0.key != CommonSettings.seeds.definition.key } + UpSettings.all
            + [AgentSettings.speed.definition, GatewaySettings.adminToken.definition]
            + (DroneDispatchSettings.all + EnergyGuardSettings.all).filter { !replays.contains($0.key) }

        // Two agents have one each, under the same flag; for `up` they can stand in the environment or the file.
        private static let replays = [
            DroneDispatchSettings.replay.definition.key, EnergyGuardSettings.replay.definition.key,
        ]
    }

    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Run a cluster, its gateway and the applications on this machine.",
        discussion: """
            Starts nodes, gateways and agents as processes of their own, restarts what dies, and stops them in order on \
            Ctrl-C. All data is in one directory; starting over it again goes on. Settings of nodes, gateways and agents \
            reach them through the environment and the configuration file.
            """)

    @OptionGroup var flags: SettingFlags<Scope>

    func run() async throws {
        let context = try CommandContext(flags)
        let settings = context.settings
        let directory = UpDirectory(path: try settings.value(UpSettings.data))
        try Files.makeDirectory(directory.logsPath)
        let earlier = try directory.state()
        guard try Files.lock("\(directory.path)/up.lock") else {
            let who = earlier?.supervisor.map { " (process \($0))" } ?? ""
            throw ConfigurationError.refused(
                "another `stormo up`\(who) runs over \(directory.path): stop it first, or give another --data")
        }
        let state = try UpPlan.state(
            earlier: earlier, cluster: try settings.value(CommonSettings.cluster),
            nodes: settings.isGiven(UpSettings.nodes.definition) ? try settings.value(UpSettings.nodes) : nil,
            gateways: try settings.value(UpSettings.gateways), http: try settings.optional(UpSettings.http),
            defaultNodes: try settings.value(UpSettings.nodes), free: { Ports.free($0, from: $1, except: $2) })
        try refuseTakenPorts(state, directory)
        let plan = UpPlan(state: state, directory: directory, applications: try settings.value(UpSettings.apps))

        let given = try ClusterSecret.load(settings)
        let secret = try given ?? ClusterSecret.checked(madeSecret(directory.secretPath), origin: directory.secretPath)
        var environment = UpPlan.environment(
            context.environment, flags: context.flags, definitions: Scope.definitions,
            secretPath: given == nil ? directory.secretPath : nil)
        let adminToken = GatewaySettings.adminToken.definition
        if !settings.isGiven(adminToken), !state.gatewayPorts.isEmpty {
            let token = try madeSecret(directory.adminTokenPath)
            environment[adminToken.variable] = Text.trimmed(String(decoding: token, as: UTF8.self))
        }
        for child in plan.children { directory.rotateLog(child.name) }

        var configuration = ClientConfiguration(
            seeds: state.seeds.map(\.description), clusterName: state.cluster, secret: secret, role: .tool, name: "up")
        configuration.operationTimeoutMs = 1_000
        // Lines of the client's own log would run through the status line; the children have their logs.
        var logger = context.logger("up")
        logger.logLevel = .critical
        let supervisor = try Supervisor(
            plan: plan, directory: directory, environment: environment,
            client: StormoClient(configuration: configuration, logger: logger))
        announce(plan, directory, isFirst: earlier == nil)
        let policy = RestartPolicy(
            pauseMs: try settings.value(UpSettings.restartPause),
            pauseMaxMs: try settings.value(UpSettings.restartPauseMax))
        let code = await supervisor.run(policy: policy, graceMs: try settings.value(CommonSettings.shutdownGrace))
        try directory.save(state)
        Console.line(
            code == 0
                ? "stopped; the data is in \(directory.path)"
                : "stopped after a failure; logs are in \(directory.logsPath)")
        if code != 0 { throw ExitCode(code) }
    }

    private func announce(_ plan: UpPlan, _ directory: UpDirectory, isFirst: Bool) {
        Console.line(
            "stormo \(Version.text): \(isFirst ? "a new cluster" : "going on with the cluster") \"\(plan.state.cluster)\""
        )
        Console.line("  data      \(directory.path)")
        Console.line("  logs      \(directory.logsPath)")
        Console.line("  nodes     \(plan.state.seeds.map(\.description).joined(separator: "  "))")
        if !plan.state.gatewayPorts.isEmpty {
            Console.line(
                "  gateways  \(plan.state.gatewayPorts.map { "http://127.0.0.1:\($0)" }.joined(separator: "  "))")
        }
        Console.line("  secrets   \(directory.secretPath)  \(directory.adminTokenPath) (a bearer token for everything)")
        let agents = plan.children.filter { $0.tier == .agent }.map(\.name)
        if !agents.isEmpty { Console.line("  agents    \(agents.joined(separator: "  "))") }
    }

    private func refuseTakenPorts(_ state: UpState, _ directory: UpDirectory) throws(ConfigurationError) {
        for (index, port) in state.nodePorts.enumerated() where !Ports.isFree(port) {
            throw .refused(
                "port \(port), which node-\(index + 1) of \(directory.path) has used so far, is taken by another program: "
                    + "`ss -ltnp sport = :\(port)` shows it; stop it and try again")
        }
        for port in state.gatewayPorts where !Ports.isFree(port) {
            throw .refused("port \(port) for a gateway is taken by another program: give another one with --http PORT")
        }
    }

    /// The content of a secret's file, which is made with 256 random bits when there is none; only its owner can read it.
    private func madeSecret(_ path: String) throws(FileError) -> [UInt8] {
        if !Files.exists(path) {
            var generator = SystemRandomNumberGenerator()
            let text = (0..<4).map { _ in Hex.fixed(generator.next()) }.joined() + "\n"
            _ = try Files.create(path, with: Array(text.utf8), mode: 0o600)
        }
        return try Files.read(path, bytesMax: ClusterSecret.bytesRange.upperBound + 2)
    }
}
