import Simulation
import Testing

/// Members of consumer groups under faults, a fixed set of scenarios and a few that nobody has looked at yet. `make sim` looks
/// at many more.
@Suite struct GroupScenarioTests {
    private static let new: UInt64 = {
        let first = UInt64.random(in: 1_000_000..<1_000_000_000)
        print("new scenarios: stormo-sim run --groups --first \(first) --seeds 3")
        return first
    }()

    @Test(arguments: Seeds.range.prefix(20)) func promisesAreKept(seed: Int) { expectKept(UInt64(seed)) }

    @Test(arguments: 0..<3) func promisesAreKeptInNewScenarios(index: UInt64) { expectKept(Self.new + index) }

    private func expectKept(_ seed: UInt64) {
        let result = Simulator.run(Scenario(seed: seed, .groups))
        #expect(result.failures.isEmpty, "stormo-sim run --groups --seed \(seed) --trace: \(result.failures)")
        #expect(result.statistics.count(.operations, "positions committed") > 0, "nothing was committed")
    }
}
