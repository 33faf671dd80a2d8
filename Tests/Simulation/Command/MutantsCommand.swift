import ArgumentParser
import NodeCore
import Simulation

struct MutantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutants",
        abstract: "Breaks one rule of the core after the other, and tells how many scenarios notice it.",
        discussion: "Needs a build with -Xswiftc -DMUTANTS: see `make sim-mutants`.")

    @Option(help: "Rules to break, separated by commas; all when left out.") var only: String?
    @Option(help: "How long to look for each, in seconds.") var seconds = 60
    @Option(help: "The seed of the first scenario.") var first: UInt64 = 1
    @Flag(help: "Check only what clients are told, not the rules inside.") var historiesOnly = false
    @Option(help: "Scenarios at a time.") var jobs = Processors.count

    func run() async throws {
        #if MUTANTS
            var rows = [["rule", "seeds", "seconds", "noticed by"]]
            var missed = 0
            for mutation in try mutations() {
                let row = await look(for: mutation)
                if row.last == Self.nobody { missed += 1 }
                rows.append(row)
                Report.say(row.joined(separator: "  "))
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
        private static let nobody = "-"

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

        private func look(for mutation: Mutation) async -> [String] {
            let started = ContinuousClock.now
            let batch = Batch(first: first, count: .max / 2, jobs: jobs, checksInvariants: !historiesOnly)
            var looked = 0
            var noticed: (seed: UInt64, failure: Failure)?
            await Mutation.$broken.withValue(mutation) {
                _ = await batch.run { seed, result in
                    looked += 1
                    noticed = result.failures.first.map { (seed, $0) }
                    return noticed == nil && ContinuousClock.now - started < .seconds(seconds)
                }
            }
            let tenths = (ContinuousClock.now - started) / .milliseconds(100)
            return [
                mutation.rawValue, String(looked), "\(Int(tenths) / 10).\(Int(tenths) % 10)",
                noticed?.failure.check ?? Self.nobody,
            ]
        }
    #endif
}
