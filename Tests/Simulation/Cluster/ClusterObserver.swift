import NodeCore
import Wire

/// Something that happened in a virtual cluster, for those who look for broken rules.
enum ClusterEvent {
    /// A node has started; its run is counted in the cluster.
    case started(Int)
    /// A node has stopped, and its disk has forgotten what was not synced.
    case crashed(Int)
    /// A node that is down has lost all its registers, or a node's rows of some were damaged.
    case lost(Int, [Key])
    /// A node's core has changed its store.
    case applied(Int, JournalEntry)
    /// A node has given a message for another one to the network.
    case sent(by: Int, to: NodeID, Message)
    /// A client has heard from a node that its records are kept from an offset on.
    case acknowledged(PartitionID, Offset, RecordBatch, by: Int)
    /// A node has given its answer to another node's request to the network.
    case replied(by: Int, request: AskedRequest, reply: Message)
}

/// A request of another node as it arrived.
struct AskedRequest {
    let header: FrameHeader
    let message: Message
    /// For each copy of it, the ring epoch of the node that it arrived at, and its wall clock then.
    var arrivals: [(epoch: Epoch, wallMs: UInt64)]
}

/// Who follows a virtual cluster and acts in it.
protocol ClusterObserver: AnyObject {
    /// Something happened. The cluster must not be changed from here; `VirtualCluster.plan` does it a moment later.
    func happened(_ event: ClusterEvent)
    /// A client has heard an answer.
    func heard(_ answer: VirtualCluster.Answer)
    /// What was planned is due.
    func due(_ plan: Int)
}
