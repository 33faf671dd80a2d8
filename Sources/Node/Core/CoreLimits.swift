/// Every bound and time of the core, each with its unit and reason. Where a bound is hit a counter of
/// `CoreCounters` tells.
package struct CoreLimits: Sendable {
    /// Copies of every key and partition; in force is the lower of this and the number of nodes.
    package var replicationFactor = 3
    /// Tokens of this node on the ring: enough that shares differ by a few per cent, few enough to send around.
    package var virtualNodes: UInt16 = 64
    /// How many founders the first ring waits for.
    package var bootstrapExpect = 1
    /// How far two clocks may be apart, in milliseconds; a frame from further ahead is refused.
    package var clockDriftMaxMs: UInt64 = 500
    /// A request sent longer ago than this, in milliseconds, is refused, whatever it asks: it may have been overtaken
    /// by everything since.
    package var operationAgeMaxMs: UInt64 = 60_000
    /// How long an operation may take before its client hears `no_quorum` or `outcome_unknown`, in milliseconds.
    package var operationTimeoutMs: UInt64 = 2_000
    /// How long one round of messages is waited for before another way is tried, in milliseconds.
    package var roundTimeoutMs: UInt64 = 400
    /// After this time, in milliseconds, a read that asked only a quorum asks the other replicas too.
    package var readHedgeMs: UInt64 = 20
    /// Longest pause before a refused round is tried again, in milliseconds; it grows from 1.
    package var retryPauseMaxMs: UInt64 = 64
    /// Operations that one node coordinates at a time. Sixteen thousand of them are 10 MB of state.
    package var operationsMax = 16_384
    /// Keys whose next change may go without a prepare, remembered at a time; beyond it all are forgotten.
    package var promisedPathsMax = 16_384
    /// Writes that are answered and still wait for their last replicas; beyond it these get their hints at once.
    package var lingeringMax = 4_096
    /// Bytes of hints that are kept for one replica; beyond it they are dropped and the rest is left to anti-entropy.
    package var hintBytesMax = 1 << 30
    /// How old a hint may become, in milliseconds: a replica that was away longer has to be compared anyway.
    package var hintAgeMaxMs: UInt64 = 10_800_000
    /// Hints that one node delivers in a second, so that a replica that comes back can also serve.
    package var hintsPerSecond: UInt64 = 2_000
    /// Hints that one node delivers at a time.
    package var hintsInFlightMax = 64
    /// How long the delivery to a target rests after one has failed, in milliseconds.
    package var hintRetryPauseMs: UInt64 = 1_000
    /// How long hints rest that could not be read from the store, in milliseconds: the operator hears of it each time.
    package var hintUnreadablePauseMs: UInt64 = 60_000
    /// How often the oldest hints are looked at, in milliseconds.
    package var hintLookMs: UInt64 = 1_000
    /// Hints read from the store at a time.
    package var hintPageItems = 256
    /// About how many bytes of hints are read from the store at a time.
    package var hintPageBytes = 1 << 20
    /// How often a node compares its ranges with the other replicas' by itself, in milliseconds; 0 for never.
    package var repairIntervalMs: UInt64 = 3_600_000
    /// Registers that are read for trees in one tick, the own and those that others ask for together: whoever waits for a
    /// register must not wait for them.
    package var repairKeysPerTick = 256
    /// About how many bytes of registers are read for a tree at a time.
    package var repairSliceBytes = 1 << 20
    /// Bytes of differing registers that a comparison moves in a second, so that live traffic keeps its latency.
    package var repairBytesPerSecond = 16 << 20
    /// Differing registers that are settled at a time.
    package var repairKeysInFlight = 16
    /// How often another replica is asked for the same before the comparison goes on without it.
    package var repairAttemptsMax = 3
    /// How long a comparison rests before it asks again, in milliseconds.
    package var repairRetryPauseMs: UInt64 = 1_000
    /// Registers that one tree takes in; where a stretch has more, another tree follows.
    package var treeKeysMax = 16_384
    /// A leaf that differs and has more registers than this is compared by a tree of its own before they are moved.
    package var treeLeafKeysMax = 64
    /// Trees that are made for others at a time.
    package var treeJobsMax = 16
    /// How long a tree is waited for, in milliseconds: as many as are made at a time, each as large as may be.
    package var treeTimeoutMs: UInt64 = 20_000
    /// Tombstones and expired cells that all replicas are asked about at a time: each is a read from disk.
    package var collectKeys = 128
    /// Damaged registers that are mended at a time.
    package var mendsInFlightMax = 16
    /// Damaged registers that may wait for it; those beyond are noticed again when they are asked for.
    package var mendsWaitingMax = 1_024
    /// Longest pause before a failed attempt to mend a register is made again, in milliseconds; it grows from 100.
    package var mendRetryPauseMaxMs: UInt64 = 10_000
    /// How often the operator hears of damage that cannot be told to be one register's, in milliseconds.
    package var damageNoteMs: UInt64 = 60_000
    /// How long a tombstone and a promise are kept at least, in milliseconds: nothing that was sent before may still be on
    /// its way.
    package var graceMs: UInt64 = 86_400_000
    /// Bytes that may wait for the journal before new writes are refused as overloaded.
    package var backlogBytesMax = 64 << 20
    /// How far the persisted ballot ceiling runs ahead of the clock, in milliseconds. A restarted node proposes nothing
    /// until its clock has passed the ceiling of the run before; a busy node writes one a half of this time.
    package var ballotCeilingLeadMs: UInt64 = 1_000
    /// How often founders without a ring propose one, in milliseconds.
    package var foundingIntervalMs: UInt64 = 250

    /// A node that showed another epoch is told, or asked for, the ring again after this time at the earliest, in
    /// milliseconds.
    package var ringSpreadPauseMs: UInt64 = 50
    /// How often one other node is greeted so that idle nodes compare their epochs, in milliseconds.
    package var ringGreetingMs: UInt64 = 500
    /// How often a change of the ring looks whether it can go on, in milliseconds.
    package var ringStepPauseMs: UInt64 = 200
    /// Registers of one page that a new owner copies: reading them must not hold up the replicas that give them.
    package var copyPageKeys: UInt32 = 256
    /// Bytes that a new owner copies in a second, so that live traffic keeps its latency.
    package var copyBytesPerSecond = 32 << 20
    /// Registers that a new owner copies in a second: small ones cost their reading, not their bytes.
    package var copyKeysPerSecond = 10_000
    /// Registers that belong to others now and are dropped in one tick: all former owners drop theirs at the same time, and
    /// each is an entry of the journal and of the database. Nobody waits for it, so live traffic goes first.
    package var clearKeysPerTick = 50
    /// Registers of a former time that a new owner drops in one tick before it copies: the change waits for it.
    package var clearFirstKeysPerTick = 500
    /// Prefixes that one node watches for its clients.
    package var watchesMax = 1_024
    /// Requests that may wait for changes of one prefix.
    package var watchWaitersMax = 1_024
    /// States of one prefix that are kept for those who watch it, and keys that may wait to be read; beyond it everybody
    /// begins with a listing.
    package var watchStatesMax = 10_000
    /// Changed keys of one prefix that are read at a time.
    package var watchReadsMax = 64
    /// How often watches look for what is due, in milliseconds.
    package var watchTickMs: UInt64 = 50
    /// A key whose change may not have been told by all is looked at again after this time, in milliseconds.
    package var watchRecheckMs: UInt64 = 500
    /// A prefix that nobody has asked for in this time, in milliseconds, is watched no more.
    package var watchIdleMs: UInt64 = 60_000
    /// How long a replica tells its changes without being asked again, in milliseconds.
    package var subscriptionMs: UInt64 = 9_000
    /// Prefixes of other nodes that one replica tells its changes under.
    package var subscriptionsMax = 4_096
    /// A primary that the membership has not met for this time since this node's start, in milliseconds, is taken for
    /// dead: long enough for all nodes of a cluster that starts to find each other.
    package var unseenMemberMs: UInt64 = 10_000
    /// A secondary that has not acknowledged for this time, in milliseconds, leaves the in-sync set.
    package var inSyncTimeoutMs: UInt64 = 300
    /// How often a primary tells idle secondaries its high watermark, in milliseconds.
    package var appendHeartbeatMs: UInt64 = 100
    /// An append unanswered for this time, in milliseconds, is sent again from the acknowledged end.
    package var appendResendMs: UInt64 = 1_000
    /// Bytes of batches that one append carries at most, beside its first batch.
    package var appendBytesMax = 1 << 20
    /// Bytes of batches of one partition that may be sent to a secondary without its answer.
    package var appendWindowBytes = 8 << 20
    /// How much longer each further member of the in-sync set waits before it takes over from a dead primary, in
    /// milliseconds: the ones before it may be unable to.
    package var electionTurnMs: UInt64 = 300
    /// How long a node keeps a reign, in milliseconds, before it gives it to the replica that is meant to have it: one that
    /// comes and goes must not take it along each time.
    package var preferredPrimaryMs: UInt64 = 30_000
    /// How often one node looks where the replicas of all partitions are, in milliseconds; 0 for never.
    package var balanceIntervalMs: UInt64 = 10_000
    /// Partitions whose replicas move at a time.
    package var partitionMovesMax = 16
    /// A reign that was given away is not given away again for this time, in milliseconds.
    package var resignPauseMs: UInt64 = 5_000
    /// How often primaries look whether their topic still exists and how its records are kept, in milliseconds: so late
    /// retention may be, and the end of a topic whose deletion was cut short.
    package var topicReviewMs: UInt64 = 10_000
    /// How long a producer that appends nothing is remembered, in milliseconds.
    package var producerAgeMaxMs: UInt64 = 7 * 86_400_000
    /// Bytes of batches that a node ships in a second to replicas outside the in-sync set, so that live traffic keeps its
    /// latency.
    package var catchUpBytesPerSecond = 64 << 20
    /// How often secondaries look whether their topic is compacted, in milliseconds.
    package var secondaryReviewMs: UInt64 = 60_000
    /// Bytes of batches that compaction by key reads in a second, so that live traffic keeps its latency.
    package var compactionBytesPerSecond = 16 << 20
    /// Bytes of batches, and of their records when unpacked, that compaction works on in one tick, or one batch: nobody
    /// must wait for it.
    package var compactionSliceBytes = 256 << 10
    /// Memory for the keys of one pass, in bytes; what has more keys takes several passes.
    package var compactionKeyBytesMax = 64 << 20
    /// Bytes of a partition that must have come since its last pass before there is another one.
    package var compactionBytesMin: UInt64 = 1 << 20
    /// How much that must be of what was left by the last pass, in per cent: so much of a topic may be superseded.
    package var compactionDirtyPercent = 50
    /// How often a node looks for the next partition that is worth compacting, in milliseconds.
    package var compactionLookMs: UInt64 = 1_000
    /// How long compaction leaves a partition alone that it could not read, in milliseconds.
    package var compactionRetryPauseMs: UInt64 = 60_000
    /// How long a record that deletes its key stays in a compacted topic, in milliseconds, so that readers see it.
    package var deletionMarkerAgeMs: UInt64 = 86_400_000
    /// Partitions that every tick looks after at least; a node with fewer looks after all of them.
    package var tickPartitionsMin = 1_024
    /// Ticks within which all partitions had their turn: ten of 10 ms are the time of a heartbeat.
    package var tickTurns = 10
    /// Publishes of one partition that may wait for their acknowledgement.
    package var producesWaitingMax = 4_096
    /// Fetches of one partition that may wait for records.
    package var fetchesWaitingMax = 4_096
    /// Requests that may wait while a partition's configuration is being read.
    package var loadingWaitingMax = 1_024
    /// Bytes that one fetch may ask for.
    package var fetchBytesMax = 8 << 20

    /// How old an operation may be, in milliseconds, to find out what became of its proposals: replicas may have dropped
    /// older promises.
    var resolveAgeMaxMs: UInt64 {
        graceMs > operationAgeMaxMs + clockDriftMaxMs ? graceMs - operationAgeMaxMs - clockDriftMaxMs : 0
    }

    /// How long a node that has lost its state waits before it asks the others, in milliseconds: no operation may count an
    /// answer from before the loss any more. Operations end by their timeout; as much again is for clocks that run unevenly.
    var lossQuietMs: UInt64 { 2 * operationTimeoutMs }

    /// The defaults of the configuration reference.
    package init() {}
}
