import Histogram
import Synchronization

/// What the workers of one run have measured.
struct BenchTally: Sendable {
    /// Operations that were answered well.
    var operations: UInt64 = 0
    /// Things that these operations carried (records).
    var items: UInt64 = 0
    /// Operations that failed, by reason.
    var errors: [String: UInt64] = [:]
    /// What the first failure of each reason said.
    var examples: [String: String] = [:]
    /// Their times, in nanoseconds, from a tenth of a microsecond to two minutes, to three digits.
    var latencies = Histogram<UInt64>(
        lowestDiscernibleValue: 100, highestTrackableValue: BenchTally.latencyNsMax,
        numberOfSignificantValueDigits: .three)

    /// The longest time that is told apart, in nanoseconds: far above the longest timeout of an operation.
    static let latencyNsMax: UInt64 = 120_000_000_000

    /// Operations that failed.
    var failed: UInt64 { errors.values.reduce(0, +) }

    /// Puts another one in.
    mutating func add(_ other: BenchTally) {
        operations += other.operations
        items += other.items
        errors.merge(other.errors) { $0 + $1 }
        examples.merge(other.examples) { first, _ in first }
        latencies.add(other.latencies)
    }
}

/// Collects what many workers measure, in a few parts so that they do not wait for each other.
final class LatencyRecorder: Sendable {
    private final class Part: Sendable {
        let tally = Mutex(BenchTally())
    }

    private static let partCount = 16
    private let parts = (0..<LatencyRecorder.partCount).map { _ in Part() }

    /// An empty one.
    init() {}

    /// Counts an operation that was answered.
    func record(worker: Int, latencyNs: UInt64, items: Int) {
        parts[worker % Self.partCount].tally.withLock { tally in
            tally.operations += 1
            tally.items += UInt64(items)
            tally.latencies.record(min(max(latencyNs, 1), BenchTally.latencyNsMax))
        }
    }

    /// Counts an operation that failed.
    func record(worker: Int, error reason: String, detail: String) {
        parts[worker % Self.partCount].tally.withLock { tally in
            tally.errors[reason, default: 0] += 1
            if tally.examples[reason] == nil { tally.examples[reason] = detail }
        }
    }

    /// How many operations were answered so far.
    var operations: UInt64 { parts.reduce(0) { $0 + $1.tally.withLock { $0.operations } } }

    /// Everything so far.
    var total: BenchTally {
        var total = BenchTally()
        for part in parts { total.add(part.tally.withLock { $0 }) }
        return total
    }
}

extension Histogram<UInt64> {
    /// The time in microseconds, to a tenth, below which so many per cent of the nanoseconds lie; 0 of none.
    func microseconds(atPercentile percentile: Double) -> Double {
        totalCount == 0 ? 0 : (Double(valueAtPercentile(percentile)) / 100).rounded() / 10
    }
}
