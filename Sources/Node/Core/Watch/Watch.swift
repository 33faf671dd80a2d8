import DequeModule
import Wire

/// What a coordinator keeps of one watched prefix, for all that watch it: the states that a majority was found to hold,
/// in the order in which this node found them. A class: the node holds the only reference.
final class Watch {
    /// A request that waits for something to tell.
    struct Waiter {
        let channel: ChannelID
        let request: RequestID
        /// Everything up to here has been told.
        let time: HybridTime
        let untilMs: UInt64
    }

    private struct Told {
        let cell: Cell
        let at: HybridTime
    }

    let prefix: [UInt8]
    /// Everything found since then is kept; nil until enough members tell their changes.
    var since: HybridTime?
    /// Whether members are being asked to tell their changes.
    var isSubscribing = false
    /// When they are asked again.
    var nextSubscribeMs: UInt64 = 0
    /// Whether all members do. While not, a change that only the others took part in is looked for a second time.
    var isWhole = false
    /// When it was asked for last; it goes when nobody has for long.
    var usedMs: UInt64
    var waiters: [Waiter] = []
    /// Requests that wait for the members, to begin with a listing.
    var starters: [(channel: ChannelID, request: RequestID, body: WatchRequest)] = []
    /// Keys that have changed and have not been read since.
    var dirty: Deque<Key> = []
    /// Keys that are being read, and whether they have changed again.
    var reading: [Key: Bool] = [:]
    /// Keys that are to be looked at once more.
    var recheck: Deque<(atMs: UInt64, key: Key)> = []
    /// Values that end by themselves, by key.
    var expiring: [Key: UInt64] = [:]

    private var states: [Key: Told] = [:]
    private var order: Deque<(at: HybridTime, key: Key)> = []

    init(prefix: [UInt8], nowMs: UInt64) {
        self.prefix = prefix
        usedMs = nowMs
    }

    /// Marks a key as changed.
    func touch(_ key: Key) {
        if reading[key] != nil {
            reading[key] = true
        } else if !dirty.contains(key) || dirty.count > 64 {
            dirty.append(key)
        }
    }

    /// Whether a state of a key is kept.
    func holds(_ key: Key) -> Bool { states[key] != nil }

    /// Takes what a read has found. False when it was told already, or something later was.
    func found(_ key: Key, _ cell: Cell, at: HybridTime, statesMax: Int) -> Bool {
        if let told = states[key] {
            guard
                cell.version > told.cell.version
                    || cell.version == told.cell.version && cell.content != told.cell.content
            else { return false }
        }
        states[key] = Told(cell: cell, at: at)
        order.append((at, key))
        while order.count > statesMax, let oldest = order.popFirst() {
            since = max(since ?? oldest.at, oldest.at)
            if states[oldest.key]?.at == oldest.at { states[oldest.key] = nil }
        }
        return true
    }

    /// The states found after a moment, in order, and the moment up to which they are all.
    func states(after time: HybridTime, now: HybridTime, itemsMax: Int, bytesMax: Int) -> ([ScanItem], HybridTime) {
        var low = order.startIndex
        var high = order.endIndex
        while low < high {
            let middle = (low + high) / 2
            if order[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        var items: [ScanItem] = []
        var bytes = 0
        for entry in order[low...] {
            guard let told = states[entry.key], told.at == entry.at else { continue }
            bytes += entry.key.bytes.count + told.cell.contentBytes
            if items.count >= itemsMax || !items.isEmpty && bytes > bytesMax {
                return (items, HybridTime(entry.at.rawValue - 1))
            }
            items.append(ScanItem(key: entry.key, cell: told.cell))
        }
        return (items, now)
    }

    /// Forgets everything: positions of before must begin with a listing.
    func reset() {
        since = nil
        states = [:]
        order = []
        dirty = []
        recheck = []
        expiring = [:]
        nextSubscribeMs = 0
    }
}
