import Wire

/// What the ingestor knows of each floor's `latest`, so that most writes need no read before.
///
/// The cluster decides: every write is a compare-and-set with the version known here, so two ingestors, or one that
/// was restarted, cannot set `latest` back.
struct LatestCache {
    /// What is known of one floor.
    struct Entry: Equatable {
        /// Time of the reading that is there, ms since 1970.
        var timestampMs: Int64
        /// Its version.
        var version: Ballot
    }

    /// What to do with a reading.
    enum Step: Equatable {
        /// What is there is as new or newer.
        case skip
        /// Write it if this holds.
        case write(Condition)
    }

    private var entries: [Int: Entry] = [:]
    private let floorsMax: Int

    /// Times the memory was cleared because it was full.
    private(set) var overflows = 0

    /// An empty memory for at most `floorsMax` floors.
    init(floorsMax: Int) {
        self.floorsMax = floorsMax
    }

    /// What to do with a reading of a floor. Of an unknown floor it is assumed that there is none: if there is, the
    /// refusal says what.
    func step(floor: Int, timestampMs: Int64) -> Step {
        guard let entry = entries[floor] else { return .write(.absent) }
        return timestampMs <= entry.timestampMs ? .skip : .write(.version(entry.version))
    }

    /// Notes what is there now; nil for nothing, or nothing that is known.
    mutating func note(floor: Int, _ entry: Entry?) {
        if entry != nil, entries.count >= floorsMax, entries[floor] == nil {
            entries.removeAll(keepingCapacity: true)
            overflows += 1
        }
        entries[floor] = entry
    }
}
