import FleetRules
package import Logging
import ServiceLifecycle
import StormoClient
import Synchronization
import Wire

/// Settings of a dispatcher process.
package struct DispatcherConfiguration: Sendable {
    /// Its name: who holds the lease, and the `by` of its events. Unique among running dispatchers.
    package var name: String
    /// The decisions' bounds.
    package var limits = DispatcherLimits()
    /// How often waiting deliveries are looked at, in ms.
    package var roundMs: UInt64 = 250
    /// How often marks, charging, fleet size and disagreements are looked at, in ms.
    package var housekeepingMs: UInt64 = 1_000
    /// How often drones and open deliveries are listed again, in ms: it bounds how long a lost event is missed.
    package var rescanMs: UInt64 = 5_000
    /// How long the lease lasts without renewal, in ms; it is renewed three times as often. A standby takes over within
    /// it.
    package var leaseMs: UInt64 = 5_000
    /// How far two clocks of the cluster may differ, in ms.
    package var clockDriftMaxMs: UInt64 = 500
    /// Shortest and longest pause after an action that the cluster did not take, in ms.
    package var pauseMs: ClosedRange<UInt64> = 100...5_000

    /// Settings with their defaults.
    package init(name: String) {
        self.name = name
    }
}

/// Assigns deliveries to drones and follows them to their end.
///
/// Several may run: one holds the lease and decides, the others keep their picture of the fleet up to date and take
/// over within the lease. Safety does not rest on the lease: every decision is a compare-and-set on the version it was
/// made on.
package final class Dispatcher<Cluster: FleetCluster>: Service {
    /// What a dispatcher counts.
    package enum Count: String, CaseIterable, Sendable {
        case assigned
        case rolledBack = "rolled_back"
        case advanced
        case failed
        case mended
        case statusOrders = "status_orders"
        case refused
        case clusterErrors = "cluster_errors"
        case recordsDropped = "records_dropped"
        case takeovers
    }

    let store: FleetStore<Cluster>
    let configuration: DispatcherConfiguration
    let logger: Logger
    private let holder: LeaseHolder<Cluster>
    private let lease = Mutex<HeldLease?>(nil)
    private let state: Mutex<DispatcherState?> = Mutex(nil)
    private let pause: Mutex<Backoff>
    private let newest = Mutex(NewestIDs(capacity: FleetStore<Cluster>.indexedDeliveriesMax))
    private let outputs: AsyncStream<DispatcherState.Output>
    private let outputsWriter: AsyncStream<DispatcherState.Output>.Continuation

    /// What it has done so far.
    package let counters = AgentCounters<Count>()

    /// A dispatcher over a store; nothing happens before ``run()``.
    package init(store: FleetStore<Cluster>, configuration: DispatcherConfiguration, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
        holder = LeaseHolder(
            cluster: store.cluster, owner: configuration.name, ttlMs: configuration.leaseMs,
            driftMaxMs: configuration.clockDriftMaxMs)
        pause = Mutex(Backoff(pauseMs: configuration.pauseMs))
        // Not bounded here: the state gives out at most `limits.actionsMax` actions before one of them is finished.
        (outputs, outputsWriter) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Whether this process decides.
    package var isLeading: Bool { lease.withLock { $0.map(holder.isValid) ?? false } }

    /// How many deliveries it knows that are not settled.
    package var openDeliveries: Int { state.withLock { $0?.openDeliveryIDs.count ?? 0 } }

    /// Works until the task is cancelled or the process is shut down; then gives the lease back.
    package func run() async {
        await cancelWhenGracefulShutdown { await self.work() }
        guard let held = lease.withLock({ $0.take() }) else { return }
        // A task of its own: this one may have been cancelled, and a lock not given back delays the next dispatcher.
        await Task { await holder.release(held) }.value
    }

    private func work() async {
        guard let city = await untilAnswered("the city", { try await self.store.zones() }) else { return }
        for topic in [FleetNames.deliveryRequests, FleetNames.droneUpdates, FleetNames.deliveryStatus] {
            _ = await untilAnswered("topic \(topic)") { try await self.store.cluster.ensureTopic(topic) }
        }
        state.withLock {
            $0 = DispatcherState(settings: store.rules, city: city, limits: configuration.limits)
        }
        await withDiscardingTaskGroup { group in
            for topic in [FleetNames.deliveryRequests, FleetNames.droneUpdates, FleetNames.deliveryStatus] {
                group.addTask { await self.follow(topic) }
            }
            group.addTask { await self.keepLease() }
            group.addTask { await self.every(self.configuration.roundMs) { self.feed(.round) } }
            group.addTask { await self.every(self.configuration.housekeepingMs) { self.feed(.housekeeping) } }
            group.addTask {
                await self.every(self.configuration.rescanMs) { await self.rescan(isFirst: false) }
            }
            group.addTask {
                await withDiscardingTaskGroup { actions in
                    for await output in self.outputs { actions.addTask { await self.carryOut(output) } }
                }
            }
        }
    }

    // MARK: Inputs

    /// Tells the state something; what it wants done is queued.
    func feed(_ input: DispatcherState.Input) {
        let isValid = isLeading
        let wanted = state.withLock { state -> [DispatcherState.Output] in
            guard state != nil else { return [] }
            let now = store.nowMs()
            // A lease that has run out ends the leading before anything else is decided.
            if state?.isLeading == true && !isValid { _ = state?.handle(.leads(token: nil), nowMs: now) }
            return state?.handle(input, nowMs: now) ?? []
        }
        for output in wanted { outputsWriter.yield(output) }
    }

    private func follow(_ topic: String) async {
        while !Task.isCancelled {
            do {
                try await store.cluster.follow(topic, logger: logger) { records in
                    for record in records { self.take(record.record, topic: topic) }
                }
            } catch is CancellationError {
                return
            } catch {
                logger.warning("reading stopped", metadata: ["topic": "\(topic)", "reason": "\(error)"])
            }
            try? await Task.sleep(for: .milliseconds(nextPauseMs()))
        }
    }

    private func take(_ record: Record, topic: String) {
        // What this process published it knew before.
        if FleetEvent.header(FleetEvent.publisherHeader, of: record) == configuration.name { return }
        do {
            switch try FleetEvent(record, topic: topic) {
            case .drone(let drone, let version): feed(.drone(Versioned(drone, version: version)))
            case .delivery(let delivery, let version): feed(.delivery(Versioned(delivery, version: version)))
            }
        } catch {
            counters.add(.recordsDropped)
            logger.warning("record passed over", metadata: ["topic": "\(topic)", "problem": "\(error)"])
        }
    }

    /// Lists what there is; returns false when the cluster did not answer.
    @discardableResult
    private func rescan(isFirst: Bool) async -> Bool {
        let known = state.withLock { ($0?.droneIDs ?? [], $0?.openDeliveryIDs ?? []) }
        do {
            let drones = try await store.drones()
            for drone in drones { feed(.drone(drone)) }
            let present = Set(drones.map(\.value.id))
            for id in known.0 where !present.contains(id) { feed(.droneGone(id)) }

            let knownDeliveries = Set(known.1)
            // What is older than all open deliveries is closed and stays so; a minute covers ids of clocks behind ours.
            let recent = DeliveryID.lowerBound(timeMs: store.nowMs() - 60_000)
            let from = isFirst ? "" : min(known.1.first ?? recent, recent)
            var found: Set<String> = []
            try await store.forEachDelivery(from: from) { delivery in
                found.insert(delivery.value.id)
                newest.withLock { $0.insert(delivery.value.id) }
                let isSettled = delivery.value.status.isClosed && delivery.value.marks.isEmpty
                if !isSettled || knownDeliveries.contains(delivery.value.id) { feed(.delivery(delivery)) }
            }
            for id in known.1 where id >= from && !found.contains(id) { feed(.deliveryGone(id)) }
            try await writeIndex()
            return true
        } catch {
            counters.add(.clusterErrors)
            logger.warning("the fleet could not be listed", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Keeps `deliveries_index` for those who look for it; nothing of ours depends on it.
    private func writeIndex() async throws(FleetStoreError) {
        guard isLeading, let ids = newest.withLock({ $0.takeIfChanged() }) else { return }
        try await store.writeDeliveriesIndex(ids)
    }

    // MARK: The lease

    private func keepLease() async {
        await every(max(100, configuration.leaseMs / 3)) {
            guard let held = self.lease.withLock({ $0 }) else { return await self.tryToLead() }
            do {
                guard let renewed = try await self.holder.renew(held) else { return self.stopLeading("it was lost") }
                self.lease.withLock { if $0?.token == renewed.token { $0 = renewed } }
            } catch {
                self.counters.add(.clusterErrors)
                if !self.holder.isValid(held) { self.stopLeading("it ran out: \(error)") }
            }
        }
    }

    private func tryToLead() async {
        do {
            guard let held = try await holder.acquire(FleetNames.dispatcherLock) else { return }
            // Listing the fleet may take longer than a lease; what is held must not run out meanwhile.
            guard await rescan(isFirst: true), let renewed = try await holder.renew(held) else {
                return await holder.release(held)
            }
            lease.withLock { $0 = renewed }
            counters.add(.takeovers)
            logger.info("leading", metadata: ["token": "\(held.token)"])
            feed(.leads(token: held.token.description))
            feed(.housekeeping)
        } catch {
            counters.add(.clusterErrors)
            logger.debug("the lease could not be asked for", metadata: ["reason": "\(error)"])
        }
    }

    func stopLeading(_ reason: String) {
        lease.withLock { $0 = nil }
        feed(.leads(token: nil))
        logger.notice("standing by", metadata: ["lease": "\(reason)"])
    }

    /// The token to write into documents; nil when the lease has run out since the decision.
    var token: String? {
        lease.withLock { $0.flatMap { holder.isValid($0) ? $0.token.description : nil } }
    }

    // MARK: Waiting

    private func every(_ milliseconds: UInt64, _ body: @Sendable () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(for: .milliseconds(milliseconds))
        }
    }

    func nextPauseMs() -> UInt64 { pause.withLock { $0.nextMs() } }

    func succeeded() { pause.withLock { $0.reset() } }

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
