import NodeCore
import Wire

/// Who believes to hold which lock, and until when.
struct LeaseBook {
    /// A time in which a client believes to hold a lock, in virtual milliseconds.
    struct Holding {
        let label: RegisterModel.CellNumber
        let token: Ballot
        let fromMs: UInt64
        var untilMs: UInt64
    }

    private(set) var holdings: [Int: [Holding]] = [:]
    private let marginMs: UInt64

    init(marginMs: UInt64 = 0) { self.marginMs = marginMs }

    /// When a holder gives a lease up that was asked for at `sentMs` and granted at `heardMs`: it counts from before it sent
    /// the request, and leaves time for clocks that are ahead.
    private func end(sentMs: UInt64, heardMs: UInt64, ttlMs: UInt64) -> UInt64 {
        #if MUTANTS
            if Mutation.broken == .leaseFromReply { return heardMs + ttlMs - min(ttlMs, marginMs) }
            if Mutation.broken == .leaseWithoutMargin { return sentMs + ttlMs }
        #endif
        return sentMs + ttlMs - min(ttlMs, marginMs)
    }

    mutating func acquired(
        _ key: Int, _ label: RegisterModel.CellNumber, token: Ballot, sentMs: UInt64, heardMs: UInt64, ttlMs: UInt64
    ) {
        let end = end(sentMs: sentMs, heardMs: heardMs, ttlMs: ttlMs)
        holdings[key, default: []].append(
            Holding(label: label, token: token, fromMs: heardMs, untilMs: max(heardMs, end)))
    }

    mutating func renewed(
        _ key: Int, _ label: RegisterModel.CellNumber, sentMs: UInt64, heardMs: UInt64, ttlMs: UInt64
    ) {
        guard let index = holdings[key]?.firstIndex(where: { $0.label == label }), var held = holdings[key]?[index],
            // Who has given it up does not take it up again.
            held.untilMs >= heardMs
        else { return }
        held.untilMs = max(held.untilMs, end(sentMs: sentMs, heardMs: heardMs, ttlMs: ttlMs))
        holdings[key]?[index] = held
    }

    /// The holder is about to give it back.
    mutating func releasing(_ key: Int, _ label: RegisterModel.CellNumber, atMs: UInt64) {
        guard let index = holdings[key]?.firstIndex(where: { $0.label == label }), var held = holdings[key]?[index]
        else { return }
        held.untilMs = min(held.untilMs, max(atMs, held.fromMs))
        holdings[key]?[index] = held
    }

    /// Two holders at one time.
    func overlaps() -> [String] {
        holdings.keys.sorted().flatMap { key -> [String] in
            let held = (holdings[key] ?? []).filter { $0.untilMs > $0.fromMs }.sorted { $0.fromMs < $1.fromMs }
            var findings: [String] = []
            var last: Holding?
            for holding in held {
                if let last, last.untilMs > holding.fromMs {
                    findings.append(
                        "lock \(key) is held by \(last.label) in \(last.fromMs)..<\(last.untilMs) and by \(holding.label) in \(holding.fromMs)..<\(holding.untilMs)"
                    )
                }
                if holding.untilMs > last?.untilMs ?? 0 { last = holding }
            }
            return findings
        }
    }
}
