/// A hash table from keys to the numbers of their entries in an array that its owner keeps. Open addressing with linear
/// probing; a cell holds 32 bits of the key's token and the entry's number, so that most probes touch one cache line.
struct KeyIndex: Sendable {
    // Upper half: bits of the token. Lower half: number of the entry plus one; 0 is a free cell.
    private var cells: [UInt64]
    private var mask: Int
    /// Keys in the table.
    private(set) var count = 0

    /// An empty table.
    init() {
        cells = [UInt64](repeating: 0, count: 64)
        mask = 63
    }

    /// Bytes of the table for each key, about.
    static let bytesPerKey = 16

    /// The number of the entry of a key with this token for which `matches` holds.
    @inline(__always)
    func find(_ token: UInt64, _ matches: (Int) -> Bool) -> Int? {
        let tag = token >> 32
        var at = Int(truncatingIfNeeded: tag) & mask
        while true {
            let cell = cells[at]
            if cell == 0 { return nil }
            if cell >> 32 == tag {
                let number = Int(truncatingIfNeeded: cell & 0xffff_ffff) - 1
                if matches(number) { return number }
            }
            at = (at &+ 1) & mask
        }
    }

    /// Adds an entry of a key that is not in the table.
    mutating func insert(_ token: UInt64, _ number: Int) {
        if (count + 1) * 4 > cells.count * 3 { grow() }
        place((token >> 32) << 32 | UInt64(number + 1))
        count += 1
    }

    /// Removes an entry that is in the table.
    mutating func remove(_ token: UInt64, _ number: Int) {
        let wanted = (token >> 32) << 32 | UInt64(number + 1)
        var hole = Int(truncatingIfNeeded: token >> 32) & mask
        while cells[hole] != wanted {
            guard cells[hole] != 0 else { return }
            hole = (hole &+ 1) & mask
        }
        // Those behind move up, so that no search ends at the hole too early.
        var at = hole
        while true {
            at = (at &+ 1) & mask
            let cell = cells[at]
            if cell == 0 { break }
            let home = Int(truncatingIfNeeded: cell >> 32) & mask
            if (at &- home) & mask >= (at &- hole) & mask {
                cells[hole] = cell
                hole = at
            }
        }
        cells[hole] = 0
        count -= 1
    }

    private mutating func place(_ cell: UInt64) {
        var at = Int(truncatingIfNeeded: cell >> 32) & mask
        while cells[at] != 0 { at = (at &+ 1) & mask }
        cells[at] = cell
    }

    private mutating func grow() {
        let old = cells
        cells = [UInt64](repeating: 0, count: old.count * 2)
        mask = cells.count - 1
        for cell in old where cell != 0 { place(cell) }
    }
}
