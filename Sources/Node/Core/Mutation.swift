/// A rule of the protocol that can be broken on purpose, one at a time, in builds made with `MUTANTS`: a simulation must
/// notice each of them, or the rule is not tested. In every other build nothing can be broken, and the checks cost nothing.
package enum Mutation: String, CaseIterable, Sendable {
    // Registers.
    /// A read answers with what it found though a majority does not hold it.
    case readSkipsWriteBack
    /// A read answers though its write-back was refused.
    case readAnswersAfterRefusedWriteBack
    /// A refused comparison is answered without committing what it was founded on.
    case refusalWithoutCommit
    /// An overwrite whose accept is in doubt is simply proposed again.
    case blindRetry
    /// An accept below the promise is taken.
    case acceptIgnoresPromise
    /// Replies leave before their state is durable.
    case answerBeforeDurable
    /// Reads leave before the state they tell of is durable.
    case readBeforeDurable
    /// The ok to a duplicate leaves before the first one is durable.
    case duplicateBeforeDurable
    /// Every refusal of an accept is counted as one that says for certain that it was never taken.
    case anyRefusalDefinite
    /// The one-round-trip path is used without knowing that its ballot is promised.
    case fastPathWithoutPromise
    /// The ballot of the one-round-trip path is used by two operations.
    case fastBallotReused
    /// A comparison that fails on the one-round-trip path is answered from memory.
    case fastMismatchFromMemory
    /// The ok to a duplicate counts as a promise of the next ballot.
    case duplicatePromises
    /// A compare-and-set compares accepted ballots in place of versions.
    case comparesAcceptedBallots
    /// A value that is accepted again takes the new ballot as its version.
    case reacceptChangesVersion
    /// A node begins after a restart where its clock is, and may give out a ballot again.
    case ballotsReused
    /// A tombstone is dropped when a majority has confirmed it.
    case tombstoneOnMajority
    /// A tombstone is dropped though its promise is fresh.
    case tombstoneWithFreshPromise
    /// Requests are taken however old they are.
    case noRefusalByAge
    /// A new owner takes its copy from replicas that do not know the joint epoch yet.
    case copyBeforeJointEpoch
    /// A new owner copies from one replica.
    case copyFromOneReplica
    /// While the ring changes only the new replica set is asked.
    case noOldQuorumWhileJoint
    /// A new owner copies cells without the promises.
    case copyWithoutPromises
    /// A replica takes requests of another epoch.
    case epochForgotten
    /// A holder counts its lease from the reply.
    case leaseFromReply
    /// A holder keeps its lease to its end, without a margin for the other clocks.
    case leaseWithoutMargin
    /// A replica that lost its state votes as if it had not.
    case amnesiaVotes
    /// A cell seen at a replica is proposed anew under a ballot below the one it was seen with.
    case settlesBelowSeen

    // Logs.
    /// A secondary acknowledges before its sync.
    case appendedBeforeDurable
    /// A new primary drops what is above the high watermark it knows.
    case electedDropsTail
    /// A new primary serves its whole log at once.
    case electedServesEnd
    /// A new primary serves at the high watermark it knew, before it has committed what it inherited.
    case electedServesOldWatermark
    /// A replica truncates by its own high watermark.
    case truncatesByWatermark
    /// A batch at an offset that is there already is taken for the same one.
    case duplicateOffsetUnchecked
    /// A secondary acknowledges its end, not what matched.
    case acknowledgesEnd
    /// A primary takes answers of any epoch.
    case answerEpochUnchecked
    /// A secondary answers under an epoch that is not durable yet.
    case epochNotDurable
    /// A secondary takes appends of a lower epoch.
    case lowerEpochTaken
    /// A primary that restarts goes on in its old epoch.
    case restartKeepsEpoch
    /// The growth of the in-sync set counts only once its change is known.
    case growthCountsLate
    /// The shrinking of the in-sync set counts as soon as it is proposed.
    case shrinkCountsEarly
    /// A change of the sets that timed out is taken as done.
    case timedOutChangeDone
    /// A change of the sets that timed out is settled by a read of the old version.
    case timedOutChangeSettledByRead
    /// An election of unknown outcome is taken as won.
    case unknownElectionWon
    /// A change of the sets compares the epoch in place of the version.
    case setComparesEpoch
    /// A replica joins the in-sync set below the high watermark.
    case joinsBelowWatermark
    /// A replica joins the in-sync set below the end that the log had at the election.
    case joinsBelowElectionEnd
    /// A lost log comes back under its old log id.
    case lostLogKeepsID
    /// A duplicate publish is answered before it is committed.
    case duplicateAnsweredEarly
    /// A batch that leaves a gap in its producer's sequence is taken.
    case sequenceGapsTaken
    /// What is remembered of producers is not cut with the log.
    case producerTableNotCut
    /// Compaction goes up to the log's end.
    case compactsAboveWatermark
    /// Compaction takes the newest record of a key too.
    case compactsNewest
    /// A reader takes answers of a lower epoch than it has seen.
    case readerIgnoresEpoch
    /// Replicas that go are let go of before those that come belong to the in-sync set.
    case movesBeforeInSync
    /// A node keeps its copy of a partition that other nodes have.
    case copyElsewhereKept
    /// A damaged copy is kept, though another replica is primary.
    case damagedCopyKept
    /// A primary gives up its damaged copy at once, also when no other has it.
    case damagedPrimaryDrops
    /// A node that has given up its log while it was elected leads with the next one.
    case leadsWithAnotherLog
    /// Retention goes beyond the high watermark.
    case retentionAboveWatermark
    /// A secondary lets go of records by itself.
    case secondaryTrims

    // Consumer groups.
    /// A member that has lost its partition commits all the same.
    case groupTokenUnchecked
    /// Members keep their leases to the end, and take those of others at once then.
    case groupLeaseWithoutMargin
    /// A member commits a position before one that is committed.
    case groupCommitGoesBack
    /// A member commits before it hands on.
    case groupCommitsFirst

    /// The rules of registers and of the ring.
    package static let ofRegisters = Array(allCases.prefix { $0 != .appendedBeforeDurable })

    /// The rules of topics.
    package static let ofLogs = Array(
        allCases.drop { $0 != .appendedBeforeDurable }.prefix { $0 != .groupTokenUnchecked })

    /// The rules of consumer groups.
    package static let ofGroups = Array(allCases.drop { $0 != .groupTokenUnchecked })

    #if MUTANTS
        /// The rule that is broken in this task and those that it starts; nil for none.
        @TaskLocal package static var broken: Mutation?
    #endif

    /// Whether this rule is broken.
    @inline(__always)
    var isOn: Bool {
        #if MUTANTS
            Self.broken == self
        #else
            false
        #endif
    }
}
