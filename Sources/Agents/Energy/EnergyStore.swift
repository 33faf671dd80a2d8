package import EnergyRules
package import Logging
package import StormoClient
import Synchronization
package import Wire

/// The documents of the energy application in the cluster, as agents and gateways read and write them.
///
/// A document that somebody has overwritten with something else is treated as if it were not there, and logged: one
/// bad value does not stop a listing or an agent.
package struct EnergyStore: Sendable {
    /// The cluster.
    package let client: StormoClient

    /// Every number that the documents are kept by.
    package let settings: EnergyAgentSettings
    let logger: Logger
    let raisedSinceTrim: RaisedCounter

    /// A store over a client.
    package init(client: StormoClient, settings: EnergyAgentSettings = EnergyAgentSettings(), logger: Logger) {
        self.client = client
        self.settings = settings
        self.logger = logger
        raisedSinceTrim = RaisedCounter()
    }

    /// Makes the three topics where they do not exist yet.
    package func makeTopics() async throws(ClientError) {
        let configuration = TopicConfiguration(partitions: settings.partitions)
        for topic in [EnergyTopics.readings, EnergyTopics.alerts, EnergyTopics.deadReadings] {
            _ = try await client.topic(topic, creating: configuration)
        }
    }

    // MARK: Readings

    /// Publishes readings that have been validated, keyed by floor. Durable when it returns.
    package func publish(_ readings: [Reading]) async throws(ClientError) {
        var start = 0
        while start < readings.count {
            let end = min(readings.count, start + settings.publishBatchMax)
            var records: [Record] = []
            records.reserveCapacity(end - start)
            for reading in readings[start..<end] {
                guard let value = bytes(of: ReadingDocument(reading)) else { continue }
                records.append(
                    Record(
                        key: Array(String(reading.piano).utf8), value: value,
                        timestampMs: UInt64(clamping: reading.timestampMs)))
            }
            if !records.isEmpty { try await client.publish(EnergyTopics.readings, records) }
            start = end
        }
    }

    /// A floor's newest reading.
    package func latest(floor: Int) async throws(ClientError) -> ReadingDocument? {
        let key = EnergyKeys.latest(floor: floor)
        return decode(ReadingDocument.self, try await client.get(key)?.value, key)
    }

    /// The newest readings of several floors, in their order.
    package func latest(floors: [Int]) async throws(ClientError) -> [ReadingDocument?] {
        try await pipelined(floors, inFlightMax: settings.inFlightMax) { floor throws(ClientError) in
            try await latest(floor: floor)
        }
    }

    /// A floor's reading of one moment, ms since 1970.
    package func reading(floor: Int, timestampMs: Int64) async throws(ClientError) -> ReadingDocument? {
        let key = EnergyKeys.reading(floor: floor, timestampMs: timestampMs)
        return decode(ReadingDocument.self, try await client.get(key)?.value, key)
    }

    /// A floor's readings, newest first, at most `limit` (and at most 1,000). Bounds are inclusive, ms since 1970.
    package func readings(
        floor: Int, limit: Int = 100, sinceMs: Int64? = nil, untilMs: Int64? = nil
    ) async throws(ClientError) -> [ReadingDocument] {
        let limit = min(limit, settings.listMax)
        let items = try await history(floor: floor, limit: limit, sinceMs: sinceMs, untilMs: untilMs, keysOnly: false)
        return items.compactMap { item in
            VersionedValue(item.cell).flatMap { decode(ReadingDocument.self, $0.value, item.key) }
        }
    }

    /// The last 500 timestamps of a floor, newest last; empty for a floor without readings.
    package func index(floor: Int) async throws(ClientError) -> [String] {
        let items = try await history(
            floor: floor, limit: settings.indexMax, sinceMs: nil, untilMs: nil, keysOnly: true)
        return items.reversed().compactMap { EnergyKeys.timestampText(of: $0.key, floor: floor) }
    }

    /// The floors whose history is kept, ascending.
    package func floors() async throws(ClientError) -> [Int] {
        decode(KeptFloors.self, try await client.get(EnergyKeys.floors)?.value, EnergyKeys.floors)?.floors ?? []
    }

    private func history(
        floor: Int, limit: Int, sinceMs: Int64?, untilMs: Int64?, keysOnly: Bool
    ) async throws(ClientError) -> [ScanItem] {
        guard limit > 0, let newest = try await latest(floor: floor)?.reading.timestampMs else { return [] }
        var walk = HistoryWalk(newestMs: min(newest, untilMs ?? newest), sinceMs: sinceMs ?? 0, limit: limit)
        var found: [ScanItem] = []
        while let window = walk.next() {
            let items = try await newestItems(floor: floor, in: window, most: walk.wanted, keysOnly: keysOnly)
            walk.found(items.count)
            found.append(contentsOf: items.reversed())
        }
        return found
    }

    /// The newest `most` items of a window, in key order.
    private func newestItems(
        floor: Int, in window: HistoryWalk.Window, most: Int, keysOnly: Bool
    ) async throws(ClientError) -> ArraySlice<ScanItem> {
        let prefix = Array(EnergyKeys.floorPrefix(floor).utf8)
        let end = EnergyKeys.reading(floor: floor, timestampMs: window.toMs)
        var after =
            window.fromMs > 0 ? EnergyKeys.reading(floor: floor, timestampMs: window.fromMs - 1).bytes : prefix
        let pageMax = min(WireLimits.scanItemsMax, max(100, most * 2))
        var items: [ScanItem] = []
        while true {
            let page = try await client.scan(prefix: prefix, after: after, limit: pageMax, keysOnly: keysOnly)
            for item in page.items {
                guard item.key < end || item.key == end else { return items.suffix(most) }
                items.append(item)
            }
            if items.count > 2 * most { items.removeFirst(items.count - most) }
            guard let next = page.resumeAfter else { return items.suffix(most) }
            after = next
        }
    }

    // MARK: Thresholds

    /// The limits in force, and their version; without a version they are the defaults, since nobody has set any.
    package func thresholds() async throws(ClientError) -> (thresholds: Thresholds, version: Ballot?) {
        guard let stored = try await client.get(EnergyKeys.thresholds) else { return (Thresholds(), nil) }
        do {
            return (try ThresholdsDocument.parse(stored.value, limits: settings.rules.reading), stored.version)
        } catch {
            logger.warning(
                "the stored thresholds cannot be read; the defaults are in force",
                metadata: ["key": "\(EnergyKeys.thresholds)", "error": "\(error)"])
            return (Thresholds(), stored.version)
        }
    }

    /// Sets the limits, validated before, when `condition` holds of the present ones. A refused answer carries what is
    /// there. In force for every reading that is published after this has returned.
    package func setThresholds(
        _ thresholds: Thresholds, if condition: Condition = .none
    ) async throws(ClientError) -> WriteAnswer {
        guard let value = bytes(of: ThresholdsDocument(thresholds)) else {
            throw .refused(.invalid, "thresholds with a number that is not finite")
        }
        if case .none = condition { return try await client.put(EnergyKeys.thresholds, value) }
        return try await client.compareAndSet(EnergyKeys.thresholds, value, if: condition)
    }

    // MARK: Documents

    /// A document's bytes; nil, and logged, for one with a number that JSON does not know. Validation keeps those out.
    func bytes(of document: some Encodable) -> [UInt8]? {
        do {
            return try EnergyJSON.encode(document)
        } catch {
            logger.error("a document cannot be written as JSON and is left out", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// A document from its bytes; nil when there are none or they are something else.
    func decode<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]?, _ key: Key) -> Document? {
        guard let bytes else { return nil }
        do {
            return try EnergyJSON.decode(type, bytes)
        } catch {
            logger.warning(
                "a stored document cannot be read and is passed over",
                metadata: ["key": "\(key)", "error": "\(error)"])
            return nil
        }
    }
}

/// Counts the alerts that a writer has added since it last removed the surplus; the first one removes.
final class RaisedCounter: Sendable {
    private let count = Mutex<Int?>(nil)

    /// Adds to the count; true, and zero again, when it has reached `every` or nothing was removed yet.
    func add(_ raised: Int, every: Int) -> Bool {
        count.withLock { count in
            let sum = count.map { $0 + raised } ?? every
            count = sum >= every ? 0 : sum
            return sum >= every
        }
    }
}
