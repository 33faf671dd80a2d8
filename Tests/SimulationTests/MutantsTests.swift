import Foundation
import NodeCore
import Simulation
import Testing

#if MUTANTS
    /// Breaks one rule of the core after the other, in a scenario that is known to notice it. `make sim-mutants
    /// ARGS="--record …"` finds such scenarios anew.
    @Suite struct MutantsTests {
        private static let path = Fixtures.folder.appending(path: "mutants.csv").path

        @Test func everyRuleHasAScenarioThatNoticesIt() throws {
            let recorded = try RecordedMutants(contentsOf: Self.path)
            #expect(Set(recorded.seeds.keys) == Set(Mutation.allCases.map(\.rawValue)))
        }

        @Test(arguments: try RecordedMutants(contentsOf: path).seeds.map { ($0.key, $0.value.seed) })
        func aBrokenRuleIsNoticed(rule: String, seed: UInt64) throws {
            let mutation = try #require(Mutation(rawValue: rule))
            let result = Mutation.$broken.withValue(mutation) {
                Simulator.run(Scenario(seed: seed, Workload(of: mutation)))
            }
            #expect(
                !result.failures.isEmpty,
                "scenario \(seed) does not notice that \(rule) is broken: make sim-mutants ARGS=\"--only \(rule) --record \(Self.path)\" looks for another one"
            )
        }
    }
#endif
