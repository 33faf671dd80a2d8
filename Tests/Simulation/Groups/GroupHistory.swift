import Wire

/// What members of a group were told of one partition, and what they handed on.
struct GroupHistory {
    /// A broken promise.
    struct Problem {
        let check: String
        let detail: String
    }

    /// A commit that was told to be made.
    private struct Commit {
        let token: UInt64
        let offset: Offset
        let returned: UInt64
    }

    /// A time in which a member counts on its lease, in true milliseconds.
    private struct Holding {
        let token: UInt64
        let owner: String
        let fromMs: UInt64
        var untilMs: UInt64
    }

    private var commits: [Commit] = []
    private var holdings: [Holding] = []
    /// The records that somebody handed on, up to the first that nobody has.
    private(set) var handedOn: Offset = 0
    private var later: Set<Offset> = []
    /// The position that was told to be committed last.
    private(set) var lastPosition: Offset = 0
    /// The tokens of seeks that may have been made.
    private var sought: Set<UInt64> = []

    /// Records were handed on.
    mutating func handed(_ range: Range<Offset>) {
        later.formUnion(range)
        while later.remove(handedOn) != nil { handedOn += 1 }
    }

    /// An operator may have set the position under a token.
    mutating func sought(_ token: UInt64) { sought.insert(token) }

    /// A member or an operator was told that a position is kept, which it had asked for at `invoked`.
    mutating func committed(
        _ offset: Offset, token: UInt64, invoked: UInt64, returned: UInt64
    ) -> Problem? {
        if offset > handedOn {
            return Problem(
                check: "delivery", detail: "\(offset) is committed, and nobody has handed on record \(handedOn)")
        }
        for earlier in commits where earlier.returned < invoked {
            if token < earlier.token {
                return Problem(
                    check: "group tokens",
                    detail: "a commit of \(offset) under token \(token) was taken after one under \(earlier.token)")
            }
            // Whoever was set back goes on from there.
            if offset < earlier.offset, !sought.contains(where: { $0 > earlier.token && $0 <= token }) {
                return Problem(
                    check: "group positions", detail: "\(offset) is committed after \(earlier.offset), without a seek")
            }
        }
        lastPosition = offset
        commits.append(Commit(token: token, offset: offset, returned: returned))
        // Later ones say as much as those long before.
        if commits.count > 200 { commits.removeFirst(100) }
        return nil
    }

    /// A member counts on its lease from when it was told until a time.
    mutating func holds(_ owner: String, token: UInt64, fromMs: UInt64, untilMs: UInt64) {
        guard let index = holdings.lastIndex(where: { $0.owner == owner && $0.token == token }) else {
            holdings.append(
                Holding(token: token, owner: owner, fromMs: fromMs, untilMs: max(fromMs, untilMs)))
            return
        }
        holdings[index].untilMs = max(holdings[index].untilMs, untilMs)
    }

    /// A member counts on its lease no more.
    mutating func gaveUp(_ owner: String, token: UInt64, atMs: UInt64) {
        guard let index = holdings.lastIndex(where: { $0.owner == owner && $0.token == token }) else { return }
        holdings[index].untilMs = min(holdings[index].untilMs, atMs)
    }

    /// Two members that counted on the partition at the same time.
    func overlap() -> Problem? {
        let order = holdings.sorted { $0.fromMs < $1.fromMs }
        var last: Holding?
        for next in order {
            // A seek takes the partition from its holder, who finds out when it commits.
            if let held = last, next.fromMs < held.untilMs,
                !sought.contains(where: { $0 > held.token && $0 <= next.token })
            {
                return Problem(
                    check: "group leases",
                    detail:
                        "\(held.owner) holds it under token \(held.token) until \(held.untilMs), and \(next.owner) under \(next.token) from \(next.fromMs)"
                )
            }
            if next.untilMs > last?.untilMs ?? 0 { last = next }
        }
        return nil
    }
}
