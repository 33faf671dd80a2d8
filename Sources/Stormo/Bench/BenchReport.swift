import Histogram

/// The results of a benchmark, for people and for programs.
struct BenchReport: Encodable, Sendable, Hashable {
    /// One run.
    struct Run: Encodable, Sendable, Hashable {
        /// Operations in flight at once.
        var concurrency: Int
        /// Time measured, in seconds.
        var seconds: Double
        /// Operations that were answered well.
        var operations: UInt64
        /// When measuring began, in milliseconds since 1970, and how many were answered in each second from then on.
        var beganAtMs: UInt64
        var eachSecond: [UInt64]
        /// Of all of them, in one second.
        var perSecond: Double
        /// Things that they carried, in one second.
        var itemsPerSecond: Double
        /// Times of an operation in microseconds: half of them are below, 99 %, 99.9 %, all.
        var p50Us: Double
        var p99Us: Double
        var p999Us: Double
        var maxUs: Double
        /// Operations that failed, by reason.
        var errors: [String: UInt64]
        /// What the first failure of each reason said.
        var examples: [String: String]
        /// Processor time of each process for one operation, in microseconds.
        var processorUsPerOperation: [String: Double]
        /// Bytes for one operation: received, sent, and written to journals and logs, by the nodes together; nil when they
        /// cannot be told.
        var wireInPerOperation: Double?
        var wireOutPerOperation: Double?
        var diskPerOperation: Double?
    }

    /// `kv put`.
    var workload: String
    /// What was asked for, by name.
    var parameters: [String: Int]
    /// The runs, in their order.
    var runs: [Run]
    /// What one operation carries, when that is more than one thing.
    var itemName: String?
    private var processes: [String] = []

    private enum CodingKeys: String, CodingKey {
        case workload, parameters, runs, itemName
    }

    /// Puts a report together.
    init(
        workload: String, parameters: [String: Int], itemName: String?, processes: [UpState.Process],
        results: [BenchResult]
    ) {
        self.workload = workload
        self.parameters = parameters
        self.itemName = itemName
        self.processes = processes.map(\.name)
        runs = results.map { result in
            let tally = result.tally
            var processor: [String: Double] = [:]
            for (process, us) in zip(processes, result.usage.processorUs) {
                guard let us, tally.operations > 0 else { continue }
                processor[process.name] = Self.rounded(Double(us) / Double(tally.operations), 100)
            }
            func perOperation(_ bytes: UInt64?) -> Double? {
                guard let bytes, tally.operations > 0 else { return nil }
                return Self.rounded(Double(bytes) / Double(tally.operations), 10)
            }
            func us(_ percentile: Double) -> Double { tally.latencies.microseconds(atPercentile: percentile) }
            return Run(
                concurrency: result.concurrency, seconds: Self.rounded(result.seconds, 1_000),
                operations: tally.operations, beganAtMs: result.beganAtMs, eachSecond: result.eachSecond,
                perSecond: Self.rounded(Double(tally.operations) / max(result.seconds, 0.001), 10),
                itemsPerSecond: Self.rounded(Double(tally.items) / max(result.seconds, 0.001), 10), p50Us: us(50),
                p99Us: us(99),
                p999Us: us(99.9), maxUs: us(100), errors: tally.errors, examples: tally.examples,
                processorUsPerOperation: processor, wireInPerOperation: perOperation(result.usage.wireBytesIn),
                wireOutPerOperation: perOperation(result.usage.wireBytesOut),
                diskPerOperation: perOperation(result.usage.diskBytes))
        }
    }

    /// The report for people.
    var lines: [String] {
        let given = parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        var columns: [TextTable.Column] = [.init("AT ONCE", right: true), .init("OPS/S", right: true)]
        if let itemName { columns.append(.init("\(itemName.uppercased())/S", right: true)) }
        columns += ["P50 ms", "P99 ms", "P99.9 ms", "MAX ms", "ERRORS"].map { .init($0, right: true) }
        columns += ["IN B", "OUT B", "DISK B"].map { .init($0, right: true) }
        columns += processes.map { .init($0, right: true) }
        var table = TextTable(columns)
        for run in runs {
            var row = ["\(run.concurrency)", Text.grouped(run.perSecond)]
            if itemName != nil { row.append(Text.grouped(run.itemsPerSecond)) }
            row += [run.p50Us, run.p99Us, run.p999Us, run.maxUs].map { Text.fixed($0 / 1_000, digits: 3) }
            row.append(Text.grouped(Double(run.errors.values.reduce(0, +))))
            row += [run.wireInPerOperation, run.wireOutPerOperation, run.diskPerOperation].map { bytes in
                bytes.map { Text.grouped($0) } ?? "-"
            }
            row += processes.map { name in run.processorUsPerOperation[name].map { Text.fixed($0, digits: 1) } ?? "-" }
            table.add(row)
        }
        var lines = ["\(workload): \(given)"] + table.lines
        lines.append(
            "IN, OUT and DISK: bytes of one operation to and from the nodes together, and to their journals and logs.")
        if !processes.isEmpty {
            lines.append("Columns named after processes: their processor time for one operation, in µs.")
        }
        for run in runs {
            for (reason, count) in run.errors.sorted(by: { $0.key < $1.key }) {
                lines.append("\(run.concurrency) at once: \(count) failed: \(run.examples[reason] ?? reason)")
            }
        }
        return lines
    }

    private static func rounded(_ number: Double, _ scale: Double) -> Double { (number * scale).rounded() / scale }
}
