package import Wire

/// What the core counts. All only ever grow.
package struct CoreCounters: Sendable {
    /// Reads coordinated.
    package internal(set) var reads: UInt64 = 0
    /// Changes coordinated.
    package internal(set) var writes: UInt64 = 0
    /// Listings coordinated.
    package internal(set) var scans: UInt64 = 0
    /// Reads that wrote the newest copy back.
    package internal(set) var readRepairs: UInt64 = 0
    /// Reads that ended in a prepare, since a write-back was refused.
    package internal(set) var serialReads: UInt64 = 0
    /// Changes that went without a prepare, on a ballot promised before.
    package internal(set) var fastPaths: UInt64 = 0
    /// Conditions that did not hold.
    package internal(set) var conditionsRefused: UInt64 = 0
    /// Changes whose acceptance was in doubt.
    package internal(set) var resolves: UInt64 = 0
    /// Changes that ended without a known outcome.
    package internal(set) var outcomesUnknown: UInt64 = 0
    /// Operations that too few replicas answered.
    package internal(set) var noQuorum: UInt64 = 0
    /// Requests refused since a bound was hit.
    package internal(set) var overloaded: UInt64 = 0
    /// Frames from clocks too far ahead.
    package internal(set) var clockDriftRefused: UInt64 = 0
    /// Frames sent too long ago.
    package internal(set) var tooOldRefused: UInt64 = 0
    /// Frames of another ring epoch.
    package internal(set) var staleEpochRefused: UInt64 = 0
    /// Registers taken over from the other replicas of a range.
    package internal(set) var keysCopied: UInt64 = 0
    /// Bytes of them.
    package internal(set) var bytesCopied: UInt64 = 0
    /// Ranges taken over whole.
    package internal(set) var rangesCopied: UInt64 = 0
    /// Registers dropped since they belong to others.
    package internal(set) var keysCleared: UInt64 = 0
    /// Requests refused since this node's own copy is not whole.
    package internal(set) var notWholeRefused: UInt64 = 0
    /// States told to those who watch a prefix.
    package internal(set) var watchEvents: UInt64 = 0
    /// Hints left for replicas that missed an accept.
    package internal(set) var hintsLeft: UInt64 = 0
    /// Hints whose target has what they stood for.
    package internal(set) var hintsReplayed: UInt64 = 0
    /// Hints that a later one of the same register and target stands for.
    package internal(set) var hintsSuperseded: UInt64 = 0
    /// Hints not kept, or not any longer: there were too many bytes of them, or they were too old.
    package internal(set) var hintsDropped: UInt64 = 0
    /// Comparisons of this node's ranges with the other replicas' begun.
    package internal(set) var repairs: UInt64 = 0
    /// Ranges compared with a replica.
    package internal(set) var rangesCompared: UInt64 = 0
    /// Ranges that could not be: a replica was away or refused.
    package internal(set) var rangesNotCompared: UInt64 = 0
    /// Leaves of trees in which another replica's differed from this node's.
    package internal(set) var leavesDiffering: UInt64 = 0
    /// Registers in the ranges compared.
    package internal(set) var keysCompared: UInt64 = 0
    /// Registers that differed and were settled.
    package internal(set) var keysRepaired: UInt64 = 0
    /// Bytes of registers moved for that.
    package internal(set) var repairBytes: UInt64 = 0
    /// Trees made for other replicas.
    package internal(set) var treesMade: UInt64 = 0
    /// Tombstones and expired cells dropped for good.
    package internal(set) var tombstonesDropped: UInt64 = 0
    /// Damaged registers noticed.
    package internal(set) var registersDamaged: UInt64 = 0
    /// Damaged registers made whole from the other replicas.
    package internal(set) var registersMended: UInt64 = 0
    /// Attempts at it that failed and are made again.
    package internal(set) var mendRetries: UInt64 = 0
    /// Damaged registers that were not remembered, since as many waited already: they are noticed again when asked for.
    package internal(set) var mendsPutOff: UInt64 = 0
    /// Times the store could not give what it holds.
    package internal(set) var storeErrors: UInt64 = 0
    /// Batches appended as primary.
    package internal(set) var batchesAppended: UInt64 = 0
    /// Records in them.
    package internal(set) var recordsAppended: UInt64 = 0
    /// Batches taken from a primary.
    package internal(set) var batchesReplicated: UInt64 = 0
    /// Logs cut since a primary had other records.
    package internal(set) var logTruncations: UInt64 = 0
    /// Batches that were damaged.
    package internal(set) var batchesRefused: UInt64 = 0
    /// Fetches served or held.
    package internal(set) var fetches: UInt64 = 0
    /// Reigns begun.
    package internal(set) var primariesTaken: UInt64 = 0
    /// Changes of in-sync sets proposed.
    package internal(set) var inSyncChanges: UInt64 = 0
    /// Reigns given to another member of the in-sync set.
    package internal(set) var resignations: UInt64 = 0
    /// Reigns that this node took by an operator's word, without everything that was acknowledged.
    package internal(set) var uncleanElections: UInt64 = 0
    /// Copies of partitions of which a batch could not be read whole.
    package internal(set) var logsDamaged: UInt64 = 0
    /// Copies of partitions given up: the topic was deleted, or others have the partition now.
    package internal(set) var logsDropped: UInt64 = 0
    /// Records let go by retention, as primary.
    package internal(set) var recordsRetired: UInt64 = 0
    /// Publishes of batches that were there already.
    package internal(set) var duplicatesAnswered: UInt64 = 0
    /// Partitions for which this node has said where their replicas should be.
    package internal(set) var targetsSet: UInt64 = 0
    /// Batches refused that were not their producer's next.
    package internal(set) var sequenceGaps: UInt64 = 0
    /// Times a replica outside the in-sync set was shipped nothing since others had used what such replicas may have.
    package internal(set) var catchUpsThrottled: UInt64 = 0

    /// Ways through a partition's log that compaction by key has finished.
    package internal(set) var compactionPasses: UInt64 = 0
    /// Passes given up since batches could not be read.
    package internal(set) var compactionsFailed: UInt64 = 0
    /// Records let go by compaction, in this node's copies.
    package internal(set) var recordsCompacted: UInt64 = 0
    /// Bytes of batches that went with them.
    package internal(set) var bytesCompacted: UInt64 = 0
    /// Deletion markers among the records.
    package internal(set) var markersPurged: UInt64 = 0
    /// Copies begun anew since they may have missed deletions that were compacted away.
    package internal(set) var copiesBegunAnew: UInt64 = 0

    /// All of them, by name.
    package var items: [NodeStatistics.Item] {
        [
            .init(name: "reads_total", value: reads),
            .init(name: "writes_total", value: writes),
            .init(name: "scans_total", value: scans),
            .init(name: "read_repairs_total", value: readRepairs),
            .init(name: "serial_reads_total", value: serialReads),
            .init(name: "fast_paths_total", value: fastPaths),
            .init(name: "conditions_refused_total", value: conditionsRefused),
            .init(name: "resolves_total", value: resolves),
            .init(name: "outcomes_unknown_total", value: outcomesUnknown),
            .init(name: "no_quorum_total", value: noQuorum),
            .init(name: "overloaded_total", value: overloaded),
            .init(name: "clock_drift_refused_total", value: clockDriftRefused),
            .init(name: "too_old_refused_total", value: tooOldRefused),
            .init(name: "stale_epoch_refused_total", value: staleEpochRefused),
            .init(name: "transfer_keys_total", value: keysCopied),
            .init(name: "transfer_bytes_total", value: bytesCopied),
            .init(name: "transfer_ranges_copied_total", value: rangesCopied),
            .init(name: "keys_cleared_total", value: keysCleared),
            .init(name: "not_whole_refused_total", value: notWholeRefused),
            .init(name: "watch_events_total", value: watchEvents),
            .init(name: "hints_left_total", value: hintsLeft),
            .init(name: "hints_replayed_total", value: hintsReplayed),
            .init(name: "hints_superseded_total", value: hintsSuperseded),
            .init(name: "hints_dropped_total", value: hintsDropped),
            .init(name: "repair_runs_total", value: repairs),
            .init(name: "repair_ranges_total", value: rangesCompared),
            .init(name: "repair_ranges_failed_total", value: rangesNotCompared),
            .init(name: "repair_leaves_differing_total", value: leavesDiffering),
            .init(name: "repair_keys_compared_total", value: keysCompared),
            .init(name: "repair_keys_repaired_total", value: keysRepaired),
            .init(name: "repair_bytes_total", value: repairBytes),
            .init(name: "repair_trees_made_total", value: treesMade),
            .init(name: "tombstones_dropped_total", value: tombstonesDropped),
            .init(name: "registers_damaged_total", value: registersDamaged),
            .init(name: "registers_mended_total", value: registersMended),
            .init(name: "mend_retries_total", value: mendRetries),
            .init(name: "mends_put_off_total", value: mendsPutOff),
            .init(name: "store_errors_total", value: storeErrors),
            .init(name: "batches_appended_total", value: batchesAppended),
            .init(name: "records_appended_total", value: recordsAppended),
            .init(name: "batches_replicated_total", value: batchesReplicated),
            .init(name: "log_truncations_total", value: logTruncations),
            .init(name: "batches_refused_total", value: batchesRefused),
            .init(name: "fetches_total", value: fetches),
            .init(name: "primaries_taken_total", value: primariesTaken),
            .init(name: "in_sync_changes_total", value: inSyncChanges),
            .init(name: "resignations_total", value: resignations),
            .init(name: "unclean_elections_total", value: uncleanElections),
            .init(name: "logs_damaged_total", value: logsDamaged),
            .init(name: "logs_dropped_total", value: logsDropped),
            .init(name: "records_retired_total", value: recordsRetired),
            .init(name: "compaction_passes_total", value: compactionPasses),
            .init(name: "compactions_failed_total", value: compactionsFailed),
            .init(name: "records_compacted_total", value: recordsCompacted),
            .init(name: "bytes_compacted_total", value: bytesCompacted),
            .init(name: "deletion_markers_purged_total", value: markersPurged),
            .init(name: "copies_begun_anew_total", value: copiesBegunAnew),
            .init(name: "partition_targets_set_total", value: targetsSet),
            .init(name: "publish_duplicates_total", value: duplicatesAnswered),
            .init(name: "publish_sequence_gaps_total", value: sequenceGaps),
            .init(name: "catch_ups_throttled_total", value: catchUpsThrottled),
        ]
    }
}
