package import FleetRules
package import Logging
import ServiceLifecycle
import StormoClient
import Wire

/// Settings of an order generator.
package struct OrderGeneratorConfiguration: Sendable {
    /// Where orders come from.
    package enum Source: Sendable {
        /// Random places of the city's zones at random moments.
        case random(OrderArrivals.Pattern)
        /// A recorded day at so many recorded seconds a second; `repeats` begins it anew at its end.
        case replay([RecordedOrder], speedFactor: Double, repeats: Bool)
    }

    /// Where orders come from.
    package var source: Source
    /// Weights of random orders.
    package var weights = WeightTable.marketplace
    /// The same seed draws the same orders.
    package var seed: UInt64 = 1
    /// Stop after so many orders; nil never.
    package var count: Int?
    /// Orders being placed at once; the next waits. A cluster that cannot keep up is not buried.
    package var concurrency = 64
    /// Shortest and longest pause while the cluster is out of reach, in ms.
    package var pauseMs: ClosedRange<UInt64> = 100...5_000

    /// Settings with their defaults.
    package init(source: Source) {
        self.source = source
    }
}

/// Places orders.
package final class OrderGenerator<Cluster: FleetCluster>: Service {
    /// What an order generator counts.
    package enum Count: String, CaseIterable, Sendable {
        case placed
        case refused
        case clusterErrors = "cluster_errors"
    }

    private let store: FleetStore<Cluster>
    private let configuration: OrderGeneratorConfiguration
    private let logger: Logger

    /// What it has done so far.
    package let counters = AgentCounters<Count>()

    /// A generator over a store; nothing happens before ``run()``.
    package init(store: FleetStore<Cluster>, configuration: OrderGeneratorConfiguration, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
    }

    /// Places orders until all are placed, the task is cancelled or the process is shut down.
    package func run() async {
        await cancelWhenGracefulShutdown { await self.work() }
        logger.info("orders placed", metadata: ["count": "\(counters[.placed])"])
    }

    private func work() async {
        guard let city = await city() else { return }
        var schedule = OrderSchedule(
            configuration.source, city: city, weights: configuration.weights,
            maxWeightKg: store.rules.heaviestPayloadKg, seed: configuration.seed)
        let clock = ContinuousClock()
        let start = clock.now
        var left = configuration.count ?? .max
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            while left > 0, !Task.isCancelled, let (dueMs, demand) = schedule.next(), dueMs.isFinite {
                try? await Task.sleep(until: start + .milliseconds(Int64(dueMs)), clock: clock)
                if Task.isCancelled { return }
                if running >= configuration.concurrency {
                    await group.next()
                    running -= 1
                }
                group.addTask { await self.place(demand, in: city) }
                running += 1
                left -= 1
            }
        }
    }

    /// Stores one order, however long the cluster is out of reach; its id is made once, so that it is one order.
    private func place(_ demand: DeliveryDemand, in city: City) async {
        let id = store.makeDeliveryID()
        let order = Delivery(
            id: id, origin: demand.origin, destination: demand.destination, weightKg: demand.weightKg,
            timestampMs: DeliveryID.timeMs(of: id) ?? store.nowMs(), zone: city.zone(at: demand.origin)?.id)
        var pause = Backoff(pauseMs: configuration.pauseMs)
        while !Task.isCancelled {
            do throws(FleetStoreError) {
                _ = try await store.insert(order)
                return counters.add(.placed)
            } catch {
                guard case .cluster(let reason) = error else {
                    counters.add(.refused)
                    return logger.warning("order refused", metadata: ["reason": "\(error)"])
                }
                counters.add(.clusterErrors)
                logger.debug("order not placed yet", metadata: ["reason": "\(reason)"])
                try? await Task.sleep(for: .milliseconds(pause.nextMs()))
            }
        }
    }

    private func city() async -> City? {
        var pause = Backoff(pauseMs: configuration.pauseMs)
        while !Task.isCancelled {
            do throws(FleetStoreError) {
                let city = try await store.zones()
                for topic in [FleetNames.deliveryRequests, FleetNames.deliveryStatus] {
                    do {
                        try await store.cluster.ensureTopic(topic)
                    } catch {
                        throw FleetStoreError.cluster(error)
                    }
                }
                return city
            } catch {
                counters.add(.clusterErrors)
                logger.warning("waiting for the cluster", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: .milliseconds(pause.nextMs()))
            }
        }
        return nil
    }
}

/// Which order comes when, as a value.
package struct OrderSchedule: Sendable {
    private enum Kind {
        case random(OrderArrivals, OrderSource)
        case replay(ReplayPlan, orders: [RecordedOrder], speedFactor: Double, repeats: Bool)
    }

    private var kind: Kind
    private var generator: SplitMix64
    /// When the last order was due, or where the present playback began, ms after the start.
    private var elapsedMs = 0.0
    private var taken: [DeliveryDemand] = []
    private var takenDueMs = 0.0

    /// The schedule of a source over a city.
    package init(
        _ source: OrderGeneratorConfiguration.Source, city: City, weights: WeightTable, maxWeightKg: Double,
        seed: UInt64
    ) {
        generator = SplitMix64(seed: seed)
        switch source {
        case .random(let pattern):
            kind = .random(
                OrderArrivals(pattern), OrderSource(city: city, weights: weights, maxWeightKg: maxWeightKg))
        case .replay(let orders, let speedFactor, let repeats):
            kind = .replay(
                ReplayPlan(orders, speedFactor: speedFactor), orders: orders, speedFactor: speedFactor,
                repeats: repeats && !orders.isEmpty)
        }
    }

    /// The next order and when it is due, milliseconds after the start; nil when there is none.
    package mutating func next() -> (dueMs: Double, demand: DeliveryDemand)? {
        switch kind {
        case .random(var arrivals, let source):
            elapsedMs += arrivals.nextGapMs(using: &generator)
            kind = .random(arrivals, source)
            return elapsedMs.isFinite ? (elapsedMs, source.next(using: &generator)) : nil
        case .replay(var plan, let orders, let speedFactor, let repeats):
            if taken.isEmpty {
                if plan.nextDueMs == nil, repeats {
                    // The next day begins a second after the last order of this one.
                    elapsedMs = takenDueMs + 1_000
                    plan = ReplayPlan(orders, speedFactor: speedFactor)
                }
                guard let dueMs = plan.nextDueMs else { return nil }
                taken = plan.take(upToMs: dueMs).reversed()
                takenDueMs = elapsedMs + dueMs
                kind = .replay(plan, orders: orders, speedFactor: speedFactor, repeats: repeats)
            }
            return taken.popLast().map { (takenDueMs, $0) }
        }
    }
}
