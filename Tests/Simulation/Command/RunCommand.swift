import ArgumentParser
import Simulation

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs random scenarios, or replays one.")

    @Option(help: "How many scenarios.") var seeds = 1_000
    @Option(help: "The seed of the first one.") var first: UInt64 = 1
    @Option(help: "Replay the scenario of this seed alone.") var seed: UInt64?
    @Flag(help: "Print what happens in the replay.") var trace = false
    @Flag(help: "Check only what clients are told, not the rules inside.") var historiesOnly = false
    @Flag(help: "Clients publish to topics and read them, in place of using registers.") var logs = false
    @Flag(help: "Clients are members of consumer groups, in place of using registers.") var groups = false
    @OptionGroup var reduction: ReductionOptions
    @Option(help: "Scenarios at a time.") var jobs = Processors.count

    func run() async throws {
        if let seed { return try replay(seed) }
        let batch = Batch(
            first: first, count: UInt64(max(seeds, 0)), jobs: jobs, checksInvariants: !historiesOnly,
            workload: workload)
        let started = ContinuousClock.now
        var failed: [(seed: UInt64, result: RunResult)] = []
        let statistics = await batch.run { seed, result in
            guard !result.failures.isEmpty else { return true }
            failed.append((seed, result))
            print("seed \(seed) FAILS: \(result.failures[0])")
            Report.say(
                "    replay: stormo-sim run\(logs ? " --logs" : groups ? " --groups" : "") --seed \(seed) --trace")
            return failed.count < 20
        }
        print(Report.text(statistics, elapsed: ContinuousClock.now - started))
        guard failed.isEmpty else { throw ExitCode.failure }
        print("seeds \(first)–\(first + UInt64(max(seeds, 1)) - 1): all promises were kept")
    }

    private var workload: Workload { logs ? .logs : groups ? .groups : .registers }

    private func replay(_ seed: UInt64) throws {
        let scenario = Scenario(seed: seed, workload).reduced(by: try reduction.reduction())
        let result = Simulator.run(scenario, isTracing: trace, checksInvariants: !historiesOnly)
        for line in result.trace { print(line) }
        for failure in result.failures { print("seed \(seed) FAILS: \(failure)") }
        guard result.failures.isEmpty else { throw ExitCode.failure }
        print("seed \(seed): all promises were kept, digest \(String(result.digest, radix: 16))")
    }
}

/// What to leave out of a scenario.
struct ReductionOptions: ParsableArguments {
    @Option(help: "Kinds of faults to leave out, separated by commas.") var without: String?
    @Option(help: "Faults with a time to keep, as in 0-3,7.") var faults: String?
    @Option(help: "Operations to keep, as in 0-99,120.") var operations: String?
    @Option(help: "Another way of the network to treat the messages.") var jitter: UInt64 = 0

    func reduction() throws -> Reduction {
        var reduction = Reduction()
        for name in (without ?? "").split(separator: ",") {
            guard let kind = FaultKind(rawValue: String(name)) else {
                let known = FaultKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("there is no fault \(name); there are \(known)")
            }
            reduction.without.insert(kind)
        }
        reduction.faults = try list(faults, "--faults")
        reduction.operations = try list(operations, "--operations")
        reduction.jitter = jitter
        return reduction
    }

    private func list(_ text: String?, _ option: String) throws -> IndexList? {
        guard let text else { return nil }
        guard let list = IndexList(text) else {
            throw ValidationError("\(option) takes numbers and ranges as in 0-3,7, or none, not '\(text)'")
        }
        return list
    }
}
