/// Bounds of the client that are no settings, each with its reason.
enum ClientLimits {
    /// How often operations in flight are looked over for their deadlines, in milliseconds: one pass over all of them
    /// instead of a timer for each. Deadlines are kept to this precision.
    static let sweepMs: Int64 = 20
    /// How long a node is given to answer a read before another is asked too, in milliseconds: a fifth of the whole
    /// time, so that a hung node costs a caller that much once, and the next callers nothing until it has spoken again;
    /// but not less than a slow disk may need.
    static func attemptMs(_ timeoutMs: UInt64) -> UInt64 { max(250, timeoutMs / 5) }
    /// How much longer a write that is in flight at its deadline may wait, in milliseconds: the coordinator's own
    /// deadline is the same length, and its answer says more than `outcomeUnknown`.
    static let answerGraceMs: Int64 = 200
    /// Pause between rounds over all nodes that could answer, in milliseconds; it doubles in between.
    static let roundPauseMs: ClosedRange<UInt64> = 20...400
    /// Pauses of an operation that waits for its partition to have a primary, in milliseconds: much shorter than a
    /// failover takes, since all that a caller sleeps beyond its end is added to it. They cost little: see
    /// `topicNewsMs`.
    static let primaryPauseMs: ClosedRange<UInt64> = 20...40
    /// How long what a node has told of a topic is not asked for again, in milliseconds, though it led nowhere: however
    /// many partitions of a topic wait for their primaries, a client asks for all of them this often.
    static let topicNewsMs: Int64 = 20
    /// Operations that wait for a node to become reachable; more are refused as `overloaded`.
    static let waitingMax = 65_536
    /// Raw bytes of records in one batch: large enough for LZ4 to reach its ratio, small enough to pass in a few
    /// milliseconds. A single larger record makes a batch of its own.
    static let batchBytesMax = 1 << 20
    /// Records in one batch.
    static let batchRecordsMax = 16_384
    /// Raw bytes of records that wait to be published; more are refused as `overloaded`.
    static let publishBytesMax = 64 << 20
    /// Topics whose description is remembered; beyond it, all are asked for again.
    static let topicsMax = 10_000
    /// Partitions for which a publisher keeps numbers; beyond it, it begins anew in all of them.
    static let numberedPartitionsMax = 100_000
    /// Partitions whose epoch is remembered: more than a cluster holds.
    static let epochsMax = 200_000
    /// How many times the bytes that a fetch asks for its records may take once unpacked (one batch may always): more than
    /// what text and JSON shrink by, so that little is fetched twice, and far less than LZ4 can reach.
    static let unpackedPerPacked = 8
    /// How long a consumer's fetch waits for records, in milliseconds.
    static let pollMs: UInt32 = 1_000
    /// How long a watch's request waits for something to tell, in milliseconds: a node that hangs is noticed that much
    /// later.
    static let watchMs: UInt32 = 2_000
    /// Keys whose last version a watch remembers, so that nothing is told twice or backwards when another node goes on.
    static let watchedVersionsMax = 16_384
    /// Members of one group that share its partitions: more than a topic has.
    static let groupMembersMax = 2_000
    /// How often a consumer looks for partitions that it may take, and for a topic that does not exist yet, in
    /// milliseconds.
    static let claimMs: UInt64 = 1_000
    /// Pauses of a consumer whose handler failed or whose cluster is away, in milliseconds.
    static let consumerPauseMs: ClosedRange<UInt64> = 100...5_000
    /// How much longer than its end a lease of another member is respected, in milliseconds: two clocks may be that far
    /// apart.
    static let leaseMarginMs: UInt64 = 500
    /// Partitions whose primaries are asked at once how far a group is behind: more would only wait in their queues.
    static let lagQuestionsMax = 64
    /// Positions of groups that a listing looks at: ten thousand groups with ten partitions each.
    static let groupRegistersMax = 100_000
    /// Tries of setting or deleting a group's positions while its members commit.
    static let seekAttemptsMax = 16
}
