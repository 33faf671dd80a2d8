import EnergyRules
import Logging
package import StormoClient
import Wire

/// What became of alerts that were raised.
package struct RaisedAlerts: Equatable, Sendable {
    /// Alerts published by this call.
    package var published: [AlertDocument] = []
    /// Alerts stored by this call and not published, since a silence covers them.
    package var silenced = 0
    /// Alerts that were equal to one shortly before.
    package var suppressed = 0
    /// Alerts that had been raised and published before.
    package var repeated = 0

    mutating func add(_ other: RaisedAlerts) {
        published += other.published
        silenced += other.silenced
        suppressed += other.suppressed
        repeated += other.repeated
    }
}

extension EnergyStore {
    /// Stores alerts and publishes each to `energyguard.alerts`, once however often it is raised.
    ///
    /// The document is written first, with a mark; the mark goes when its event is durable. Whoever raises the alert
    /// again finds the mark and publishes, so document and event cannot part; consumers drop duplicates by id.
    /// `inOrder` says that alerts of a floor are raised in the order of time (a detector's are). An alert that a
    /// silence covers now is stored with its mark and not published; being raised again does not change that.
    package func raise(_ alerts: [AlertDocument], inOrder: Bool) async throws(ClientError) -> RaisedAlerts {
        guard !alerts.isEmpty else { return RaisedAlerts() }
        // Alerts of one floor follow one another; floors go at the same time.
        var order: [Int] = []
        var groups: [Int: [AlertDocument]] = [:]
        for alert in try await silencing(alerts) {
            if groups[alert.piano] == nil { order.append(alert.piano) }
            groups[alert.piano, default: []].append(alert)
        }
        let results = try await pipelined(
            order.compactMap { groups[$0] }, inFlightMax: settings.inFlightMax
        ) { group throws(ClientError) in
            var sum = RaisedAlerts()
            for alert in group { sum.add(try await raise(alert, inOrder: inOrder)) }
            return sum
        }
        var sum = RaisedAlerts()
        for result in results { sum.add(result) }
        let stored = sum.published.count + sum.silenced
        if stored > 0, raisedSinceTrim.add(stored, every: settings.notificationsTrimEvery) {
            try await trimNotifications()
        }
        return sum
    }

    private func raise(_ alert: AlertDocument, inOrder: Bool) async throws(ClientError) -> RaisedAlerts {
        switch try await admit(alert, inOrder: inOrder) {
        case .suppress: return RaisedAlerts(suppressed: 1)
        case .accept, .again: return try await store(alert, creating: true)
        case .complete: return try await store(alert, creating: false)
        }
    }

    /// Decides about an alert; an accepted one has taken the last one's place when this returns.
    private func admit(_ alert: AlertDocument, inOrder: Bool) async throws(ClientError) -> LastAlert.Decision {
        let key = EnergyKeys.lastAlert(floor: alert.piano, type: alert.type)
        let mark = LastAlert(id: alert.id, timestampMs: alert.timestampMs, isSilenced: alert.isSilenced)
        guard let value = bytes(of: mark) else { return .suppress }
        var stored = try await client.get(key)
        for _ in 0..<settings.casAttemptsMax {
            let decision = LastAlert.decide(
                id: alert.id, timestampMs: alert.timestampMs, isSilenced: alert.isSilenced,
                last: decode(LastAlert.self, stored?.value, key), windowMs: settings.suppressMs, inOrder: inOrder)
            guard decision == .accept else { return decision }
            let answer = try await client.compareAndSet(
                key, value, if: stored.map { .version($0.version) } ?? .absent)
            if answer.applied { return .accept }
            stored = VersionedValue(answer.current)
        }
        throw .overloaded("\(key) is being changed by too many writers")
    }

    private func store(_ alert: AlertDocument, creating: Bool) async throws(ClientError) -> RaisedAlerts {
        let key = EnergyKeys.alert(id: alert.id)
        var marked = alert
        marked.isUnpublished = !alert.isSilenced
        if creating {
            guard let value = bytes(of: marked) else { return RaisedAlerts() }
            let answer = try await client.compareAndSet(key, value, if: .absent)
            if !answer.applied {
                guard let present = decode(AlertDocument.self, VersionedValue(answer.current)?.value, key),
                    present.isUnpublished
                else { return RaisedAlerts(repeated: 1) }
                marked = present
            } else if alert.isSilenced {
                return RaisedAlerts(silenced: 1)
            }
        } else {
            guard let present = decode(AlertDocument.self, try await client.get(key)?.value, key),
                present.isUnpublished
            else { return RaisedAlerts(repeated: 1) }
            marked = present
        }
        marked.isUnpublished = false
        guard let event = bytes(of: marked) else { return RaisedAlerts() }
        try await client.publish(
            EnergyTopics.alerts,
            [
                Record(
                    key: Array(String(marked.piano).utf8), value: event,
                    timestampMs: UInt64(clamping: EnergyTime.nowMs()))
            ])
        _ = try await changeAlert(id: marked.id) { document in
            guard document.isUnpublished else { return false }
            document.isUnpublished = false
            return true
        }
        return RaisedAlerts(published: [marked])
    }

