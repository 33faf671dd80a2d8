import DequeModule
import Wire

/// What a register operation of a partition was for.
enum PartitionStep: Hashable {
    /// To read the configuration.
    case load
    /// To become primary under a configuration.
    case elect(PartitionConfiguration)
    /// To learn the topic's name, as secondary.
    case learn
    /// To read the configuration, as primary: another node has changed it.
    case refresh
    /// To change the sets, as primary.
    case changeSet(PartitionConfiguration)
    /// To name another replica as the one that should be primary.
    case nominate(NodeID)
    /// To take the configuration of a deleted topic's partition away.
    case discard
}

/// What a node knows of one partition, and what it is to it. A class: the node holds the only reference, and its queues
/// are changed in place.
final class Partition {
    /// What this node is to the partition.
    enum Role {
        /// Not known: the configuration has not been read, or it names another primary.
        case none
        /// The configuration is being read.
        case loading
        /// This node has asked to be primary.
        case electing
        /// It is, under a configuration whose change was answered to this run.
        case primary(Primary)
    }

    let id: PartitionID
    var role: Role = .none
    /// This node's copy, when it has one.
    var log: ReplicaLog?
    /// The end of what is durable of the log, as far as a primary needs it.
    var durableEnd: Offset = 0
    /// Raised when the log is cut, so that news about what was cut are not taken for news about what replaced it.
    var generation: UInt64 = 0
    /// The last change of the log.
    var lastChange = JournalSequence.start
    /// Who ships batches here.
    var leader: NodeID?
    /// When something was last heard from it.
    var leaderHeardMs: UInt64 = 0
    /// Since when the primary is known to be gone; nil while it is not.
    var leaderlessSinceMs: UInt64?
    /// When the configuration may be read again.
    var nextLoadMs: UInt64 = 0
    /// When the topic is looked at again: whether it still exists, and how its records are kept. For primaries.
    var nextReviewMs: UInt64 = 0
    /// Whether other nodes have the partition, and the copy here is only the identity of the next one.
    var isElsewhere = false
    /// Whether a batch of the log could not be read whole.
    var isDamaged = false
    /// When this node may give the reign away again.
    var nextResignMs: UInt64 = 0
    /// The topic's name, once a configuration of this partition was read.
    var topic: String?
    /// When a secondary looks at the topic again; nil before it was one.
    var nextSecondaryReviewMs: UInt64?
    /// Whether the topic is compacted by key, as far as known.
    var isCompacted = false
    /// What of the log is compact already.
    var clean = CleanPart()
    /// When it may be compacted again after an attempt that failed.
    var nextCompactionMs: UInt64 = 0
    /// The epoch in which this copy was begun, with nothing before it; nil when that was not in this run.
    var copiedIn: LogEpoch?
    /// Requests that wait for the configuration.
    var waiting: Deque<(channel: ChannelID, request: RequestID, message: Message)> = []

    init(id: PartitionID) { self.id = id }

    /// The state of the reign, when there is one.
    var primary: Primary? { if case .primary(let primary) = role { primary } else { nil } }

    /// Retention has passed everything below an offset: so many bytes of batches. A damaged batch may have gone with it; if
    /// not, the next read tells.
    func trimmed(to first: Offset, bytes: UInt64) {
        log?.trim(to: first, bytes: bytes)
        isDamaged = false
    }

    var isPrimary: Bool { if case .primary = role { true } else { false } }
}

/// A replica as its primary sees it.
struct Follower {
    let node: NodeID
    /// The log that it last answered for.
    var logID: LogID = 0
    /// The durable end of what agrees with the primary's log, acknowledged in this epoch under that log.
    var acknowledged: Offset = 0
    /// What is shipped next.
    var next: Offset
    /// Bytes shipped and not acknowledged.
    var inFlightBytes = 0
    /// Whether the place where the logs agree is still being looked for: one append at a time.
    var isProbing = true
    var lastSentMs: UInt64 = 0
    var lastAnsweredMs: UInt64
}

/// A publish that waits for the in-sync set.
struct WaitingProduce {
    var base: Offset
    var end: Offset
    let channel: ChannelID
    let request: RequestID
    /// When its client hears that the outcome is not known.
    let untilMs: UInt64
}

/// A fetch that waits for records.
struct WaitingFetch {
    let fetch: Fetch
    let channel: ChannelID
    let request: RequestID
    let untilMs: UInt64
}

/// The state of a primary during one reign. A class for the same reason as `Partition`.
final class Primary {
    /// The configuration in force as far as known, and its register's version.
    var configuration: PartitionConfiguration
    var version: Ballot
    /// Sets proposed and not known to have failed: they may be in force.
    var proposed: [[LogMember]] = []
    /// Whether a change of the set is on its way.
    var isChanging = false
    /// Whether no more publishes are taken, since the reign goes to another node as soon as those under way are answered.
    var isHandingOver = false
    /// When the reign began.
    let reignBeganMs: UInt64
    /// When a replica was taken out of the configuration last in this reign; 0 for never.
    var lastDepartureMs: UInt64 = 0
    /// When the next change may be tried, after one that failed.
    var nextChangeMs: UInt64 = 0
    /// The other replicas.
    var followers: [Follower]
    /// The end of the log when the reign began. Until it is committed in this epoch nothing is served.
    let electionEnd: Offset
    var highWatermark: Offset
    var produces: Deque<WaitingProduce> = []
    var fetches: [WaitingFetch] = []

    init(
        configuration: PartitionConfiguration, version: Ballot, followers: [Follower], electionEnd: Offset,
        highWatermark: Offset, beganMs: UInt64
    ) {
        reignBeganMs = beganMs
        self.configuration = configuration
        self.version = version
        self.followers = followers
        self.electionEnd = electionEnd
        self.highWatermark = highWatermark
    }

    var epoch: LogEpoch { configuration.epoch }

    /// Whether what was inherited is committed.
    var isReady: Bool { highWatermark >= electionEnd }

    /// The end that `member` has acknowledged; 0 under another log than the member's.
    func acknowledged(by member: LogMember) -> Offset {
        guard let follower = followers.first(where: { $0.node == member.node }), follower.logID == member.logID else {
            return 0
        }
        return follower.acknowledged
    }

    /// What is on disk on every member of every set that may be in force.
    func committed(ownEnd: Offset, own: NodeID) -> Offset {
        var lowest = ownEnd
        for set in [configuration.inSync] + proposed {
            for member in set where member.node != own { lowest = min(lowest, acknowledged(by: member)) }
        }
        return lowest
    }
}
