import FleetRules
package import Logging
import ServiceLifecycle
import StormoClient
import Synchronization
import Wire

/// Settings of a simulator process.
package struct SimulatorConfiguration: Sendable {
    /// Its name: who holds the leases, and the `by` of its events. Unique among running simulators.
    package var name: String
    /// The fleet to register when the cluster has none.
    package var plan: FleetPlan
    /// Real time between two ticks, in ms: what a map can show.
    package var tickMs: UInt64 = 1_000
    /// Simulated seconds in one real second.
    package var speedFactor = 1.0
    /// Into how many shares the fleet is divided; the same for all simulators. Far more than processes, so that shares
    /// are even.
    package var slots = 32
    /// How long a share's lease lasts without renewal, in ms: so long a killed simulator's drones hang in the air.
    package var leaseMs: UInt64 = 6_000
    /// How far two clocks of the cluster may differ, in ms.
    package var clockDriftMaxMs: UInt64 = 500
    /// How often drones are listed again, in ms: it bounds how long a lost event is missed.
    package var rescanMs: UInt64 = 5_000
    /// Writes in flight at once: enough to fill every node's pipeline, well below what a connection queues.
    package var concurrency = 512
    /// Tries of one drone's write within a tick when others write it too.
    package var attempts = 4
    /// Events published in one call.
    package var publishedAtOnce = 1_000
    /// Events kept while the cluster takes none.
    package var outboxCapacity = 10_000
    /// Shortest and longest pause while the cluster is out of reach, in ms.
    package var pauseMs: ClosedRange<UInt64> = 250...10_000

    /// Settings with their defaults, for a fleet of so many drones.
    package init(name: String, drones: Int) {
        self.name = name
        plan = FleetPlan(drones: drones)
    }
}

