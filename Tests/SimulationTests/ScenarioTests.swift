import Simulation
import Testing

/// Whole clusters under faults, a fixed set of scenarios and a few that nobody has looked at yet. `make sim` looks at many
/// more.
@Suite struct ScenarioTests {
    private static let new: UInt64 = {
        let first = UInt64.random(in: 1_000_000..<1_000_000_000)
        print("new scenarios: stormo-sim run --first \(first) --seeds 5")
        return first
    }()

    @Test(arguments: Seeds.range) func promisesAreKept(seed: Int) { expectKept(UInt64(seed)) }

    @Test(arguments: 0..<5) func promisesAreKeptInNewScenarios(index: UInt64) { expectKept(Self.new + index) }

    private func expectKept(_ seed: UInt64) {
        let result = Simulator.run(Scenario(seed: seed))
        #expect(result.failures.isEmpty, "\(replay(seed)): \(result.failures)")
        #expect(result.statistics.count(.outcomes, "applied") > 0, "\(replay(seed)): nothing was done")
    }

    /// Without it no failure could be replayed.
    @Test(arguments: 1...2) func theSameSeedGivesTheSameRun(seed: UInt64) {
        let runs = (0..<2).map { _ in Simulator.run(Scenario(seed: seed), isTracing: true) }
        #expect(runs[0].digest == runs[1].digest)
        #expect(runs[0].trace == runs[1].trace)
    }

    private func replay(_ seed: UInt64) -> String { "stormo-sim run --seed \(seed) --trace" }
}
