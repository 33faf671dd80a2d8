import NodeCore
import NodeShell
import StormoClient
import Synchronization

/// How a benchmark is run.
struct BenchPlan: Sendable {
    /// Operations in flight at once, one run for each.
    var concurrencies: [Int]
    /// How long each run measures, in milliseconds.
    var durationMs: UInt64
    /// How long it goes before, in milliseconds.
    var warmUpMs: UInt64
    /// The processes whose processor time is measured, by name.
    var processes: [UpState.Process]
}

/// The result of one run.
struct BenchResult: Sendable {
    /// Operations in flight at once.
    var concurrency: Int
    /// Time measured, in seconds.
    var seconds: Double
    /// What was measured.
    var tally: BenchTally
    /// When measuring began, in milliseconds since 1970.
    var beganAtMs: UInt64
    /// Operations that were answered in each second of that time, the last one perhaps a part of one.
    var eachSecond: [UInt64]
    /// What running has cost meanwhile.
    var usage: BenchUsage
}

/// Runs a workload in a closed loop: each worker sends its next operation when the last one was answered, so the
/// throughput is what this number of callers gets.
struct BenchRun<Workload: BenchWorkload>: Sendable {
    /// What is done.
    let workload: Workload
    /// How.
    let plan: BenchPlan
    /// Told how far it is, about twice a second.
    let progress: @Sendable (String) -> Void

    /// One run for each concurrency.
    func run(_ client: StormoClient) async throws -> [BenchResult] {
        try await workload.prepare(client, progress: progress)
        var results: [BenchResult] = []
        for concurrency in plan.concurrencies { results.append(try await run(client, concurrency)) }
        return results
    }

    private func run(_ client: StormoClient, _ concurrency: Int) async throws -> BenchResult {
        let clock = ContinuousClock()
        let begin = clock.now + .milliseconds(Int64(clamping: plan.warmUpMs))
        let end = begin + .milliseconds(Int64(clamping: plan.durationMs))
        let recorder = LatencyRecorder()
        let workload = workload
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<concurrency {
                group.addTask {
                    var worker = workload.worker(number)
                    var failures = 0
                    while true {
                        let sent = clock.now
                        if sent >= end || Task.isCancelled { return }
                        do {
                            let items = try await workload.operate(client, &worker)
                            let answered = clock.now
                            failures = 0
                            // Only what lies wholly within the measured time counts.
                            if sent >= begin, answered <= end {
                                recorder.record(worker: number, latencyNs: (answered - sent).nanoseconds, items: items)
                            }
                        } catch let error as ClientError where error == .closed {
                            throw error
                        } catch {
                            if sent >= begin {
                                recorder.record(
                                    worker: number, error: BenchErrors.reason(error),
                                    detail: CommandExit.line(of: error))
                            }
                            // A refusal can come at once: without a pause, a cluster that is down would be asked in a
                            // tight loop. It doubles up to half a second.
                            failures = min(failures + 1, 10)
                            try await Task.sleep(for: .milliseconds(min(500, 1 << failures)))
                        }
                    }
                }
            }
            try await clock.sleep(until: begin)
            let meter = BenchMeter(processes: plan.processes)
            let before = await meter.read(client)
            let measuredFrom = clock.now
            let beganAtMs = SystemClock.now.wallMs
            var (eachSecond, counted): ([UInt64], UInt64) = ([], 0)
            while clock.now < end {
                let wholeSeconds = measuredFrom + .seconds(eachSecond.count + 1)
                try await clock.sleep(until: min(end, wholeSeconds, clock.now + .milliseconds(500)))
                let seconds = Double((clock.now - measuredFrom).nanoseconds) / 1e9
                let done = recorder.operations
                if clock.now >= min(end, wholeSeconds) {
                    eachSecond.append(done - counted)
                    counted = done
                }
                progress(
                    "\(workload.title), \(concurrency) at once: \(Text.fixed(seconds, digits: 1)) of "
                        + "\(Quantity.durationText(plan.durationMs)), \(Int(Double(done) / max(seconds, 0.001))) a second"
                )
            }
            let after = await meter.read(client)
            let measured = Double((clock.now - measuredFrom).nanoseconds) / 1e9
            try await group.waitForAll()
            return BenchResult(
                concurrency: concurrency, seconds: measured, tally: recorder.total, beganAtMs: beganAtMs,
                eachSecond: eachSecond, usage: after.since(before))
        }
    }

}

/// Failures by what they have in common.
enum BenchErrors {
    /// The kind of a failure.
    static func reason(_ error: any Error) -> String {
        switch error {
        case ClientError.noQuorum: "no quorum"
        case ClientError.outcomeUnknown: "outcome unknown"
        case ClientError.unreachable: "unreachable"
        case ClientError.refused(let code, _): "refused: \(code)"
        case ClientError.overloaded: "overloaded"
        default: CommandExit.line(of: error)
        }
    }
}

extension Duration {
    /// In nanoseconds; 0 for a negative one.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000)
    }
}
