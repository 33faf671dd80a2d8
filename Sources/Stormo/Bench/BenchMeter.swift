import StormoClient
import Wire

/// What running costs: processor time, bytes through the nodes' connections, bytes written to disks.
struct BenchUsage: Sendable, Hashable {
    /// Processor time in microseconds of each process, in the order of the plan; nil for one that is gone.
    var processorUs: [UInt64?]
    /// Bytes that the nodes have written to their journals and to the files of their logs, and that they have received and
    /// sent; nil when one of them did not answer. What the file system makes of it is not in it.
    var diskBytes: UInt64?
    var wireBytesIn: UInt64?
    var wireBytesOut: UInt64?

    /// What was used since an earlier reading.
    func since(_ earlier: BenchUsage) -> BenchUsage {
        func difference(_ before: UInt64?, _ after: UInt64?) -> UInt64? {
            guard let before, let after, after >= before else { return nil }
            return after - before
        }
        return BenchUsage(
            processorUs: zip(earlier.processorUs, processorUs).map { difference($0, $1) },
            diskBytes: difference(earlier.diskBytes, diskBytes),
            wireBytesIn: difference(earlier.wireBytesIn, wireBytesIn),
            wireBytesOut: difference(earlier.wireBytesOut, wireBytesOut))
    }
}

/// Reads what running has cost so far.
struct BenchMeter: Sendable {
    /// The processes whose processor time is read.
    let processes: [UpState.Process]

    /// A reading.
    func read(_ client: StormoClient) async -> BenchUsage {
        var usage = BenchUsage(processorUs: processes.map { ProcessTimes.of($0.pid)?.processorUs })
        let figures = await client.statisticsOfNodes().map { try? $0.figures.get() }
        func sum(_ name: String) -> UInt64? {
            guard !figures.isEmpty else { return nil }
            return figures.reduce(UInt64?(0)) { sum, figures in
                guard let sum, let item = figures?.items.first(where: { $0.name == name }) else { return nil }
                return sum + item.value
            }
        }
        if let journal = sum("storage_journal_bytes_total"), let logs = sum("storage_flush_batch_bytes_total") {
            usage.diskBytes = journal + logs
        }
        usage.wireBytesIn = sum("wire_bytes_in_total")
        usage.wireBytesOut = sum("wire_bytes_out_total")
        return usage
    }
}
