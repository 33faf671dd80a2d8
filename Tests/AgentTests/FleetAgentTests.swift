import Fleet
import FleetRules
import Logging
import StormoClient
import Testing
import Wire

/// Whole agents over a cluster in memory, far faster than real time.
@Suite("Fleet: agents together", .serialized, .timeLimit(.minutes(2)))
struct FleetAgentTests {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    func store(_ cluster: MemoryCluster, _ publisher: String) -> FleetStore<MemoryCluster> {
        FleetStore(cluster: cluster, publisher: publisher, logger: logger)
    }

    func dispatcher(_ cluster: MemoryCluster, _ name: String) -> Dispatcher<MemoryCluster> {
        var configuration = DispatcherConfiguration(name: name)
        configuration.roundMs = 20
        configuration.housekeepingMs = 50
        configuration.rescanMs = 200
        configuration.leaseMs = 2_000
        configuration.limits.markGraceMs = 300
        return Dispatcher(store: store(cluster, name), configuration: configuration, logger: logger)
    }

    func simulator(_ cluster: MemoryCluster, _ name: String, drones: Int) -> DroneSimulator<MemoryCluster> {
        var configuration = SimulatorConfiguration(name: name, drones: drones)
        configuration.tickMs = 20
        configuration.speedFactor = 1_500
        configuration.rescanMs = 300
        configuration.leaseMs = 1_500
        return DroneSimulator(store: store(cluster, name), configuration: configuration, logger: logger)
    }

    func demands(_ count: Int, seed: UInt64) -> [DeliveryDemand] {
        var generator = SplitMix64(seed: seed)
        let source = OrderSource(city: .rome, weights: .marketplace, maxWeightKg: 5)
        return (0..<count).map { _ in source.next(using: &generator) }
    }

    /// The statuses a delivery's events told, in order, each event once.
    func story(_ id: String, _ cluster: MemoryCluster) -> [String] {
        var known: Set<String> = []
        var revisions: [Int] = []
        for record in cluster.records("delivery_requests") + cluster.records("delivery_status")
        where record.key == Array(id.utf8) {
            let eventID = FleetEvent.header("event-id", of: record) ?? ""
            if known.insert(eventID).inserted { revisions.append(Int(eventID.split(separator: ":")[1]) ?? 0) }
        }
        return revisions.sorted().map(String.init)
    }

