import Wire

/// Registers read lately, by key, bounded by number and by bytes; the one not asked for the longest goes first. All
/// operations take constant time. The list of ages runs through the entries by their numbers.
struct LRUCache {
    private struct Entry {
        var key: Key
        var state: RegisterState
        var newer: Int32
        var older: Int32
    }

    private static let none: Int32 = -1

    private let itemsMax: Int
    private let bytesMax: Int
    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var index = KeyIndex()
    private var newest = none
    private var oldest = none
    /// Bytes that the registers take in memory, about.
    private(set) var bytes = 0
    /// Questions answered.
    private(set) var hits: UInt64 = 0
    /// Questions not answered.
    private(set) var misses: UInt64 = 0
    /// Registers put out for lack of room.
    private(set) var evictions: UInt64 = 0

    /// An empty cache; a bound of 0 switches it off.
    init(itemsMax: Int, bytesMax: Int) {
        self.itemsMax = bytesMax == 0 ? 0 : itemsMax
        self.bytesMax = bytesMax
    }

    /// Registers in the cache.
    var count: Int { index.count }

    /// Whether it keeps anything at all.
    var isOn: Bool { itemsMax > 0 }

    /// A register's state, which is then the newest.
    mutating func state(_ key: Key) -> RegisterState? {
        guard isOn else { return nil }
        guard let number = find(key) else {
            misses += 1
            return nil
        }
        hits += 1
        touch(number)
        return entries[number].state
    }

    /// Keeps a register that is not in the cache.
    mutating func insert(_ key: Key, _ state: RegisterState) {
        let size = Self.size(key, state)
        guard isOn, size <= bytesMax else { return }
        let number: Int
        if let reused = free.popLast() {
            number = Int(reused)
            entries[number] = Entry(key: key, state: state, newer: Self.none, older: Self.none)
        } else {
            number = entries.count
            entries.append(Entry(key: key, state: state, newer: Self.none, older: Self.none))
        }
        index.insert(key.token, number)
        link(number)
        bytes += size
        trim()
    }

    /// Replaces the state of a register if it is in the cache; its age stays.
    mutating func update(_ key: Key, _ state: RegisterState) {
        guard isOn, let number = find(key) else { return }
        bytes += state.contentBytes - entries[number].state.contentBytes
        entries[number].state = state
        trim()
    }

    @inline(__always)
    private func find(_ key: Key) -> Int? { index.find(key.token) { entries[$0].key.bytes == key.bytes } }

    private mutating func trim() {
        while oldest != Self.none && (bytes > bytesMax || index.count > itemsMax) {
            let number = Int(oldest)
            unlink(number)
            index.remove(entries[number].key.token, number)
            bytes -= Self.size(entries[number].key, entries[number].state)
            // The value's memory must not wait for the place to be used again.
            entries[number].state = .empty
            free.append(Int32(number))
            evictions += 1
        }
    }

    private mutating func touch(_ number: Int) {
        guard newest != Int32(number) else { return }
        unlink(number)
        link(number)
    }

    private mutating func link(_ number: Int) {
        entries[number].newer = Self.none
        entries[number].older = newest
        if newest != Self.none { entries[Int(newest)].newer = Int32(number) } else { oldest = Int32(number) }
        newest = Int32(number)
    }

    private mutating func unlink(_ number: Int) {
        let entry = entries[number]
        if entry.newer != Self.none { entries[Int(entry.newer)].older = entry.older } else { newest = entry.older }
        if entry.older != Self.none { entries[Int(entry.older)].newer = entry.newer } else { oldest = entry.newer }
    }

    // The entry, its cell in the index, and the headers of the arrays for key and value.
    private static func size(_ key: Key, _ state: RegisterState) -> Int {
        MemoryLayout<Entry>.stride + KeyIndex.bytesPerKey + 64 + key.bytes.count + state.contentBytes
    }
}