    // MARK: Notifications

    /// The stored alerts, newest first. `sinceMs` is inclusive, ms since 1970; `unread` true asks for the unread only,
    /// false for the others: read, or silenced.
    package func notifications(
        limit: Int = 100, sinceMs: Int64? = nil, unread: Bool? = nil
    ) async throws(ClientError) -> [AlertDocument] {
        NotificationList.select(
            try await storedAlerts(), kept: settings.notificationsMax, limit: min(limit, settings.listMax),
            sinceMs: sinceMs, unread: unread)
    }

    /// How many of the stored alerts somebody should still read; silenced ones do not count.
    package func unreadCount() async throws(ClientError) -> Int {
        NotificationList.select(
            try await storedAlerts(), kept: settings.notificationsMax, limit: settings.notificationsMax, sinceMs: nil,
            unread: true
        ).count
    }

    /// Marks alerts as read, and says how many were not yet. Unknown ids are ignored; an id given twice counts once.
    package func markRead(ids: [String]) async throws(ClientError) -> Int {
        var seen: Set<String> = []
        let known = ids.filter { AlertID($0) != nil && seen.insert($0).inserted }
        let changed = try await pipelined(known, inFlightMax: settings.inFlightMax) { id throws(ClientError) in
            try await changeAlert(id: id) { document in
                guard !document.read else { return false }
                document.read = true
                return true
            }.changed
        }
        return changed.count { $0 }
    }

    /// Notes who takes care of an alert; nil when there is none of this id.
    package func acknowledge(id: String, by user: String) async throws(ClientError) -> AlertDocument? {
        guard AlertID(id) != nil else { return nil }
        return try await changeAlert(id: id) { document in
            guard document.acknowledgedBy != user else { return false }
            document.acknowledgedBy = user
            return true
        }.document
    }

    /// One alert by its id.
    package func notification(id: String) async throws(ClientError) -> AlertDocument? {
        guard AlertID(id) != nil else { return nil }
        let key = EnergyKeys.alert(id: id)
        var document = decode(AlertDocument.self, try await client.get(key)?.value, key)
        document?.isUnpublished = false
        return document
    }

    /// Changes an alert by compare-and-set until it is done; `change` says whether there is anything to change.
    private func changeAlert(
        id: String, _ change: @Sendable (inout AlertDocument) -> Bool
    ) async throws(ClientError) -> (document: AlertDocument?, changed: Bool) {
        let key = EnergyKeys.alert(id: id)
        var stored = try await client.get(key)
        for _ in 0..<settings.casAttemptsMax {
            guard let present = stored, var document = decode(AlertDocument.self, present.value, key) else {
                return (nil, false)
            }
            let changed = change(&document)
            if changed, let value = bytes(of: document) {
                let answer = try await client.compareAndSet(key, value, if: .version(present.version))
                guard answer.applied else {
                    stored = VersionedValue(answer.current)
                    continue
                }
            }
            document.isUnpublished = false
            return (document, changed)
        }
        throw .overloaded("\(key) is being changed by too many writers")
    }

    private func storedAlerts() async throws(ClientError) -> [AlertDocument] {
        let items = try await client.scanAll(
            prefix: EnergyKeys.alertsPrefix, max: settings.notificationsScanMax)
        return items.compactMap { item in
            guard var document = VersionedValue(item.cell).flatMap({ decode(AlertDocument.self, $0.value, item.key) })
            else { return nil }
            document.isUnpublished = false
            return document
        }
    }

    /// Removes the oldest alerts beyond the newest that are kept.
    func trimNotifications() async throws(ClientError) {
        let items = try await client.scanAll(
            prefix: EnergyKeys.alertsPrefix, max: settings.notificationsScanMax, keysOnly: true)
        let ids = items.compactMap { AlertID($0.key.description.dropFirst(EnergyKeys.alertsPrefix.count)) }
        let surplus = NotificationList.surplus(ids, kept: settings.notificationsMax)
        guard !surplus.isEmpty else { return }
        _ = try await pipelined(surplus, inFlightMax: settings.inFlightMax) { id throws(ClientError) in
            try await client.delete(EnergyKeys.alert(id: id.text))
        }
        logger.info("removed the oldest notifications", metadata: ["removed": "\(surplus.count)"])
    }
}
