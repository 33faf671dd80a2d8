import Logging
import StormoClient
import UnixSignals
import Wire
import WireTransport

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A short-lived client for commands that ask the cluster something.
struct ClientSession: Sendable {
    /// Settings of all commands that ask the cluster something.
    static let definitions =
        CommonSettings.process.filter { $0.key != CommonSettings.shutdownGrace.definition.key } + [
            UpSettings.data.definition, CommonSettings.timeout.definition,
        ]

    /// Where the cluster is.
    let configuration: ClientConfiguration
    /// What a `stormo up` over the data directory has left, when the cluster was found by it.
    let up: UpState?
    private let logger: Logger
    private let timeoutMs: UInt64

    /// Finds the cluster by `seeds` when given, else by what `stormo up` left in its data directory.
    init(_ context: CommandContext, name: String) throws {
        let settings = context.settings
        logger = context.logger(name)
        timeoutMs = try settings.value(CommonSettings.timeout)
        let directory = UpDirectory(path: try settings.value(UpSettings.data))
        let cluster = try settings.value(CommonSettings.cluster)
        let secret = try ClusterSecret.load(settings)
        if let seeds = try settings.optional(CommonSettings.seeds) {
            up = nil
            configuration = ClientConfiguration(
                seeds: seeds.map(\.description), clusterName: cluster, secret: secret ?? [], role: .tool, name: name)
            return
        }
        guard let state = try directory.state() else {
            throw ConfigurationError.refused(
                "no cluster to ask: give --seeds HOST:PORT, or --data with the directory of a `stormo up` (\(directory.path) is none)"
            )
        }
        up = state
        let own =
            try secret ?? (Files.exists(directory.secretPath) ? ClusterSecret.read(path: directory.secretPath) : [])
        configuration = ClientConfiguration(
            seeds: state.seeds.map(\.description), clusterName: state.cluster, secret: own, role: .tool, name: name)
    }

    /// A signal ended the command: nothing to tell.
    struct Interrupted: Error {
        /// The exit code, 128 and the signal's number as shells have it.
        let code: Int32
    }

    /// The same as ``run(_:)`` for what goes on until an interrupt: then `body` is cancelled first and the connection kept
    /// until it has ended, so that it can give back what it holds. A second interrupt ends the process at once. Throws
    /// ``Interrupted``.
    func runUntilInterrupt(_ body: @escaping @Sendable (StormoClient) async throws -> Void) async throws {
        try await run { client in
            try await withThrowingTaskGroup(of: Int32?.self) { group in
                let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
                group.addTask {
                    try await body(client)
                    return nil
                }
                group.addTask {
                    for await signal in signals { return signal.rawValue }
                    throw CancellationError()
                }
                let ending = try await group.next() ?? nil
                group.cancelAll()
                guard let ending else { return }
                for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
                throw Interrupted(code: 128 + ending)
            }
        }
    }

    /// Connects, runs `body`, and disconnects. Throws `unreachable` when no node answers in time.
    func run<Result: Sendable>(_ body: @escaping @Sendable (StormoClient) async throws -> Result) async throws -> Result
    {
        let client = StormoClient(configuration: configuration, logger: logger)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await client.run()
                return nil
            }
            group.addTask {
                try await client.waitUntilReady(timeoutMs: timeoutMs)
                return try await body(client)
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw ClientError.closed
        }
    }
}
