import ArgumentParser
import Foundation
import NodeCore
import Simulation

struct MutantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutants",
        abstract: "Breaks one rule of the core after the other, and tells how many scenarios notice it.",
        discussion: """
            Needs a build with -Xswiftc -DMUTANTS: see `make sim-mutants`. Each rule is looked at from several first seeds; \
            told is the median of the seeds that it took, all of them, and who noticed it: an invariant or, as "histories", \
            a check of what clients were told.
            """)

    @Option(help: "Rules to break, separated by commas; all when left out.") var only: String?
    @Option(help: "How long to look for each from each first seed, in seconds.") var seconds = 60
    @Option(help: "The seed of the first scenario.") var first: UInt64 = 1
    @Option(help: "From how many first seeds, a million apart.") var starts = 1
    @Flag(help: "Check only what clients are told, not the rules inside.") var historiesOnly = false
    @Option(help: "Scenarios at a time.") var jobs = Processors.count
    @Option(help: "A file that takes a failing seed of each rule, for the tests; lines of rules not looked at stay.")
    var record: String?

    func run() async throws {
        #if MUTANTS
            var rows = [["rule", "median", "seeds", "seconds", "noticed by"]]
            var missed = 0
            var recorded = try record.map { try RecordedMutants(contentsOf: $0) } ?? RecordedMutants()
            for mutation in try mutations() {
                let started = ContinuousClock.now
                var found: [(seeds: UInt64, seed: UInt64, failure: Failure)?] = []
                for start in 0..<max(starts, 1) {
                    found.append(await look(for: mutation, from: first + UInt64(start) * 1_000_000))
                }
                let caught = found.compactMap { $0 }
                if caught.isEmpty { missed += 1 }
                if let quickest = caught.min(by: { $0.seeds < $1.seeds }) {
                    recorded.seeds[mutation.rawValue] = (quickest.seed, quickest.failure.check)
                    if let record { try recorded.write(to: record) }
                }
                let counts = caught.map(\.seeds).sorted()
                let half = found.count / 2
                rows.append([
                    mutation.rawValue, half < counts.count ? String(counts[half]) : "-",
                    found.map { $0.map { String($0.seeds) } ?? "-" }.joined(separator: " "),
                    String(Int((ContinuousClock.now - started) / .seconds(1))),
                    Set(caught.map { $0.failure.isOfHistories ? "histories (\($0.failure.check))" : $0.failure.check })
                        .sorted().joined(separator: ", "),
                ])
                Report.say(rows[rows.count - 1].joined(separator: "  "))
            }
            print("\n" + Report.table(rows))
            if missed > 0 {
                print("\(missed) rules were broken and nobody noticed")
                throw ExitCode.failure
            }
        #else
            throw ValidationError(
                "this build cannot break rules: build with -Xswiftc -DMUTANTS, as make sim-mutants does")
        #endif
    }

    #if MUTANTS
        private func mutations() throws -> [Mutation] {
            guard let only else { return Mutation.allCases }
            return try only.split(separator: ",").map { name in
                guard let mutation = Mutation(rawValue: String(name)) else {
                    let known = Mutation.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("there is no rule \(name); there are \(known)")
                }
                return mutation
            }
        }

        /// How many scenarios it takes from a seed on; nil when the time was too short.
        private func look(for mutation: Mutation, from first: UInt64) async -> (UInt64, UInt64, Failure)? {
            let started = ContinuousClock.now
            let batch = Batch(
                first: first, count: .max / 2, jobs: jobs, checksInvariants: !historiesOnly,
                workload: Workload(of: mutation))
            var noticed: (UInt64, UInt64, Failure)?
            await Mutation.$broken.withValue(mutation) {
                _ = await batch.run { seed, result in
                    noticed = result.failures.first.map { (seed - first + 1, seed, $0) }
                    return noticed == nil && ContinuousClock.now - started < .seconds(seconds)
                }
            }
            return noticed
        }
    #endif
}
