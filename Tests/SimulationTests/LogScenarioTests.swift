import Simulation
import Testing

/// Topics under faults, a fixed set of scenarios and a few that nobody has looked at yet. `make sim` looks at many more.
@Suite struct LogScenarioTests {
    private static let new: UInt64 = {
        let first = UInt64.random(in: 1_000_000..<1_000_000_000)
        print("new scenarios: stormo-sim run --logs --first \(first) --seeds 3")
        return first
    }()

    @Test(arguments: Seeds.range.prefix(20)) func promisesAreKept(seed: Int) { expectKept(UInt64(seed)) }

    @Test(arguments: 0..<3) func promisesAreKeptInNewScenarios(index: UInt64) { expectKept(Self.new + index) }

    private func expectKept(_ seed: UInt64) {
        let result = Simulator.run(Scenario(seed: seed, .logs))
        #expect(result.failures.isEmpty, "\(replay(seed)): \(result.failures)")
        #expect(result.statistics.count(.outcomes, "kept") > 0, "\(replay(seed)): nothing was published")
    }

    /// Without it no failure could be replayed.
    @Test func theSameSeedGivesTheSameRun() {
        let runs = (0..<2).map { _ in Simulator.run(Scenario(seed: 1, .logs), isTracing: true) }
        #expect(runs[0].digest == runs[1].digest)
        #expect(runs[0].trace == runs[1].trace)
    }

    private func replay(_ seed: UInt64) -> String { "stormo-sim run --logs --seed \(seed) --trace" }
}
