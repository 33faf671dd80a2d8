import StormoClient
import Wire

/// What a watcher of a prefix has been told: the version of every key. Comparing it with a newer listing gives the events
/// between the two. It is of states, not of history: versions in between are passed over.
struct WatchState {
    /// What has become of a key.
    enum Event: Equatable {
        /// It has this value under this version.
        case put(Key, value: [UInt8], version: Ballot)
        /// It is gone; the version is that of the value that was told last.
        case delete(Key, version: Ballot)
    }

    private var told: [(key: Key, version: Ballot)] = []

    /// The events that lead from what was told to `items`, a whole listing in key order, which counts as told from now on.
    mutating func advance(to items: [ScanItem]) -> [Event] {
        var events: [Event] = []
        var old = told[...]
        for item in items {
            while let first = old.first, first.key < item.key {
                events.append(.delete(first.key, version: first.version))
                old.removeFirst()
            }
            if let first = old.first, first.key == item.key {
                old.removeFirst()
                if first.version == item.cell.version { continue }
            }
            guard case .value(let value) = item.cell.content else { continue }
            events.append(.put(item.key, value: value, version: item.cell.version))
        }
        events += old.map { .delete($0.key, version: $0.version) }
        told = items.map { ($0.key, $0.cell.version) }
        return events
    }
}
