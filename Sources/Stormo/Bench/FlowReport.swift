import Histogram

/// The times of records at fixed rates, for people and for programs.
struct FlowReport: Encodable, Sendable, Hashable {
    /// Half of the times are below the first, and so on; in microseconds.
    struct Times: Encodable, Sendable, Hashable {
        var p50Us: Double
        var p99Us: Double
        var p999Us: Double
        var maxUs: Double

        init(_ histogram: Histogram<UInt64>) {
            (p50Us, p99Us) = (histogram.microseconds(atPercentile: 50), histogram.microseconds(atPercentile: 99))
            (p999Us, maxUs) = (histogram.microseconds(atPercentile: 99.9), histogram.microseconds(atPercentile: 100))
        }

        var columns: [String] { [p50Us, p99Us, p999Us, maxUs].map { Text.fixed($0 / 1_000, digits: 3) } }
    }

    /// One rate.
    struct Run: Encodable, Sendable, Hashable {
        /// Records a second that were due.
        var rate: Int
        /// Records that were due, acknowledged, and acknowledged but never delivered.
        var due: Int
        var acknowledged: UInt64
        var missing: UInt64
        /// From when a record was due until it was acknowledged.
        var acknowledgement: Times
        /// From when a record was due until a consumer had it.
        var delivery: Times
        /// Records that failed, by reason.
        var errors: [String: UInt64]
        /// What the first failure of each reason said.
        var examples: [String: String]
        /// Processor time of each process for one record, in microseconds.
        var processorUsPerRecord: [String: Double]
    }

    /// `topic flow`.
    var workload = "topic flow"
    /// What was asked for, by name.
    var parameters: [String: Int]
    /// The runs, in their order.
    var runs: [Run]
    private var processes: [String] = []

    private enum CodingKeys: String, CodingKey {
        case workload, parameters, runs
    }

    /// Puts a report together.
    init(parameters: [String: Int], processes: [UpState.Process], results: [FlowResult]) {
        self.parameters = parameters
        self.processes = processes.map(\.name)
        runs = results.map { result in
            var processor: [String: Double] = [:]
            for (process, us) in zip(processes, result.usage?.processorUs ?? []) {
                guard let us, result.acknowledged > 0 else { continue }
                processor[process.name] = (Double(us) * 100 / Double(result.acknowledged)).rounded() / 100
            }
            return Run(
                rate: result.rate, due: result.due, acknowledged: result.acknowledged, missing: result.missing,
                acknowledgement: Times(result.acknowledgements), delivery: Times(result.deliveries),
                errors: result.errors, examples: result.examples, processorUsPerRecord: processor)
        }
    }

    /// The report for people.
    var lines: [String] {
        let given = parameters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        var columns: [TextTable.Column] = [.init("RECORDS/S", right: true), .init("UNTIL")]
        columns += ["RECORDS", "P50 ms", "P99 ms", "P99.9 ms", "MAX ms"].map { .init($0, right: true) }
        columns += processes.map { .init($0, right: true) }
        var table = TextTable(columns)
        for run in runs {
            let processor = processes.map { name in
                run.processorUsPerRecord[name].map { Text.fixed($0, digits: 1) } ?? "-"
            }
            table.add(
                [Text.grouped(Double(run.rate)), "acknowledged", Text.grouped(Double(run.acknowledged))]
                    + run.acknowledgement.columns + processor)
            table.add(
                ["", "delivered", Text.grouped(Double(run.acknowledged - min(run.missing, run.acknowledged)))]
                    + run.delivery.columns + processes.map { _ in "" })
        }
        var lines = ["\(workload): \(given)"] + table.lines
        lines.append(
            "Times count from when a record was due. Columns named after processes: µs of processor for one record.")
        for run in runs {
            if run.missing > 0 { lines.append("\(run.rate) a second: \(run.missing) were acknowledged and never came") }
            for (reason, count) in run.errors.sorted(by: { $0.key < $1.key }) {
                lines.append("\(run.rate) a second: \(count) failed: \(run.examples[reason] ?? reason)")
            }
        }
        return lines
    }
}
