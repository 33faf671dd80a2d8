import EnergyRules

/// Finds the newest readings of a floor by listings that only run forward: it looks at windows of time, the newest
/// first, each wider than the one before, until it has enough.
///
/// A floor that reports every 30 s is answered by the first or second window; one that has been silent for weeks by a
/// dozen.
struct HistoryWalk {
    /// A span of time, both ends included, ms since 1970.
    struct Window: Equatable {
        let fromMs: Int64
        let toMs: Int64
    }

    /// Share of a window for each reading wanted, ms: a sixth of the usual interval, since looking again is cheap and
    /// reading far too much is not.
    static let firstSpanPerReadingMs: Int64 = 5_000

    /// How much wider each window is than the last.
    static let growth: Int64 = 6

    /// Widest window before everything left is looked at, ms: 60 days.
    static let widestMs: Int64 = 60 * 86_400_000

    private let sinceMs: Int64
    private var remaining: Int
    private var toMs: Int64
    private var spanMs: Int64

    /// A walk from `newestMs` back to `sinceMs` for at most `limit` readings.
    init(newestMs: Int64, sinceMs: Int64, limit: Int) {
        self.sinceMs = max(0, sinceMs)
        remaining = limit
        toMs = newestMs
        spanMs = Int64(max(1, limit)) * Self.firstSpanPerReadingMs
    }

    /// Readings still wanted.
    var wanted: Int { remaining }

    /// The next window to look at; nil when the walk is over.
    mutating func next() -> Window? {
        guard remaining > 0, toMs >= sinceMs else { return nil }
        let from = spanMs > Self.widestMs ? sinceMs : max(sinceMs, toMs - spanMs + 1)
        let window = Window(fromMs: from, toMs: toMs)
        toMs = from - 1
        spanMs *= Self.growth
        return window
    }

    /// Notes how many readings the last window had.
    mutating func found(_ count: Int) { remaining -= count }
}
