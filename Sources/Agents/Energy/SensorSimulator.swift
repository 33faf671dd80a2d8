import EnergyRules
package import Logging
import ServiceLifecycle
import StormoClient
import Synchronization
import Wire

/// Settings of a sensor simulator. Interval, anomaly rate and the rest of the building are in the store's settings.
package struct SensorSimulatorConfiguration: Sendable {
    /// The floors that report. A replay of a file of readings takes all floors in the file when this is empty.
    package var floors = [1, 2, 3]

    /// Where the readings come from.
    package var source: SensorSource = .synthetic

    /// The defaults.
    package init() {}
}

/// Publishes the readings of a building's meters.
///
/// Registers go on where the floors' `latest` stands, so that a restarted simulator's kWh only grow. While the cluster
/// is out of reach synthetic meters go on measuring into a bounded buffer, a replay waits.
package final class SensorSimulator: Service, Sendable {
    /// What it has done since its start.
    package struct Counters: Equatable, Sendable {
        /// Readings published.
        package var published = 0
        /// Readings dropped because the buffer was full.
        package var dropped = 0
        /// Times a batch had to be published again.
        package var retries = 0
    }

    private struct State {
        var buffer: OutgoingBuffer
        var hasEnded = false
        var counters = Counters()
    }

    /// Longest sleep, ms: a clock that was set is noticed within it.
    private static let longestSleepMs: Int64 = 1_000
    /// How often a loop that waits for the other looks again, ms.
    private static let handOverMs: Int64 = 5

    private let store: EnergyStore
    private let configuration: SensorSimulatorConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    /// A simulator; nothing happens before ``run()``.
    package init(store: EnergyStore, configuration: SensorSimulatorConfiguration, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        state = Mutex(State(buffer: OutgoingBuffer(most: store.settings.bufferMax)))
    }

    /// What it has done.
    package var counters: Counters {
        state.withLock { state in
            var counters = state.counters
            counters.dropped = state.buffer.dropped
            return counters
        }
    }

    /// Publishes until it is shut down gracefully or cancelled, or until the end of the file. Throws
    /// ``MeterReplayError`` when the replay cannot begin.
    package func run() async throws {
        defer { logger.info("sensor simulator ended", metadata: ["counters": "\(counters)"]) }
        try await untilEnded { try await self.simulate() }
    }

    private func simulate() async throws {
        try await untilReachable(store.settings, logger) { () throws(ClientError) in try await self.store.makeTopics() }
        let source = try await start()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.generate(source) }
            group.addTask { try await self.publish() }
            try await group.waitForAll()
        }
    }

    private func start() async throws -> RunningSource {
        let floors = configuration.floors
        let latest = try await untilReachable(store.settings, logger) { () throws(ClientError) in
            try await self.store.latest(floors: floors)
        }
        var registers: [Int: Double] = [:]
        var newestMs: Int64 = .min
        for case let document? in latest {
            registers[document.reading.piano] = document.reading.kwh
            newestMs = max(newestMs, document.reading.timestampMs)
        }
        let nowMs = EnergyTime.nowMs()
        switch configuration.source {
        case .synthetic:
            return .synthetic(
                MeterSimulator(
                    floors: floors, registersKwh: registers, startMs: nowMs, settings: store.settings.rules.simulator,
                    generator: SystemRandomNumberGenerator()))
        case .replay(let series, let speed, let stamps):
            let replay = try MeterReplay(
                series: series, floors: floors, registersKwh: registers, startMs: nowMs, speed: speed, stamps: stamps,
                settings: store.settings.rules.replay)
            report(series, replay, newestMs: newestMs)
            return .replay(replay)
        }
    }

    private func report(_ series: MeterSeries, _ replay: MeterReplay, newestMs: Int64) {
        logger.info(
            "replaying a meter file",
            metadata: [
                "format": "\(series.format.rawValue)", "rows": "\(series.samples.count)",
                "readings": "\(replay.total)", "bad_lines": "\(series.lines.bad)",
                "missing_lines": "\(series.lines.missing)",
            ])
        for line in series.lines.reported { logger.warning("\(line)") }
        if newestMs >= replay.firstStampMs {
            logger.warning(
                "there are newer readings than the replay's first: until it has passed them, it only fills history",
                metadata: [
                    "first": "\(EnergyTime.text(replay.firstStampMs))", "newest": "\(EnergyTime.text(newestMs))",
                ])
        }
    }

    private func generate(_ start: RunningSource) async throws {
        var source = start
        let roomNeeded = store.settings.rules.replay.maxBatch
        while let dueMs = source.nextDueMs {
            let sleepMs: Int64
            let nowMs = EnergyTime.nowMs()
            if dueMs > nowMs {
                sleepMs = min(Self.longestSleepMs, dueMs - nowMs)
            } else if source.waitsForRoom, state.withLock({ $0.buffer.room }) < roomNeeded {
                sleepMs = Self.handOverMs
            } else {
                let readings = source.handle(nowMs: nowMs)
                state.withLock { $0.buffer.append(readings) }
                continue
            }
            try await Task.sleep(for: .milliseconds(sleepMs))
        }
        state.withLock { $0.hasEnded = true }
    }

    private func publish() async throws {
        var pause = Backoff(pauseMs: store.settings.pausesMs)
        while true {
            let (batch, droppedBefore, hasEnded) = state.withLock { state in
                (state.buffer.first(store.settings.publishBatchMax), state.buffer.dropped, state.hasEnded)
            }
            if batch.isEmpty {
                if hasEnded { return }
                try await Task.sleep(for: .milliseconds(Self.handOverMs))
                continue
            }
            do throws(ClientError) {
                try await store.publish(batch)
                pause.reset()
                state.withLock { state in
                    state.buffer.remove(batch, droppedBefore: droppedBefore)
                    state.counters.published += batch.count
                }
            } catch {
                // A reading published twice does no harm: it has the same time, and everyone drops it.
                if case .closed = error { throw error }
                state.withLock { $0.counters.retries += 1 }
                let pauseMs = pause.nextMs()
                logger.warning(
                    "readings could not be published; trying again",
                    metadata: ["error": "\(error)", "pause_ms": "\(pauseMs)"])
                try await Task.sleep(for: .milliseconds(pauseMs))
            }
        }
    }
}
