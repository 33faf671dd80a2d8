import Glibc
import Simulation

/// How many processors there are.
enum Processors {
    static let count = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Scenarios of consecutive seeds, some at a time.
struct Batch {
    let first: UInt64
    let count: UInt64
    let jobs: Int
    let checksInvariants: Bool
    let workload: Workload

    /// Runs them and hands each result over, in no order; stops early when `take` says false.
    func run(_ take: (UInt64, RunResult) -> Bool) async -> Statistics {
        var statistics = Statistics()
        await withTaskGroup(of: (UInt64, RunResult).self) { group in
            var next: UInt64 = 0
            func begin() {
                guard next < count else { return }
                let seed = first + next
                next += 1
                let (checksInvariants, workload) = (checksInvariants, workload)
                group.addTask {
                    (seed, Simulator.run(Scenario(seed: seed, workload), checksInvariants: checksInvariants))
                }
            }
            for _ in 0..<max(1, jobs) { begin() }
            while let (seed, result) = await group.next() {
                statistics.merge(result.statistics)
                guard take(seed, result) else { break }
                begin()
            }
            group.cancelAll()
        }
        return statistics
    }
}
