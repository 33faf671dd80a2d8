import NodeCore
import Wire

/// Every configuration of a partition is made from the one before: it names that one's version, its epoch is not lower, and
/// its in-sync set keeps at least a member of the former one, unless an operator has said otherwise.
struct ConfigurationsFollow: Invariant {
    let name = "configurations"

    private var inForce = ConfigurationsInForce()
    private var versions: [PartitionID: [Ballot: Ballot]] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        inForce.take(event, cluster)
        guard case .replied(_, let asked, .accepted) = event, case .accept(let accept) = asked.message,
            let partition = PartitionConfiguration.partition(of: accept.key)
        else { return nil }
        let before = inForce.decided[partition]
        _ = inForce.look(partition, cluster)
        guard let before, let now = inForce.decided[partition], now.version != before.version else { return nil }
        if now.configuration.epoch < before.configuration.epoch {
            return "\(partition) goes from epoch \(before.configuration.epoch) to \(now.configuration.epoch)"
        }
        // Two versions on, the one between was decided too, and nobody was told.
        if let base = now.base, base < before.version {
            return
                "the configuration of \(partition) at \(Trace.ballot(now.version)) was made from \(Trace.ballot(base)), and \(Trace.ballot(before.version)) was decided since"
        }
        return nil
    }
}
