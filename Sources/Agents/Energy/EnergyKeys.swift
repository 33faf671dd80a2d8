import EnergyRules
package import Wire

/// The names under which the energy application keeps its state in the cluster.
package enum EnergyTopics {
    /// Readings, keyed by floor, so that a floor's readings stay in order.
    package static let readings = "energyguard.readings"
    /// Alerts, keyed by floor.
    package static let alerts = "energyguard.alerts"
    /// Records of the readings topic that are no readings, as they came, with the reason in a header.
    package static let deadReadings = "energyguard.readings.dead"
}

/// The keys of the energy application.
package enum EnergyKeys {
    /// What an alert's key begins with.
    package static let alertsPrefix = "alerts:"

    /// What a silence's key begins with.
    package static let silencesPrefix = "silences:"

    /// The limits of the building.
    package static let thresholds = Key("energy:thresholds")

    /// The floors whose history is kept.
    package static let floors = Key("energy:floors")

    /// What the keys of one floor begin with: `energy:p{n}:`.
    package static func floorPrefix(_ floor: Int) -> String { "energy:p\(floor):" }

    /// One reading: `energy:p{n}:{timestamp}`, the time in RFC 3339 UTC with milliseconds, so that the keys of a floor
    /// sort by time.
    package static func reading(floor: Int, timestampMs: Int64) -> Key {
        Key(floorPrefix(floor) + EnergyTime.text(timestampMs))
    }

    /// The floor's newest reading.
    package static func latest(floor: Int) -> Key { Key(floorPrefix(floor) + "latest") }

    /// What the detector remembers of the floor.
    package static func detector(floor: Int) -> Key { Key(floorPrefix(floor) + "detector") }

    /// What is usual on the floor, as far as it has been learned.
    package static func baseline(floor: Int) -> Key { Key(floorPrefix(floor) + "baseline") }

    /// The floor's last alert of a type, which later ones are compared with.
    package static func lastAlert(floor: Int, type: String) -> Key { Key(floorPrefix(floor) + "alerted:" + type) }

    /// An alert, by its id: `alerts:{piano}:{epoch}:{type}`.
    package static func alert(id: String) -> Key { Key(alertsPrefix + id) }

    /// A silence, by its id: `silences:{id}`.
    package static func silence(id: String) -> Key { Key(silencesPrefix + id) }

    /// The timestamp of a reading's key, nil for every other key of the floor.
    package static func timestampText(of key: Key, floor: Int) -> String? {
        let text = key.description
        let prefix = floorPrefix(floor)
        guard text.hasPrefix(prefix) else { return nil }
        let rest = text.dropFirst(prefix.count)
        guard rest.utf8.first.map({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) == true else { return nil }
        return String(rest)
    }
}

/// An alert's id in parts: `{piano}:{epoch}:{type}`, the epoch in seconds.
package struct AlertID: Equatable, Sendable {
    /// The floor.
    package let piano: Int
    /// Time of the reading, seconds since 1970.
    package let epochSeconds: Int64
    /// The alert's type.
    package let type: Substring

    /// The parts of an id; nil when it is none.
    package init?(_ text: some StringProtocol) {
        let parts = Substring(text).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let piano = Int(parts[0]), let seconds = Int64(parts[1]), !parts[2].isEmpty,
            text.utf8.count <= 200
        else { return nil }
        self.piano = piano
        epochSeconds = seconds
        type = parts[2]
    }
}
