import EnergyRules
package import Logging
import ServiceLifecycle
import StormoClient
import Synchronization
import Wire

/// Settings of a detector.
package struct DetectorConfiguration: Sendable {
    /// The consumer group; its members share the partitions.
    package var group = "energyguard-detector"

    /// Says what it would raise, and writes nothing: it reads beside the group, from the newest reading on.
    package var isDryRun = false

    /// The defaults.
    package init() {}
}

/// Judges readings against the thresholds and raises alerts.
///
/// For each batch of a partition: read the thresholds (so a change is in force for every reading published after it),
/// judge, store the floors' states together with the alerts that came of them, raise the alerts, and only then commit
/// the offset. A detector that has lost its partition is refused at the second step and raises nothing; one that dies
/// after it leaves the alerts in the states, and the next one raises them. An alert that is out is not raised again.
///
/// It also learns each floor's baseline. What a reading says waits in the floor's state until there is enough of it,
/// and is then taken into the baseline by one compare-and-set, after the alerts are out. A baseline takes nothing that
/// is not newer than what it has, so whatever is left of a detector that died between those two writes, the next one
/// makes the same of it: nothing is learned twice, nothing is missed.
package final class Detector: Service, Sendable {
    /// What it has done since its start.
    package struct Counters: Equatable, Sendable {
        /// Readings judged.
        package var judged = 0
        /// Readings not newer than their floor's last.
        package var ignored = 0
        /// Records that are no readings (the ingestor sends them to the dead topic).
        package var unreadable = 0
        /// Alerts stored and published.
        package var alerts = 0
        /// Alerts stored and not published, since a silence covers them.
        package var silenced = 0
        /// Alerts equal to one shortly before.
        package var suppressed = 0
        /// Batches judged again because another detector had the floor.
        package var overtaken = 0
        /// Readings that baselines have learned.
        package var learned = 0
        /// Readings that were learned before their state was stored, because too many waited.
        package var learnedEarly = 0
    }

    private struct State {
        var memories: [UInt32: DetectorMemory] = [:]
        var thresholds: (version: Ballot?, value: Thresholds)?
        var counters = Counters()
    }

    private let store: EnergyStore
    private let configuration: DetectorConfiguration
    private let logger: Logger
    private let state = Mutex(State())

    /// A detector; nothing happens before ``run()``.
    package init(store: EnergyStore, configuration: DetectorConfiguration = DetectorConfiguration(), logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
    }

    /// What it has done.
    package var counters: Counters { state.withLock { $0.counters } }

    /// Detects until it is shut down gracefully or cancelled.
    package func run() async throws {
        defer { logger.info("detector ended", metadata: ["counters": "\(counters)"]) }
        try await untilEnded { try await self.detect() }
    }

    private func detect() async throws {
        if configuration.isDryRun {
            let tail = TopicTail(client: store.client, topic: EnergyTopics.readings, logger: logger)
            try await tail.run(start: .latest) { records, _ in try await self.judge(records) }
        } else {
            try await untilReachable(store.settings, logger) { () throws(ClientError) in
                try await self.store.makeTopics()
            }
            let consumer = GroupConsumer(
                client: store.client, topic: EnergyTopics.readings, group: configuration.group, logger: logger)
            try await consumer.run { records in try await self.judge(records) }
        }
    }

    /// Judges one batch of one partition; it is done when this returns. After an error the partition's memory is
    /// gone, and the next batch begins from what is stored.
    func judge(_ records: [PositionedRecord]) async throws(ClientError) {
        guard let last = records.last else { return }
        let partition = last.position.partition
        var memory =
            state.withLock { $0.memories.removeValue(forKey: partition) } ?? DetectorMemory(settings: store.settings)
        let thresholds = try await currentThresholds()
        let nowMs = EnergyTime.nowMs()
        let readings = readable(records, nowMs: nowMs)
        let left = try await load(memory.unknownFloors(in: readings), into: &memory)

        let before = memory.detector.counters
        var alerts: [Int: [AlertDocument]] = [:]
        var floors: [Int] = []
        for reading in readings {
            if alerts[reading.piano] == nil { floors.append(reading.piano) }
            alerts[reading.piano, default: []] +=
                memory.handle(reading, thresholds: thresholds, nowMs: nowMs).map { AlertDocument($0) }
        }
        let found = floors.flatMap { alerts[$0] ?? [] }
        let end = RecordPosition(partition: partition, offset: last.position.offset + 1)
        var raised = RaisedAlerts()
        if configuration.isDryRun {
            raised.published = try await store.silencing(found).filter { !$0.isSilenced }
            raised.silenced = found.count - raised.published.count
            for floor in floors { memory.learned(floor: floor) }
        } else {
            raised = try await store.raise(left, inOrder: true)
            let early = try await learn(memory.floorsOverfull(of: floors), of: &memory, end)
            try await keep(floors, alerts, of: &memory, end)
            raised.add(try await store.raise(found, inOrder: true))
            state.withLock { $0.counters.learnedEarly += early }
        }
        report(raised)
        let after = memory.detector.counters
        state.withLock { state in
            state.counters.judged += after.judged - before.judged
            state.counters.ignored += after.late + after.duplicates - before.late - before.duplicates
            state.counters.unreadable += records.count - readings.count
            state.counters.alerts += raised.published.count
            state.counters.silenced += raised.silenced
            state.counters.suppressed += raised.suppressed
        }
        if !configuration.isDryRun { _ = try await learn(memory.floorsToLearn(of: floors), of: &memory, end) }
        state.withLock { $0.memories[partition] = memory }
    }

    private func readable(_ records: [PositionedRecord], nowMs: Int64) -> [Reading] {
        var readings: [Reading] = []
        readings.reserveCapacity(records.count)
        for record in records {
            do throws(EnergyInputError) {
                readings.append(
                    try IngestPlan.reading(
                        record.record.value, nowMs: nowMs, limits: store.settings.rules.reading))
            } catch {
                logger.debug(
                    "not a reading", metadata: ["position": "\(record.position)", "error": "\(error)"])
            }
        }
        return readings
    }

    /// The thresholds as they are in the cluster now; parsed again only when their version has changed.
    private func currentThresholds() async throws(ClientError) -> Thresholds {
        let stored = try await store.client.get(EnergyKeys.thresholds)
        let known = state.withLock { $0.thresholds }
        if let known, known.version == stored?.version { return known.value }
        let current = try await store.thresholds()
        state.withLock { $0.thresholds = (current.version, current.thresholds) }
        logger.info("thresholds in force", metadata: ["version": "\(current.version.map(\.description) ?? "default")"])
        return current.thresholds
    }

    /// Loads floors' states, and gives the alerts that may not have been raised yet.
    private func load(
        _ floors: [Int], into memory: inout DetectorMemory
    ) async throws(ClientError) -> [AlertDocument] {
        guard !floors.isEmpty else { return [] }
        let stored = try await pipelined(floors, inFlightMax: store.settings.inFlightMax) {
            floor throws(ClientError) in try await self.store.client.get(EnergyKeys.detector(floor: floor))
        }
        var left: [AlertDocument] = []
        for (floor, value) in zip(floors, stored) {
            let document = store.decode(DetectorDocument.self, value?.value, EnergyKeys.detector(floor: floor))
            memory.load(
                floor: floor, state: document?.state, waiting: document?.waiting ?? [], version: value?.version)
            left += document?.alerts ?? []
        }
        return left
    }

    /// Stores the floors' states with their alerts. When another detector has changed one, this batch is not ours any
    /// more.
    private func keep(
        _ floors: [Int], _ alerts: [Int: [AlertDocument]], of memory: inout DetectorMemory,
        _ end: RecordPosition
    ) async throws(ClientError) {
        typealias Write = (floor: Int, value: [UInt8], condition: Condition)
        let writes: [Write] = floors.compactMap { floor in
            guard let state = memory.detector.state(floor: floor) else { return nil }
            let found = alerts[floor].flatMap { $0.isEmpty ? nil : $0 }
            let waiting = memory.waiting(floor: floor)
            let document = DetectorDocument(
                partition: end.partition, offset: end.offset, state: state, alerts: found,
                waiting: waiting.isEmpty ? nil : waiting)
            guard let value = store.bytes(of: document) else { return nil }
            return (floor, value, memory.condition(floor: floor))
        }
        let answers = try await pipelined(writes, inFlightMax: store.settings.inFlightMax) {
            write throws(ClientError) in
            try await self.store.client.compareAndSet(
                EnergyKeys.detector(floor: write.floor), write.value, if: write.condition)
        }
        for (write, answer) in zip(writes, answers) {
            guard answer.applied else { throw overtaken(floor: write.floor) }
            memory.stored(floor: write.floor, version: answer.version)
        }
    }

    /// Has floors' baselines learn what waits, and says how many readings that were. When another detector has changed
    /// one, this batch is not ours any more.
    private func learn(
        _ floors: [Int], of memory: inout DetectorMemory, _ end: RecordPosition
    ) async throws(ClientError) -> Int {
        guard !floors.isEmpty else { return 0 }
        let lessons = floors.map { (floor: $0, observations: memory.waiting(floor: $0)) }
        let answers = try await pipelined(lessons, inFlightMax: store.settings.inFlightMax) {
            lesson throws(ClientError) in
            try await self.store.learn(
                lesson.observations, floor: lesson.floor, partition: end.partition, offset: end.offset)
        }
        var learned = 0
        for (lesson, isLearned) in zip(lessons, answers) {
            guard isLearned else { throw overtaken(floor: lesson.floor) }
            memory.learned(floor: lesson.floor)
            learned += lesson.observations.count
        }
        state.withLock { $0.counters.learned += learned }
        return learned
    }

    private func overtaken(floor: Int) -> ClientError {
        state.withLock { $0.counters.overtaken += 1 }
        return .overloaded("another detector has judged floor \(floor); judging again from its state")
    }

    private func report(_ raised: RaisedAlerts) {
        for alert in raised.published {
            logger.notice(
                configuration.isDryRun ? "would raise an alert" : "alert",
                metadata: [
                    "id": "\(alert.id)", "value": "\(alert.value)", "threshold": "\(alert.threshold ?? .nan)",
                    "severity": "\(alert.severity.rawValue)", "at": "\(EnergyTime.text(alert.timestampMs))",
                ])
        }
    }
}
