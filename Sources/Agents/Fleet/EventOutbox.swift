package import Wire

/// Events that are to be published, in order, within a bound.
///
/// While the cluster is out of reach they pile up; beyond the bound the oldest position updates go first, since each is
/// made good by the next. Events that tell of something else are never dropped for them.
package struct EventOutbox: Sendable {
    /// An event and whether a later one makes it good.
    package struct Entry: Sendable, Hashable {
        /// The record.
        package var record: Record
        /// Whether it only tells a position.
        package var isPositionOnly: Bool

        /// Makes an entry.
        package init(record: Record, isPositionOnly: Bool) {
            self.record = record
            self.isPositionOnly = isPositionOnly
        }
    }

    /// Most events kept.
    package let capacity: Int
    private var entries: [Entry] = []
    /// Where the first entry stands that has not been taken.
    private var first = 0
    private var positionsKept = 0

    /// How many position updates were dropped.
    package private(set) var positionsDropped: UInt64 = 0
    /// How many other events were refused because nothing could make room for them.
    package private(set) var refused: UInt64 = 0

    /// An empty outbox for up to `capacity` events: 10,000 is one tick of the largest fleet.
    package init(capacity: Int = 10_000) {
        self.capacity = max(1, capacity)
    }

    /// Events waiting.
    package var count: Int { entries.count - first }

    /// Puts an event at the end; false when there was no room and nothing to drop for it.
    @discardableResult
    package mutating func append(_ entry: Entry) -> Bool {
        if count >= capacity {
            guard positionsKept > 0, let oldest = entries[first...].firstIndex(where: \.isPositionOnly) else {
                if entry.isPositionOnly { positionsDropped += 1 } else { refused += 1 }
                return false
            }
            if oldest == first { first += 1 } else { entries.remove(at: oldest) }
            positionsKept -= 1
            positionsDropped += 1
            compact()
        }
        entries.append(entry)
        if entry.isPositionOnly { positionsKept += 1 }
        return true
    }

    /// Takes out up to `max` events from the front.
    package mutating func take(max: Int) -> [Entry] {
        let taken = Array(entries[first..<min(entries.count, first + max)])
        first += taken.count
        positionsKept -= taken.reduce(0) { $0 + ($1.isPositionOnly ? 1 : 0) }
        compact()
        return taken
    }

    /// Puts events that could not be published back at the front, as far as there is room; position updates give way.
    package mutating func putBack(_ taken: [Entry]) {
        let room = capacity - count
        var kept = taken
        if kept.count > room {
            var excess = kept.count - room
            kept = kept.filter { entry in
                guard excess > 0, entry.isPositionOnly else { return true }
                excess -= 1
                positionsDropped += 1
                return false
            }
        }
        entries.replaceSubrange(..<first, with: kept)
        first = 0
        positionsKept += kept.reduce(0) { $0 + ($1.isPositionOnly ? 1 : 0) }
    }

    /// Gives the taken part of the array back once it is the larger one.
    private mutating func compact() {
        guard first > 1_024, first > entries.count / 2 else { return }
        entries.removeFirst(first)
        first = 0
    }
}
