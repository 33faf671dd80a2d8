import Wire

/// What is known of a log's compaction: below `end` no two records have the same key.
struct CleanPart {
    /// A record that says that its key is deleted.
    struct Marker {
        var offset: Offset
        /// When its batch was appended, in milliseconds since 1970.
        var appendedMs: UInt64
    }

    /// Of which copy.
    var logID: LogID = 0
    /// The offset behind it.
    var end: Offset = 0
    /// Bytes of its batches.
    var bytes: UInt64 = 0
    /// Its first deletion marker: the one that is due first, since times of appending never go back. nil for none.
    var marker: Marker?
    /// When the pass that made it so has ended, in milliseconds since 1970.
    var madeMs: UInt64 = 0
}

/// One way through a partition's log: first over what came since the last one, for the newest record of each key, then over
/// all of it from the beginning, to take out what is older. It may end anywhere: each record that it has taken out has a
/// newer one of its key that stays.
///
/// A class: its table of keys is changed slice by slice, and a copy of it each time would cost more than the slice.
final class CompactionPass {
    let partition: PartitionID
    /// Of which copy, and between which cuts of it.
    let logID: LogID
    let generation: UInt64
    /// The high watermark when it began, as this replica knew it.
    let horizon: Offset
    /// Where it goes on.
    var next: Offset
    /// Where it ends; nil while keys are gathered.
    var end: Offset?
    /// The newest record of each key that was gathered. Whole keys and not their hashes: no two are ever taken for one.
    private(set) var newest: [[UInt8]: Offset] = [:]
    /// Bytes that these take in memory, about.
    private(set) var keyBytes = 0
    /// The first deletion marker that stays.
    var marker: CleanPart.Marker?

    // What a key takes beside its bytes: its place in the table and the header of its array.
    private static let entryBytes = 96

    /// A pass over a copy that has `clean` behind it.
    init(
        _ partition: PartitionID, logID: LogID, generation: UInt64, horizon: Offset, from first: Offset
    ) {
        self.partition = partition
        self.logID = logID
        self.generation = generation
        self.horizon = horizon
        next = first
    }

    /// Takes a batch's keys in.
    func gather(_ outlines: [RecordBatch.Outline]) {
        for outline in outlines {
            guard let key = outline.key else { continue }
            if newest.updateValue(outline.offset, forKey: key) == nil { keyBytes += key.count + Self.entryBytes }
        }
    }

    /// Whether a newer record of its key stands below the end.
    func isSuperseded(_ outline: RecordBatch.Outline) -> Bool {
        guard let key = outline.key, let newest = newest[key] else { return false }
        return Mutation.compactsNewest.isOn ? newest >= outline.offset : newest > outline.offset
    }
}