    @Test func ordersAreDeliveredEachOnceAndTheFleetIsFreeAgain() async throws {
        let cluster = MemoryCluster()
        let dispatcher = dispatcher(cluster, "dispatcher-1")
        let simulator = simulator(cluster, "sim-1", drones: 8)
        let work = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await dispatcher.run() }
                group.addTask { await simulator.run() }
            }
        }
        let gateway = store(cluster, "gateway")
        var ids: [String] = []
        for demand in demands(20, seed: 21) { ids.append(try await gateway.createDelivery(demand).delivery.value.id) }
        let isDone = try await eventually(within: 60) {
            let page = try await gateway.deliveries(limit: 100)
            let drones = try await gateway.drones()
            return page.deliveries.allSatisfy { $0.value.status == .delivered && $0.value.marks.isEmpty }
                && drones.allSatisfy { $0.value.mission == nil }
        }
        #expect(isDone)
        for id in ids {
            let delivery = try #require(try await gateway.delivery(id)).value
            #expect(delivery.status == .delivered, "\(delivery)")
            #expect(delivery.revision == 4)
            #expect(story(id, cluster) == ["1", "2", "3", "4"])
            if let assigned = delivery.assignedAtMs, let picked = delivery.pickedUpAtMs,
                let done = delivery.deliveredAtMs
            {
                #expect(delivery.timestampMs <= assigned && assigned <= picked && picked <= done)
            } else {
                Issue.record("times are missing in \(delivery)")
            }
        }
        #expect(simulator.counters[.emptied] == 0)
        #expect(await eventually { cluster.keys(prefix: "deliveries_index") == ["deliveries_index"] })
        work.cancel()
        await work.value
        // Locks were given back.
        #expect(cluster.keys(prefix: "\u{0}lock/").isEmpty)
    }

    @Test func aStandbyTakesOverAndMendsWhatWasLeft() async throws {
        let cluster = MemoryCluster()
        let gateway = store(cluster, "gateway")
        let simulator = simulator(cluster, "sim-1", drones: 6)
        let first = dispatcher(cluster, "dispatcher-1")
        let second = dispatcher(cluster, "dispatcher-2")
        let flying = Task { await simulator.run() }
        let leader = Task { await first.run() }
        #expect(await eventually { first.isLeading })
        let standby = Task { await second.run() }
        let order = Delivery(
            id: gateway.makeDeliveryID(), origin: City.rome.chargePoints[0].position,
            destination: City.rome.chargePoints[1].position, weightKg: 0.5, timestampMs: gateway.nowMs(), zone: nil)
        // Once it knows of the order the leader writes drones and no deliveries: its assignment stays half done.
        cluster.setFault { operation in
            guard case .write(let key) = operation, key.hasPrefix("delivery:"), first.openDeliveries > 0 else {
                return nil
            }
            return .fails(.unreachable("test"))
        }
        _ = try await gateway.insert(order)
        let isHalfDone = try await eventually {
            try await gateway.drones().contains { $0.value.deliveryID == order.id }
        }
        #expect(isHalfDone)
        #expect(try await gateway.delivery(order.id)?.value.status == .pending)
        leader.cancel()
        await leader.value
        cluster.setFault(nil)
        #expect(await eventually { second.isLeading })
        let isDelivered = try await eventually(within: 60) {
            try await gateway.delivery(order.id)?.value.status == .delivered
        }
        #expect(isDelivered)
        #expect(second.counters[.mended] >= 1)
        flying.cancel()
        standby.cancel()
        await flying.value
        await standby.value
    }

    @Test func twoDispatchersThatBothBelieveToLeadDoNoHarm() async throws {
        let cluster = MemoryCluster()
        let gateway = store(cluster, "gateway")
        let simulator = simulator(cluster, "sim-1", drones: 5)
        let first = dispatcher(cluster, "dispatcher-1")
        let second = dispatcher(cluster, "dispatcher-2")
        let work = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await first.run() }
                group.addTask { await second.run() }
                group.addTask { await simulator.run() }
            }
        }
        var ids: [String] = []
        for (number, demand) in demands(16, seed: 4).enumerated() {
            // Whoever leads loses the lock without knowing, so that both decide until it renews.
            if number % 3 == 0 { cluster.expireLock(FleetNames.dispatcherLock) }
            ids.append(try await gateway.createDelivery(demand).delivery.value.id)
            try await Task.sleep(for: .milliseconds(40))
        }
        let isDone = try await eventually(within: 80) {
            try await gateway.deliveries(limit: 100).deliveries.allSatisfy { $0.value.status.isClosed }
        }
        #expect(isDone)
        for id in ids {
            let delivery = try #require(try await gateway.delivery(id)).value
            #expect(delivery.status == .delivered, "\(delivery)")
        }
        let isFree = try await eventually { try await gateway.drones().allSatisfy { $0.value.mission == nil } }
        #expect(isFree)
        work.cancel()
        await work.value
    }

    @Test func simulatorsShareTheFleetAndTakeOverFromOneAnother() async throws {
        let cluster = MemoryCluster()
        let first = simulator(cluster, "sim-1", drones: 40)
        let second = simulator(cluster, "sim-2", drones: 40)
        let one = Task { await first.run() }
        #expect(await eventually { first.dronesFlown == 40 })
        let two = Task { await second.run() }
        #expect(await eventually { second.dronesFlown > 0 && first.dronesFlown + second.dronesFlown == 40 })
        one.cancel()
        await one.value
        #expect(await eventually { second.dronesFlown == 40 })
        two.cancel()
        await two.value
    }

    @Test func aGeneratorPlacesItsOrdersThroughAnOutage() async throws {
        let cluster = MemoryCluster()
        cluster.setFault { if case .write = $0 { .fails(.noQuorum("test")) } else { nil } }
        var configuration = OrderGeneratorConfiguration(source: .random(.poisson(perMinute: 60_000)))
        configuration.count = 30
        configuration.pauseMs = 5...20
        let generator = OrderGenerator(store: store(cluster, "orders"), configuration: configuration, logger: logger)
        let work = Task { await generator.run() }
        #expect(await eventually { generator.counters[.clusterErrors] > 3 })
        cluster.setFault(nil)
        await work.value
        #expect(generator.counters[.placed] == 30)
        #expect(cluster.keys(prefix: "delivery:").count == 30)
        #expect(cluster.records("delivery_requests").count == 30)
    }
}
