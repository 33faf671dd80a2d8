/// Finds what somebody meant who mistyped a name.
enum Suggestion {
    /// The known names nearest to an unknown one, at most three: those that differ only by the part they stand under
    /// (`listen` for `node.listen`), else the one that takes the fewest edits, unless it takes too many.
    static func nearest(to name: String, among known: [String], separator: Character) -> [String] {
        let tail = separator == "." ? name.split(separator: ".").last.map(String.init) ?? name : name
        let sameTail = known.filter { candidate in
            if separator == "." { return candidate.split(separator: ".").last.map(String.init) == tail }
            // STORMO_LISTEN for STORMO_NODE_LISTEN: the words behind the prefix end the candidate.
            guard let mark = name.firstIndex(of: separator) else { return false }
            return candidate.hasSuffix(name[mark...])
        }
        if !sameTail.isEmpty { return Array(sameTail.prefix(3)) }
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = editDistance(Array(name.utf8), Array(candidate.utf8))
            if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(2, name.utf8.count / 3) else { return [] }
        return [best.name]
    }

    /// Insertions, deletions, replacements and exchanges of neighbours that make one text of the other (optimal string
    /// alignment, after Damerau 1964).
    static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                var cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, beforeLast[j - 2] + 1) }
                row.append(cost)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
