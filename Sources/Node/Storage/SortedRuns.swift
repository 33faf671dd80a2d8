/// An order over numbered things that are added one by one: sorted runs that are merged as they grow, so that no single
/// addition or listing sorts everything.
struct SortedRuns: Sendable {
    /// Sorted runs.
    private(set) var runs: [[UInt32]] = []
    private var tail: [UInt32] = []

    // A run of the tail is sorted at once: half a millisecond of work.
    private static let tailMax = 1_024
    // Longer runs are not merged any more: merging them would stall the loop, and a walk over a hundred runs is cheap.
    private static let mergedMax = 8_192

    /// Adds a number that comes after none and before none that is known.
    mutating func append(_ number: Int, _ precedes: (Int, Int) -> Bool) {
        tail.append(UInt32(number))
        if tail.count >= Self.tailMax { seal(precedes) }
    }

    /// Puts everything in sorted runs.
    mutating func seal(_ precedes: (Int, Int) -> Bool) {
        guard !tail.isEmpty else { return }
        tail.sort { precedes(Int($0), Int($1)) }
        runs.append(tail)
        tail.removeAll(keepingCapacity: true)
        while runs.count >= 2 {
            let last = runs[runs.count - 1]
            let former = runs[runs.count - 2]
            guard former.count < last.count * 2, former.count + last.count <= Self.mergedMax else { return }
            runs.removeLast(2)
            runs.append(Self.merge(former, last, precedes))
        }
    }

    private static func merge(_ a: [UInt32], _ b: [UInt32], _ precedes: (Int, Int) -> Bool) -> [UInt32] {
        var merged: [UInt32] = []
        merged.reserveCapacity(a.count + b.count)
        var i = 0
        var j = 0
        while i < a.count && j < b.count {
            if precedes(Int(b[j]), Int(a[i])) {
                merged.append(b[j])
                j += 1
            } else {
                merged.append(a[i])
                i += 1
            }
        }
        merged.append(contentsOf: a[i...])
        merged.append(contentsOf: b[j...])
        return merged
    }
}