/// Flies the fleet: each tick moves every drone that flies or charges, writes it and tells of it.
///
/// Several processes share the fleet by leases of its shares. A dispatcher's or an operator's write always wins a race:
/// the tick is flown again from what they wrote.
package final class DroneSimulator<Cluster: FleetCluster>: Service {
    /// What a simulator counts.
    package enum Count: String, CaseIterable, Sendable {
        case registered
        case ticks
        case ticksLate = "ticks_late"
        case moved
        case raced
        case gaveUp = "gave_up"
        case emptied
        case published
        case clusterErrors = "cluster_errors"
        case recordsDropped = "records_dropped"
    }

    private let store: FleetStore<Cluster>
    private let configuration: SimulatorConfiguration
    private let logger: Logger
    private let holder: LeaseHolder<Cluster>
    private let state: Mutex<SimulatorState?> = Mutex(nil)
    private let leases = Mutex<[Int: HeldLease]>([:])
    private let outbox: Mutex<EventOutbox>
    private let pause: Mutex<Backoff>
    private let wakeUps: AsyncStream<Void>
    private let publisherBell: AsyncStream<Void>.Continuation
    private let steadyMs: @Sendable () -> Int64

    /// What it has done so far.
    package let counters = AgentCounters<Count>()

    /// A simulator over a store; nothing happens before ``run()``.
    package init(
        store: FleetStore<Cluster>, configuration: SimulatorConfiguration, logger: Logger,
        steadyMs: @escaping @Sendable () -> Int64 = WallClock.steadyMs
    ) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        self.steadyMs = steadyMs
        holder = LeaseHolder(
            cluster: store.cluster, owner: configuration.name, ttlMs: configuration.leaseMs,
            driftMaxMs: configuration.clockDriftMaxMs, steadyMs: steadyMs)
        outbox = Mutex(EventOutbox(capacity: configuration.outboxCapacity))
        pause = Mutex(Backoff(pauseMs: configuration.pauseMs))
        (wakeUps, publisherBell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Drones this process flies.
    package var dronesFlown: Int { state.withLock { $0?.count ?? 0 } }
    /// Events that wait to be published.
    package var eventsWaiting: Int { outbox.withLock { $0.count } }
    /// Position updates dropped because the cluster took no events.
    package var positionsDropped: UInt64 { outbox.withLock { $0.positionsDropped } }

    /// Works until the task is cancelled or the process is shut down; then gives its shares back.
    package func run() async {
        await cancelWhenGracefulShutdown { await self.work() }
        let held = leases.withLock { leases in
            defer { leases = [:] }
            return leases
        }
        // A task of its own: this one may have been cancelled, and shares not given back hang in the air for a lease.
        await Task {
            for slot in held.keys.sorted() { if let lease = held[slot] { await holder.release(lease) } }
            _ = try? await store.cluster.delete(presenceKey, if: .none)
        }.value
    }

    private func work() async {
        guard let city = await untilAnswered("the city", { try await self.store.zones() }) else { return }
        _ = await untilAnswered("topic \(FleetNames.droneUpdates)") {
            try await self.store.cluster.ensureTopic(FleetNames.droneUpdates)
        }
        if let made = await untilAnswered("the fleet", { try await self.store.registerFleet(self.configuration.plan) })
        {
            counters.add(.registered, UInt64(made))
            logger.info("fleet ready", metadata: ["registered": "\(made)"])
        }
        state.withLock {
            $0 = SimulatorState(
                settings: store.rules, city: city, speedFactor: configuration.speedFactor, slots: configuration.slots)
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow() }
            group.addTask { await self.every(max(100, self.configuration.leaseMs / 3)) { await self.keepShares() } }
            group.addTask { await self.every(self.configuration.rescanMs) { await self.rescan(telling: []) } }
            group.addTask { await self.publishWaiting() }
            group.addTask { await self.tickForever() }
        }
    }

    // MARK: Ticks

    private func tickForever() async {
        var due = steadyMs()
        while !Task.isCancelled {
            await tick()
            due += Int64(configuration.tickMs)
            let left = due - steadyMs()
            if left > 0 {
                try? await Task.sleep(for: .milliseconds(left))
            } else {
                // The next tick flies the time that this one took too long.
                counters.add(.ticksLate)
                due = steadyMs()
            }
        }
    }

    /// Moves everything that moves, once.
    func tick() async {
        dropExpiredShares()
        let now = steadyMs()
        let moves = state.withLock { $0?.moves(nowMs: now) ?? [] }
        counters.add(.ticks)
        guard !moves.isEmpty else { return }
        let workers = max(1, min(configuration.concurrency, moves.count))
        await withDiscardingTaskGroup { group in
            for worker in 0..<workers {
                group.addTask {
                    for place in stride(from: worker, to: moves.count, by: workers) {
                        if Task.isCancelled { return }
                        guard await self.write(moves[place], now: now) else { return }
                    }
                }
            }
        }
        publisherBell.yield()
    }

    /// Writes one move, again from what somebody else wrote; false when the cluster is out of reach.
    private func write(_ first: SimulatorState.Move, now: Int64) async -> Bool {
        var move = first
        for _ in 0..<configuration.attempts {
            move.new.updatedAtMs = store.nowMs()
            do throws(FleetStoreError) {
                let (outcome, document) = try await store.replaceDrone(move.old, with: move.new)
                switch outcome {
                case .applied(let written):
                    state.withLock { $0?.written(written, at: now) }
                    tell(move, version: written, document: document)
                    succeeded()
                    return true
                case .refused(.some(let found)):
                    counters.add(.raced)
                    let again = state.withLock { state in
                        state?.see(found, nowMs: now)
                        return state?.move(found, milliseconds: move.milliseconds)
                    }
                    guard let again else { return true }
                    move = again
                case .refused(nil):
                    state.withLock { $0?.gone(move.new.id) }
                    return true
                }
            } catch {
                counters.add(.clusterErrors)
                state.withLock { $0?.unknown(move.new.id, at: now) }
                guard case .cluster(.unreachable) = error else { continue }
                try? await Task.sleep(for: .milliseconds(nextPauseMs()))
                return false
            }
        }
        counters.add(.gaveUp)
        return true
    }

    private func tell(_ move: SimulatorState.Move, version: Versioned<Drone>, document: [UInt8]) {
        counters.add(.moved)
        if move.events.contains(.emptied) {
            counters.add(.emptied)
            logger.warning("a drone is down with an empty battery", metadata: ["drone": "\(move.new.id)"])
        }
        let record = FleetEvent.record(
            droneID: move.new.id, document: document, version: version.version, publisher: configuration.name,
            nowMs: move.new.updatedAtMs)
        _ = outbox.withLock { $0.append(.init(record: record, isPositionOnly: move.events.isEmpty)) }
    }

    // MARK: Publishing

    private func publishWaiting() async {
        for await _ in wakeUps {
            while !Task.isCancelled {
                let taken = outbox.withLock { $0.take(max: configuration.publishedAtOnce) }
                if taken.isEmpty { break }
                do {
                    try await store.cluster.publish(FleetNames.droneUpdates, taken.map(\.record))
                    counters.add(.published, UInt64(taken.count))
                    succeeded()
                } catch {
                    counters.add(.clusterErrors)
                    outbox.withLock { $0.putBack(taken) }
                    try? await Task.sleep(for: .milliseconds(nextPauseMs()))
                }
            }
        }
    }

    // MARK: What others write

    private func follow() async {
        while !Task.isCancelled {
            do {
                try await store.cluster.follow(FleetNames.droneUpdates, logger: logger) { records in
                    for record in records { self.take(record.record) }
                }
            } catch is CancellationError {
                return
            } catch {
                logger.warning("reading stopped", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(nextPauseMs()))
        }
    }

    private func take(_ record: Record) {
        if FleetEvent.header(FleetEvent.publisherHeader, of: record) == configuration.name { return }
        let id = String(decoding: record.key ?? [], as: UTF8.self)
        guard state.withLock({ $0?.owns(id) ?? false }) else { return }
        do {
            guard case .drone(let drone, let version) = try FleetEvent(record, topic: FleetNames.droneUpdates) else {
                return
            }
            state.withLock { $0?.see(Versioned(drone, version: version), nowMs: steadyMs()) }
        } catch {
            counters.add(.recordsDropped)
            logger.warning("record passed over", metadata: ["problem": "\(error)"])
        }
    }

    /// Lists the fleet; drones of the slots in `telling` are told of, since whoever flew them may have died before.
    private func rescan(telling slots: Set<Int>) async {
        let known = state.withLock { $0?.droneIDs ?? [] }
        do {
            let drones = try await store.drones()
            let now = steadyMs()
            state.withLock { state in
                for drone in drones { state?.see(drone, nowMs: now) }
                let present = Set(drones.map(\.value.id))
                for id in known where !present.contains(id) { state?.gone(id) }
            }
            for drone in drones where slots.contains(FleetShare.slot(of: drone.value.id, slots: configuration.slots)) {
                let record = FleetEvent.record(
                    droneID: drone.value.id, document: FleetJSON.encode(DroneDocument(drone.value)),
                    version: drone.version, publisher: configuration.name, nowMs: store.nowMs())
                _ = outbox.withLock { $0.append(.init(record: record, isPositionOnly: true)) }
            }
            publisherBell.yield()
        } catch {
            counters.add(.clusterErrors)
            logger.warning("the fleet could not be listed", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Shares

    private var presenceKey: Key { Key(FleetNames.simulatorPrefix + configuration.name) }

    /// Says that this process lives, renews the shares it holds, takes those that fall to it and gives up the others.
    func keepShares() async {
        do {
            try await store.cluster.put(
                presenceKey, Array("{}".utf8), ttlMs: max(1_000, 2 * configuration.leaseMs), consistency: .quorum)
            let page = try await store.cluster.scan(
                prefix: Array(FleetNames.simulatorPrefix.utf8), after: [], limit: WireLimits.scanItemsMax,
                keysOnly: true)
            let live = page.items.map { String($0.key.description.dropFirst(FleetNames.simulatorPrefix.count)) }
            let wanted = Set(FleetShare.slots(of: configuration.name, among: live, slots: configuration.slots))
            var gained: Set<Int> = []
            for slot in 0..<configuration.slots {
                let held = leases.withLock { $0[slot] }
                switch (held, wanted.contains(slot)) {
                case (.some(let lease), true):
                    let renewed = try await holder.renew(lease)
                    leases.withLock { $0[slot] = renewed }
                    if renewed == nil { state.withLock { $0?.disown(slot: slot) } }
                case (.some(let lease), false):
                    leases.withLock { $0[slot] = nil }
                    state.withLock { $0?.disown(slot: slot) }
                    await holder.release(lease)
                case (nil, true):
                    guard let lease = try await holder.acquire(FleetNames.simulatorLock(slot: slot)) else { continue }
                    leases.withLock { $0[slot] = lease }
                    state.withLock { $0?.own(slot: slot) }
                    gained.insert(slot)
                case (nil, false):
                    break
                }
            }
            if !gained.isEmpty { await rescan(telling: gained) }
        } catch {
            counters.add(.clusterErrors)
            logger.debug("shares could not be kept", metadata: ["reason": "\(error)"])
        }
    }

    /// Stops flying what another process may fly by now.
    private func dropExpiredShares() {
        let expired = leases.withLock { leases in
            let gone = leases.filter { !holder.isValid($0.value) }.map(\.key).sorted()
            for slot in gone { leases[slot] = nil }
            return gone
        }
        guard !expired.isEmpty else { return }
        state.withLock { state in for slot in expired { state?.disown(slot: slot) } }
        logger.warning("leases ran out", metadata: ["shares": "\(expired.count)"])
    }

    // MARK: Waiting

    private func every(_ milliseconds: UInt64, _ body: @Sendable () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(for: .milliseconds(milliseconds))
        }
    }

    private func nextPauseMs() -> UInt64 { pause.withLock { $0.nextMs() } }

    private func succeeded() { pause.withLock { $0.reset() } }

    private func untilAnswered<Value>(
        _ what: String, _ ask: @Sendable () async throws -> Value
    ) async -> Value? {
        while !Task.isCancelled {
            do {
                let value = try await ask()
                succeeded()
                return value
            } catch {
                counters.add(.clusterErrors)
                logger.warning("waiting for the cluster", metadata: ["for": "\(what)", "reason": "\(error)"])
                try? await Task.sleep(for: .milliseconds(nextPauseMs()))
            }
        }
        return nil
    }
}
