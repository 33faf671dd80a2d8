import EnergyRules
package import Logging
import ServiceLifecycle
import StormoClient
import Synchronization
import Wire

/// Settings of an ingestor.
package struct IngestorConfiguration: Sendable {
    /// The consumer group; its members share the partitions.
    package var group = "energyguard-ingestor"

    /// Floors whose history is kept; nil for the first ones seen, up to the settings' bound.
    package var keptFloors: [Int]?

    /// The defaults.
    package init() {}
}

/// Writes readings from the topic into keys: each into the history of its floor, the newest to `latest`.
///
/// Every write may happen twice: history keys are made from the reading's time, `latest` is a compare-and-set that
/// never goes back. Offsets are committed after the writes, so a reading that was published is written, whoever dies.
package final class Ingestor: Service, Sendable {
    /// What it has done since its start.
    package struct Counters: Equatable, Sendable {
        /// Readings written to the history.
        package var written = 0
        /// Readings of floors whose history is not kept.
        package var unkept = 0
        /// Readings that were not newer than `latest`.
        package var late = 0
        /// Readings that came twice in one batch.
        package var duplicates = 0
        /// Records sent to the dead topic.
        package var dead = 0
        /// Times the memory of `latest` was full and cleared.
        package var overflows = 0
    }

    private struct State {
        var latest: LatestCache
        var kept = KeptFloors()
        var counters = Counters()
    }

    private let store: EnergyStore
    private let configuration: IngestorConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    /// An ingestor; nothing happens before ``run()``.
    package init(store: EnergyStore, configuration: IngestorConfiguration = IngestorConfiguration(), logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        state = Mutex(State(latest: LatestCache(floorsMax: store.settings.floorsInMemoryMax)))
    }

    /// What it has done.
    package var counters: Counters {
        state.withLock { state in
            var counters = state.counters
            counters.overflows = state.latest.overflows
            return counters
        }
    }

    /// Ingests until it is shut down gracefully or cancelled; a batch that is cut short comes again to the next one.
    package func run() async throws {
        let consumer = GroupConsumer(
            client: store.client, topic: EnergyTopics.readings, group: configuration.group, logger: logger)
        defer { logger.info("ingestor ended", metadata: ["counters": "\(counters)"]) }
        try await untilEnded {
            try await untilReachable(self.store.settings, self.logger) { () throws(ClientError) in
                try await self.store.makeTopics()
            }
            try await consumer.run { records in try await self.ingest(records) }
        }
    }

    /// Writes one batch of one partition; it is done when this returns.
    func ingest(_ records: [PositionedRecord]) async throws(ClientError) {
        let settings = store.settings
        let plan = IngestPlan(
            values: records.map(\.record.value), nowMs: EnergyTime.nowMs(), limits: settings.rules.reading)
        try await bury(plan.dead, of: records)
        let kept = try await keptFloors(plan.newest.map(\.piano))
        let history = plan.readings.filter { kept.contains($0.piano) }
        _ = try await pipelined(history, inFlightMax: settings.inFlightMax) { reading throws(ClientError) in
            try await self.writeHistory(reading)
        }
        let moved = try await pipelined(plan.newest, inFlightMax: settings.inFlightMax) { reading throws(ClientError) in
            try await self.writeLatest(reading)
        }
        state.withLock { state in
            state.counters.written += history.count
            state.counters.unkept += plan.readings.count - history.count
            state.counters.late += moved.count { !$0 }
            state.counters.duplicates += plan.duplicates
            state.counters.dead += plan.dead.count
        }
    }

    private func writeHistory(_ reading: Reading) async throws(ClientError) {
        guard let value = store.bytes(of: ReadingDocument(reading)) else { return }
        let key = EnergyKeys.reading(floor: reading.piano, timestampMs: reading.timestampMs)
        try await store.client.put(key, value, ttlMs: store.settings.historyTTLMs)
    }

    /// Sets `latest` unless what is there is as new; says whether it did.
    private func writeLatest(_ reading: Reading) async throws(ClientError) -> Bool {
        guard let value = store.bytes(of: ReadingDocument(reading)) else { return false }
        let floor = reading.piano
        let key = EnergyKeys.latest(floor: floor)
        for _ in 0..<store.settings.casAttemptsMax {
            let step = state.withLock { $0.latest.step(floor: floor, timestampMs: reading.timestampMs) }
            guard case .write(let condition) = step else { return false }
            let answer: WriteAnswer
            do throws(ClientError) {
                answer = try await store.client.compareAndSet(key, value, if: condition)
            } catch {
                // Nothing is known about the floor until it has been asked again.
                state.withLock { $0.latest.note(floor: floor, nil) }
                throw error
            }
            if answer.applied {
                let entry = answer.version.map {
                    LatestCache.Entry(timestampMs: reading.timestampMs, version: $0)
                }
                state.withLock { $0.latest.note(floor: floor, entry) }
                return true
            }
            let present = VersionedValue(answer.current)
            let entry = present.map { present in
                // What is not a reading may be overwritten by any.
                LatestCache.Entry(
                    timestampMs: store.decode(ReadingDocument.self, present.value, key)?.reading.timestampMs ?? .min,
                    version: present.version)
            }
            state.withLock { $0.latest.note(floor: floor, entry) }
        }
        throw .overloaded("\(key) is being changed by too many writers")
    }

    /// The floors whose history is kept, after those of this batch have been counted in.
    private func keptFloors(_ seen: [Int]) async throws(ClientError) -> KeptFloors {
        let most = configuration.keptFloors == nil ? store.settings.keptFloorsMax : Int.max
        let wanted = configuration.keptFloors ?? seen
        var known = state.withLock { $0.kept }
        guard known.add(wanted, most: most) else { return known }
        var stored = try await store.client.get(EnergyKeys.floors)
        for _ in 0..<store.settings.casAttemptsMax {
            var floors = store.decode(KeptFloors.self, stored?.value, EnergyKeys.floors) ?? KeptFloors()
            if floors.add(wanted, most: most), let value = store.bytes(of: floors) {
                let answer = try await store.client.compareAndSet(
                    EnergyKeys.floors, value, if: stored.map { .version($0.version) } ?? .absent)
                guard answer.applied else {
                    stored = VersionedValue(answer.current)
                    continue
                }
            }
            let result = configuration.keptFloors.map { KeptFloors($0) } ?? floors
            state.withLock { $0.kept = result }
            return result
        }
        throw .overloaded("\(EnergyKeys.floors) is being changed by too many writers")
    }

    /// Sends records that are no readings to the dead topic at once: they are none the next time either. What fails for
    /// another reason, the cluster's, is no record's fault and is tried again.
    private func bury(_ dead: [IngestPlan.DeadRecord], of records: [PositionedRecord]) async throws(ClientError) {
        guard !dead.isEmpty else { return }
        let buried = Self.letters(dead, of: records, group: configuration.group)
        try await store.client.publish(EnergyTopics.deadReadings, buried)
        logger.warning(
            "records that are no readings went to \(EnergyTopics.deadReadings)",
            metadata: ["records": "\(dead.count)", "first": "\(dead[0].reason)"])
    }

    /// Dead letters of records that are no readings: as they came, with where they stood and why.
    static func letters(
        _ dead: [IngestPlan.DeadRecord], of records: [PositionedRecord], group: String
    ) -> [Record] {
        dead.map { dead in
            let found = records[dead.index]
            return DeadLetter(
                topic: EnergyTopics.readings, position: found.position, group: group, attempts: 1, reason: dead.reason
            ).record(of: found.record)
        }
    }
}
