import Fleet
import FleetRules
import Logging
import StormoClient
import Synchronization
import Wire

/// Follows the fleet's deliveries for `/fleet/stats`: reads all of them once, then their events.
final class FleetFigures: Sendable {
    /// Drones by status and class.
    struct Drones: Sendable {
        /// All of them.
        var total = 0
        /// By status, in the order of the statuses.
        var byStatus: [(status: DroneStatus, count: Int)] = []
        /// By class, in the order of the classes.
        var byType: [(type: DroneClass, count: Int)] = []
    }

    /// Deliveries that are remembered at most: an hour of the busiest fleet that is foreseen.
    private static let deliveriesMax = 200_000
    /// After this time, in ms, everything is read anew: deliveries deleted by hand have no event.
    private static let rereadMs: UInt64 = 600_000
    /// Pauses after a failure, in ms.
    private static let pauseMs: ClosedRange<UInt64> = 500...10_000

    private struct State {
        var levels: ServiceLevels?
        var drones: (figures: Drones, atMs: Int64)?
    }

    private let fleet: FleetStore<StormoClient>
    private let client: StormoClient
    private let maxAgeMs: UInt64
    private let logger: Logger
    private let state = Mutex(State())

    init(fleet: FleetStore<StormoClient>, client: StormoClient, maxAgeMs: UInt64, logger: Logger) {
        self.fleet = fleet
        self.client = client
        self.maxAgeMs = maxAgeMs
        self.logger = logger
    }

    /// The deliveries' figures; nil before they have been read.
    func deliveries() -> ServiceLevels.Figures? {
        state.withLock { $0.levels?.figures(nowMs: WallClock.nowMs()) }
    }

    /// The drones' figures, at most a moment old.
    func drones() async throws(FleetStoreError) -> Drones {
        let now = WallClock.steadyMs()
        if let known = state.withLock({ $0.drones }), now - known.atMs < Int64(maxAgeMs) { return known.figures }
        var byStatus: [DroneStatus: Int] = [:]
        var byType: [DroneClass: Int] = [:]
        var figures = Drones()
        for drone in try await fleet.drones() {
            figures.total += 1
            byStatus[drone.value.status, default: 0] += 1
            byType[drone.value.type, default: 0] += 1
        }
        figures.byStatus = DroneStatus.allCases.map { ($0, byStatus[$0] ?? 0) }
        figures.byType = DroneClass.allCases.map { ($0, byType[$0] ?? 0) }
        state.withLock { $0.drones = (figures, WallClock.steadyMs()) }
        return figures
    }

    /// Follows the deliveries until the task is cancelled.
    func run() async {
        var pause = Backoff(pauseMs: Self.pauseMs)
        while !Task.isCancelled {
            do {
                let requests = try await TopicEnds.of(FleetNames.deliveryRequests, by: client)
                let changes = try await TopicEnds.of(FleetNames.deliveryStatus, by: client)
                var levels = ServiceLevels(deliveriesMax: Self.deliveriesMax)
                let now = WallClock.nowMs()
                // What happened between the ends and the reading comes twice, which changes nothing.
                try await fleet.forEachDelivery { levels.handle($0.value, nowMs: $0.value.deliveredAtMs ?? now) }
                state.withLock { $0.levels = levels }
                pause.reset()
                await follow(requests, changes)
            } catch {
                logger.debug("cannot read the deliveries yet", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(pause.nextMs()))
            }
        }
    }

    private func follow(_ requests: TopicEnds, _ changes: TopicEnds) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await tail(FleetNames.deliveryRequests, requests) }
            group.addTask { [self] in await tail(FleetNames.deliveryStatus, changes) }
            group.addTask { try? await Task.sleep(for: .milliseconds(Self.rereadMs)) }
            await group.next()
            group.cancelAll()
        }
    }

    private func tail(_ topic: String, _ ends: TopicEnds) async {
        do {
            try await TopicTail(client: client, topic: topic, logger: logger).run(
                from: ends.positions, start: .earliest
            ) {
                [self] records, _ in
                let now = WallClock.nowMs()
                for record in records {
                    guard case .delivery(let delivery, _)? = try? FleetEvent(record.record, topic: topic) else {
                        continue
                    }
                    state.withLock { $0.levels?.handle(delivery, nowMs: now) }
                }
            }
        } catch {
            if !Task.isCancelled {
                logger.warning("a topic cannot be followed", metadata: ["topic": "\(topic)", "error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(Self.pauseMs.upperBound))
            }
        }
    }
}
