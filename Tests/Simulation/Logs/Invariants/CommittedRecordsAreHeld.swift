import NodeCore
import Wire

/// What is acknowledged, or told to be committed, is on the disk of every member of every in-sync set that may be in force,
/// as long as the member has that copy; nobody among them cuts it, and every new primary has it.
struct CommittedRecordsAreHeld: Invariant {
    let name = "commits"

    /// What is committed of a partition.
    private struct Committed {
        var end: Offset = 0
        var batches: [RecordBatch] = []
        var epoch: LogEpoch = 0
    }

    private var committed: [PartitionID: Committed] = [:]
    private var inForce = ConfigurationsInForce()

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        switch event {
        case .sent(let node, _, .append(let append)): return shipped(append, by: node, cluster)
        case .acknowledged(let partition, let base, let batch):
            let end = base + Offset(batch.count)
            if let holder = holder(of: batch, at: base, partition, cluster),
                let problem = extend(partition, to: end, holder)
            {
                return problem
            }
            return members(partition, from: base, cluster)
        case .applied(let node, .truncate(let partition, let from)): return cut(partition, from, node, cluster)
        case .applied(_, .register(let key, let state)):
            guard let partition = PartitionConfiguration.partition(of: key), state.accepted != nil else { return nil }
            return members(partition, from: 0, cluster)
        default: return nil
        }
    }

    private mutating func shipped(_ append: Append, by node: Int, _ cluster: VirtualCluster) -> String? {
        let id = append.partition
        let store = cluster.virtualNodes[node].store
        let known = committed[id] ?? Committed()
        if append.epoch > known.epoch {
            committed[id, default: Committed()].epoch = append.epoch
            if let problem = missing(known.batches, of: store.allBatches(id), first: append.firstOffset) {
                return "n\(node + 1) becomes primary of \(id) in epoch \(append.epoch), and \(problem)"
            }
        }
        guard append.highWatermark > known.end else { return nil }
        if let problem = extend(id, to: append.highWatermark, store.allBatches(id)) { return problem }
        return members(id, from: known.end, cluster)
    }

    /// The log of a node that has a batch at an offset, in its highest epoch: a producer may have sent it again after what an
    /// earlier primary took was cut.
    private func holder(of batch: RecordBatch, at base: Offset, _ id: PartitionID, _ cluster: VirtualCluster)
        -> [RecordBatch]?
    {
        func epoch(_ log: [RecordBatch]) -> LogEpoch? {
            log.first { $0.baseOffset == base && $0.checksum == batch.checksum }?.epoch
        }
        let logs = cluster.virtualNodes.map { $0.store.allBatches(id) }.filter { epoch($0) != nil }
        return logs.max { epoch($0) ?? 0 < epoch($1) ?? 0 }
    }

    private mutating func extend(_ id: PartitionID, to end: Offset, _ log: [RecordBatch]) -> String? {
        let known = committed[id]?.end ?? 0
        guard end > known else { return nil }
        committed[id, default: Committed()].batches += log.filter { $0.baseOffset >= known && $0.endOffset <= end }
        committed[id]?.end = end
        return nil
    }

    /// Looks at the members of every set that may be in force.
    private mutating func members(_ id: PartitionID, from: Offset, _ cluster: VirtualCluster) -> String? {
        guard let known = committed[id] else { return nil }
        let wanted = Array(known.batches.drop { $0.endOffset <= from })
        for found in inForce.look(id, cluster) {
            for member in found.configuration.inSync {
                let node = Int(member.node.rawValue) - 1
                guard let log = cluster.virtualNodes[node].store.durableLog(id), log.facts.logID == member.logID else {
                    continue
                }
                if let problem = missing(wanted, of: log.batches, first: log.facts.firstOffset) {
                    return
                        "n\(node + 1) is in sync for \(id) in epoch \(found.configuration.epoch), and \(problem) on its disk"
                }
            }
        }
        return nil
    }

    private mutating func cut(_ id: PartitionID, _ from: Offset, _ node: Int, _ cluster: VirtualCluster) -> String? {
        guard let known = committed[id], from < known.end else { return nil }
        let logID = cluster.virtualNodes[node].store.logFacts(id)?.logID
        for found in inForce.look(id, cluster) {
            guard found.configuration.inSync.contains(where: { Int($0.node.rawValue) - 1 == node && $0.logID == logID })
            else { continue }
            return "n\(node + 1), in sync for \(id), cuts it at \(from); \(known.end) are committed"
        }
        return nil
    }

    /// The first of the batches that a log lacks; both are in order.
    private func missing(_ wanted: [RecordBatch], of log: [RecordBatch], first: Offset) -> String? {
        var index = 0
        for batch in wanted where batch.baseOffset >= first {
            while index < log.count, log[index].baseOffset < batch.baseOffset { index += 1 }
            guard index < log.count, log[index] == batch else {
                let other = index < log.count ? "has \(text(log[index]))" : "ends"
                return "the committed \(text(batch)) is missing: the log \(other)"
            }
        }
        return nil
    }

    private func text(_ batch: RecordBatch) -> String { "\(batch.baseOffset)..<\(batch.endOffset)@\(batch.epoch)" }
}
