import NodeCore
import Wire

extension Invariants {
    /// Those of topics.
    static func ofLogs() -> [any Invariant] {
        [
            EpochsHaveOnePrimary(), AcknowledgementsAreDurable(), LogEpochsGoUp(), ConfigurationsFollow(),
            CommittedRecordsAreHeld(), FirstOffsetsAreShipped(),
        ]
    }
}

/// A partition at a node.
struct NodePartition: Hashable {
    let node: Int
    let partition: PartitionID
}

/// One copy of a partition.
struct LogCopy: Hashable {
    let node: Int
    let partition: PartitionID
    let logID: LogID
}
