import Wire

/// How far a watch is, and what it has told: a value, so that the order of events follows from the answers alone.
struct WatchCursor: Sendable {
    /// Where the next request goes on; nil: at the beginning.
    private(set) var position: WatchPosition?
    private var told: ToldVersions
    /// Whether the listing that goes on is the first thing told: who hears it knows no key yet that could be gone.
    private var isFirstListing: Bool

    /// A watch that goes on at a position.
    init(position: WatchPosition?, versionsMax: Int = ClientLimits.watchedVersionsMax) {
        self.position = position
        told = ToldVersions(max: versionsMax)
        isFirstListing = position == nil
    }

    /// The events of an answer to a request that went out with the present position.
    mutating func take(_ answer: WatchAnswer) -> [WatchEvent] {
        var before = position
        var events: [WatchEvent] = []
        if answer.isReset {
            told.removeAll()
            // Who begins at the beginning has nothing to forget.
            if before != nil { events.append(WatchEvent(change: .reset, position: nil)) }
            before = nil
            isFirstListing = true
        }
        for item in answer.items {
            if isFirstListing, item.cell.content == .tombstone, !told.has(item.key) { continue }
            guard told.isNews(item) else { continue }
            let change: WatchEvent.Change =
                if let value = VersionedValue(item.cell) { .put(item.key, value) } else {
                    .delete(item.key, version: item.cell.version)
                }
            events.append(WatchEvent(change: change, position: before))
        }
        // Only the last event may skip the others.
        if case .put? = events.last?.change {
            events[events.count - 1].position = answer.position
        } else if case .delete? = events.last?.change {
            events[events.count - 1].position = answer.position
        } else if answer.position != position || !events.isEmpty {
            events.append(WatchEvent(change: .nothing, position: answer.position))
        }
        position = answer.position
        if answer.position.after == nil { isFirstListing = false }
        return events
    }
}

/// The last state told of each key, of the keys told most recently. Versions of a key only ever grow, so one that is not
/// above the last is no news; but a value that has expired is told once more, as gone.
struct ToldVersions {
    private struct Told {
        var version: Ballot
        var isGone: Bool
    }

    private var versions: [Key: Told] = [:]
    /// The keys in the order in which they were first told, from `oldest` on and around.
    private var order: [Key] = []
    private var oldest = 0
    private let max: Int

    /// A memory of at most `max` keys.
    init(max: Int) { self.max = max }

    /// Keys remembered.
    var count: Int { versions.count }

    /// Whether a key was told and is remembered.
    func has(_ key: Key) -> Bool { versions[key] != nil }

    /// Whether a state is later than the last one told of its key, which it then is itself.
    mutating func isNews(_ item: ScanItem) -> Bool {
        let key = item.key
        let told = Told(version: item.cell.version, isGone: item.cell.content == .tombstone)
        if let last = versions[key] {
            guard told.version > last.version || told.version == last.version && told.isGone && !last.isGone else {
                return false
            }
        } else if order.count < max {
            order.append(key)
        } else {
            versions[order[oldest]] = nil
            order[oldest] = key
            oldest = (oldest + 1) % max
        }
        versions[key] = told
        return true
    }

    /// Forgets everything.
    mutating func removeAll() {
        versions = [:]
        order = []
        oldest = 0
    }
}
