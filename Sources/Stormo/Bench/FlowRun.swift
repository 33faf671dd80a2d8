import Histogram
import Logging
import NodeCore
import NodeShell
import StormoClient
import Synchronization
import Wire

/// Records at a fixed rate, from producer to consumer: an open loop. Each record is due at a moment that does not depend on
/// how the ones before it fared, and its times count from that moment, so that a stall is seen by all that it held up.
struct FlowRun: Sendable {
    /// Whose values are sent.
    let records: BenchRecords
    /// The topic; made when it does not exist.
    let topic: String
    /// How long, before and while measuring, and what is looked at.
    let plan: BenchPlan
    /// Told how far it is, about twice a second.
    let progress: @Sendable (String) -> Void

    /// One run for each rate, in records a second.
    func run(_ client: StormoClient, rates: [Int], logger: Logger) async throws -> [FlowResult] {
        guard try await client.topic(topic, creating: TopicConfiguration()) != nil else {
            throw BenchMismatch(description: "topic '\(topic)' could not be made")
        }
        var results: [FlowResult] = []
        for rate in rates { results.append(try await run(client, rate, logger)) }
        return results
    }

    private func run(_ client: StormoClient, _ rate: Int, _ logger: Logger) async throws -> FlowResult {
        var ends: [UInt32: Offset] = [:]
        for partition in try await client.topics().first(where: { $0.name == topic })?.partitions ?? [] {
            ends[partition.index] = try await client.find(topic, partition: partition.index, .latest).offset
        }
        let schedule = FlowSchedule(rate: rate, warmUpMs: plan.warmUpMs, durationMs: plan.durationMs)
        let tally = FlowTally(schedule: schedule)
        let tail = TopicTail(client: client, topic: topic, logger: logger)
        let meter = BenchMeter(processes: plan.processes)
        return try await withThrowingTaskGroup(of: BenchUsage?.self) { group in
            group.addTask { [ends] in
                try await tail.run(from: ends) { records, _ in tally.delivered(records.map(\.record)) }
                return nil
            }
            group.addTask {
                try await schedule.clock.sleep(until: schedule.measuredFrom)
                let before = await meter.read(client)
                try await schedule.clock.sleep(until: schedule.end)
                return await meter.read(client).since(before)
            }
            let lines = Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: .milliseconds(500))
                    progress("topic flow, \(rate) records a second: \(tally.line)")
                }
            }
            defer { lines.cancel() }
            try await send(client, schedule, tally)
            var usage: BenchUsage?
            while usage == nil, let found = try await group.next() { usage = found }
            // What was acknowledged has to come; what takes longer than this is counted as missing.
            let deadline = schedule.clock.now + .seconds(10)
            while tally.missing > 0, schedule.clock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
            group.cancelAll()
            return tally.result(usage)
        }
    }

    /// Sends what is due, until the end; and waits for the answers.
    private func send(_ client: StormoClient, _ schedule: FlowSchedule, _ tally: FlowTally) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            while next < schedule.count {
                try await schedule.clock.sleep(until: schedule.due(next))
                let first = next
                let now = schedule.clock.now
                while next < schedule.count, schedule.due(next) <= now { next += 1 }
                let last = next
                guard tally.began(last - first) else { continue }
                group.addTask {
                    do {
                        let batch = (first..<last).map { records.numbered(UInt64($0)) }
                        _ = try await client.publish(topic, batch)
                        tally.acknowledged(first..<last)
                    } catch {
                        tally.failed(last - first, BenchErrors.reason(error), CommandExit.line(of: error))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// When each record is due.
struct FlowSchedule: Sendable {
    let rate: Int
    let clock = ContinuousClock()
    let begin: ContinuousClock.Instant
    let measuredFrom: ContinuousClock.Instant
    let end: ContinuousClock.Instant
    /// Records in all, those of the warm-up among them.
    let count: Int
    /// The first record that is measured.
    let firstMeasured: Int

    /// A schedule that begins now.
    init(rate: Int, warmUpMs: UInt64, durationMs: UInt64) {
        self.rate = rate
        begin = clock.now
        measuredFrom = begin + .milliseconds(Int64(warmUpMs))
        end = measuredFrom + .milliseconds(Int64(durationMs))
        firstMeasured = Int(warmUpMs) * rate / 1_000
        count = firstMeasured + Int(durationMs) * rate / 1_000
    }

    /// When a record is due.
    func due(_ number: Int) -> ContinuousClock.Instant {
        begin + .nanoseconds(Int64(number) * 1_000_000_000 / Int64(rate))
    }
}

/// The result of one rate.
struct FlowResult: Sendable {
    /// Records a second that were due.
    var rate: Int
    /// Records that were due while measuring, that were acknowledged, and that were acknowledged and never came.
    var due: Int
    var acknowledged: UInt64
    var missing: UInt64
    /// From when a record was due until it was acknowledged, and until a consumer had it.
    var acknowledgements: Histogram<UInt64>
    var deliveries: Histogram<UInt64>
    /// Records that failed, by reason, with what the first of each said.
    var errors: [String: UInt64]
    var examples: [String: String]
    /// What running has cost.
    var usage: BenchUsage?
}

/// What happens to the records of one run.
final class FlowTally: Sendable {
    private struct State {
        var acknowledgements = BenchTally().latencies
        var deliveries = BenchTally().latencies
        var begun = 0
        var over = 0
        /// Of all records, the warm-up's among them: both may be told more than once, and each is counted once.
        var isAcknowledged: [Bool]
        var isDelivered: [Bool]
        var delivered = 0
        /// Records that were acknowledged and have not come yet.
        var missing = 0
        var errors: [String: UInt64] = [:]
        var examples: [String: String] = [:]

        init(count: Int) {
            isAcknowledged = Array(repeating: false, count: count)
            isDelivered = isAcknowledged
        }
    }

    private let schedule: FlowSchedule
    private let state: Mutex<State>

    /// Records on their way at most: a cluster that is far behind the rate is not asked for more.
    static let inFlightMax = 200_000

    init(schedule: FlowSchedule) {
        self.schedule = schedule
        state = Mutex(State(count: schedule.count))
    }

    /// Whether so many records may be sent now.
    func began(_ count: Int) -> Bool {
        state.withLock { state in
            guard state.begun - state.over + count <= Self.inFlightMax else {
                let reason = "not sent"
                state.errors[reason, default: 0] += UInt64(count)
                state.examples[reason] = "\(Self.inFlightMax) records were on their way already"
                return false
            }
            state.begun += count
            return true
        }
    }

    func acknowledged(_ numbers: Range<Int>) {
        let now = schedule.clock.now
        state.withLock { state in
            state.over += numbers.count
            for number in numbers {
                if !state.isAcknowledged[number], !state.isDelivered[number] { state.missing += 1 }
                state.isAcknowledged[number] = true
                guard number >= schedule.firstMeasured else { continue }
                state.acknowledgements.record(Self.ns(from: schedule.due(number), to: now))
            }
        }
    }

    func failed(_ count: Int, _ reason: String, _ detail: String) {
        state.withLock { state in
            state.over += count
            state.errors[reason, default: 0] += UInt64(count)
            if state.examples[reason] == nil { state.examples[reason] = detail }
        }
    }

    func delivered(_ records: [Record]) {
        let now = schedule.clock.now
        state.withLock { state in
            for record in records {
                guard let number = BenchRecords.number(of: record), number < schedule.count, !state.isDelivered[number]
                else { continue }
                state.isDelivered[number] = true
                state.delivered += 1
                if state.isAcknowledged[number] { state.missing -= 1 }
                guard number >= schedule.firstMeasured else { continue }
                state.deliveries.record(Self.ns(from: schedule.due(number), to: now))
            }
        }
    }

    /// Records that were acknowledged and have not come yet.
    var missing: Int { state.withLock { $0.missing } }

    /// How far it is, for people.
    var line: String {
        state.withLock { "\($0.begun) of \(schedule.count) sent, \($0.delivered) delivered" }
    }

    func result(_ usage: BenchUsage?) -> FlowResult {
        state.withLock { state in
            FlowResult(
                rate: schedule.rate, due: schedule.count - schedule.firstMeasured,
                acknowledged: state.acknowledgements.totalCount,
                missing: UInt64(state.missing),
                acknowledgements: state.acknowledgements, deliveries: state.deliveries, errors: state.errors,
                examples: state.examples, usage: usage)
        }
    }

    private static func ns(from: ContinuousClock.Instant, to: ContinuousClock.Instant) -> UInt64 {
        min(max((to - from).nanoseconds, 1), BenchTally.latencyNsMax)
    }
}
