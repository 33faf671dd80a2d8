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
        inForce.take(event, cluster)
        switch event {
        case .sent(let node, _, .append(let append)): return shipped(append, by: node, cluster)
        case .acknowledged(let partition, let base, let batch, let node):
            // Others may have the same records from another epoch: a producer sends them again until it is answered.
            let log = cluster.virtualNodes[node].store.allBatches(partition)
            guard log.contains(where: { $0.baseOffset == base && $0.checksum == batch.checksum }) else { return nil }
            extend(partition, to: base + Offset(batch.count), log)
            return members(partition, from: base, cluster)
        case .replied(_, let asked, .accepted):
            guard case .accept(let accept) = asked.message,
                let partition = PartitionConfiguration.partition(of: accept.key)
            else { return nil }
            _ = inForce.look(partition, cluster)
            return nil
        case .applied(let node, .truncate(let partition, let from)): return cut(partition, from, node, cluster)
        case .applied(_, .register(let key, let state)):
            guard let partition = PartitionConfiguration.partition(of: key), state.accepted != nil else { return nil }
            return members(partition, from: 0, cluster)
        default: return nil
        }
    }

    private mutating func shipped(_ append: Append, by node: Int, _ cluster: VirtualCluster) -> String? {
        let id = append.partition
        // What was decided is seen while the disks still tell of it: one of them may be lost next.
        _ = inForce.look(id, cluster)
        let store = cluster.virtualNodes[node].store
        let known = committed[id] ?? Committed()
        if append.epoch > known.epoch {
            committed[id, default: Committed()].epoch = append.epoch
            if let problem = missing(known.batches, of: store.allBatches(id), first: append.firstOffset) {
                return "n\(node + 1) becomes primary of \(id) in epoch \(append.epoch), and \(problem)"
            }
        }
        guard append.highWatermark > known.end else { return nil }
        extend(id, to: append.highWatermark, store.allBatches(id))
        return members(id, from: known.end, cluster)
    }

    private mutating func extend(_ id: PartitionID, to end: Offset, _ log: [RecordBatch]) {
        let known = committed[id]?.end ?? 0
        guard end > known else { return }
        committed[id, default: Committed()].batches += log.filter { $0.baseOffset >= known && $0.endOffset <= end }
        committed[id]?.end = end
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
            guard index < log.count, log[index].isSame(as: batch) else {
                let other = index < log.count ? "has \(text(log[index]))" : "ends"
                return "the committed \(text(batch)) is missing: the log \(other)"
            }
        }
        return nil
    }

    private func text(_ batch: RecordBatch) -> String { "\(batch.baseOffset)..<\(batch.endOffset)@\(batch.epoch)" }
}
