import ArgumentParser
import Logging
import StormoClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// `stormo bench`: measures a running cluster.
struct BenchCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions + BenchSettings.all
    }

    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a running cluster: throughput, times, processor time.",
        discussion: """
            A closed loop: each of the given number of callers sends its next operation when the last one was answered. \
            `topic flow` is an open loop: records are due at a fixed rate whatever became of those before. \
            Compare numbers of one machine and one hour only.
            """,
        subcommands: [Keys.self, Topics.self])

    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "kv", abstract: "Measure keys.")

        /// What is done with keys.
        enum Operation: String, ExpressibleByArgument, CaseIterable {
            case put, get, mixed, cas
        }

        @Argument(help: "put, get, mixed (put and get by turns) or cas.") var operation: Operation
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let context = try CommandContext(flags)
            let bytes = try context.settings.value(BenchSettings.valueBytes)
            let count = try context.settings.value(BenchSettings.keys)
            let keys = BenchKeys(count: count, valueBytes: bytes)
            let parameters = ["value bytes": bytes, "keys": count]
            let runner = try BenchRunner(context, parameters: parameters, itemName: nil)
            switch operation {
            case .put: try await runner.run(KeyPutWorkload(keys: keys), format)
            case .get: try await runner.run(KeyGetWorkload(keys: keys), format)
            case .mixed: try await runner.run(KeyMixedWorkload(keys: keys), format)
            case .cas: try await runner.run(KeyCompareAndSetWorkload(keys: keys), format)
            }
        }
    }

    struct Topics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "topic", abstract: "Measure topics.")

        /// What is done with topics.
        enum Operation: String, ExpressibleByArgument, CaseIterable {
            case publish, consume, flow
        }

        @Argument(help: "publish, consume, or flow (both at a fixed rate: the time from producer to consumer).")
        var operation: Operation
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let context = try CommandContext(flags)
            let bytes = try context.settings.value(BenchSettings.recordBytes)
            let topic = try context.settings.value(BenchSettings.topic)
            let batch = try context.settings.value(BenchSettings.batch)
            let records = BenchRecords(bytes: bytes)
            switch operation {
            case .publish:
                let runner = try BenchRunner(
                    context, parameters: ["record bytes": bytes, "batch": batch], itemName: "records")
                try await runner.run(TopicPublishWorkload(records: records, topic: topic, batch: batch), format)
            case .consume:
                let fetchBytes = try context.settings.value(BenchSettings.fetchBytes)
                let runner = try BenchRunner(
                    context, parameters: ["record bytes": bytes, "fetch bytes": fetchBytes], itemName: "records")
                try await runner.run(
                    TopicConsumeWorkload(records: records, topic: topic, fetchBytes: fetchBytes), format)
            case .flow:
                let runner = try BenchRunner(context, parameters: ["record bytes": bytes], itemName: nil)
                try await runner.flow(
                    records, topic, rates: try context.settings.value(BenchSettings.rate),
                    logger: context.logger("bench"), format)
            }
        }
    }
}

/// Runs a benchmark as the settings say, and prints its report.
struct BenchRunner: Sendable {
    private let session: ClientSession
    private let plan: BenchPlan
    private let parameters: [String: Int]
    private let itemName: String?

    /// Reads the settings and finds the cluster and its processes.
    init(_ context: CommandContext, parameters: [String: Int], itemName: String?) throws {
        let settings = context.settings
        session = try ClientSession(context, name: "bench")
        var processes = session.up?.processes ?? []
        if let pids = try settings.optional(BenchSettings.pids) {
            processes = pids.map { UpState.Process(name: "pid-\($0)", pid: $0) }
            if let gone = processes.first(where: { ProcessTimes.of($0.pid) == nil }) {
                throw ConfigurationError.refused("there is no process \(gone.pid): check --pids")
            }
        }
        // Those of an `up` that ended meanwhile are left out.
        processes = processes.filter { ProcessTimes.of($0.pid) != nil }
        plan = BenchPlan(
            concurrencies: try settings.value(BenchSettings.concurrency),
            durationMs: try settings.value(BenchSettings.duration),
            warmUpMs: try settings.value(BenchSettings.warmUp),
            processes: processes + [UpState.Process(name: "bench", pid: getpid())])
        self.parameters = parameters
        self.itemName = itemName
    }

    /// Measures, and prints the report.
    func run(_ workload: some BenchWorkload, _ format: OutputOptions) async throws {
        let results = try await measured { client, progress in
            try await BenchRun(workload: workload, plan: plan, progress: progress).run(client)
        }
        let report = BenchReport(
            workload: workload.title, parameters: parameters, itemName: itemName, processes: plan.processes,
            results: results)
        format.tell(report, lines: report.lines)
        if results.allSatisfy({ $0.tally.operations == 0 }) {
            throw BenchMismatch(description: "no operation was answered; `stormo status` may say why")
        }
    }

    /// Measures records at fixed rates, and prints the report.
    func flow(_ records: BenchRecords, _ topic: String, rates: [Int], logger: Logger, _ format: OutputOptions)
        async throws
    {
        let results = try await measured { client, progress in
            try await FlowRun(records: records, topic: topic, plan: plan, progress: progress)
                .run(client, rates: rates, logger: logger)
        }
        let report = FlowReport(parameters: parameters, processes: plan.processes, results: results)
        format.tell(report, lines: report.lines)
        if results.allSatisfy({ $0.acknowledged == 0 }) {
            throw BenchMismatch(description: "no record was acknowledged; `stormo status` may say why")
        }
    }

    /// Runs what measures; how far it is goes to standard error, and is gone afterwards.
    private func measured<Result: Sendable>(
        _ body: @escaping @Sendable (StormoClient, @escaping @Sendable (String) -> Void) async throws -> Result
    ) async throws -> Result {
        let line = Mutex(LiveLine(onError: true))
        let progress: @Sendable (String) -> Void = { text in line.withLock { $0.show(text) } }
        let result = try await session.run { try await body($0, progress) }
        line.withLock { $0.clear() }
        return result
    }
}
