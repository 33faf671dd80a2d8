/// What the stored alerts look like from outside: newest first, at most as many as are kept.
package enum NotificationList {
    /// The newest alerts that fit the question. `sinceMs` is inclusive, ms since 1970; `unread` true asks for those
    /// that somebody should still read, false for the others (read, or silenced), nil for both.
    static func select(
        _ alerts: [AlertDocument], kept: Int, limit: Int, sinceMs: Int64?, unread: Bool?
    ) -> [AlertDocument] {
        let newest = alerts.sorted { isNewer($0.timestampMs, $0.id, $1.timestampMs, $1.id) }.prefix(kept)
        let matching = newest.lazy.filter { alert in
            if let sinceMs, alert.timestampMs < sinceMs { return false }
            if let unread, alert.isUnread != unread { return false }
            return true
        }
        return Array(matching.prefix(max(0, limit)))
    }

    /// The ids beyond the newest `kept`, oldest last.
    static func surplus(_ ids: [AlertID], kept: Int) -> [AlertID] {
        guard ids.count > kept else { return [] }
        let sorted = ids.sorted {
            isNewer($0.epochSeconds * 1_000, $0.text, $1.epochSeconds * 1_000, $1.text)
        }
        return Array(sorted.dropFirst(kept))
    }

    private static func isNewer(_ aMs: Int64, _ aID: String, _ bMs: Int64, _ bID: String) -> Bool {
        aMs == bMs ? aID < bID : aMs > bMs
    }
}

extension AlertID {
    /// The id as text.
    var text: String { "\(piano):\(epochSeconds):\(type)" }
}
