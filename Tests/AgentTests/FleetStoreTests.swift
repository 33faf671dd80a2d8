import Fleet
import FleetRules
import StormoClient
import Testing
import Wire

@Suite("Fleet: store")
struct FleetStoreTests {
    let cluster = MemoryCluster()
    let demand = DeliveryDemand(
        origin: .init(latitude: 41.905, longitude: 12.470), destination: .init(latitude: 41.885, longitude: 12.500),
        weightKg: 0.5)

    @Test func theCityIsMadeOnceForAllCallers() async throws {
        let store = memoryStore(cluster)
        let cities = try await withThrowingTaskGroup(of: City.self) { group in
            for _ in 0..<8 { group.addTask { try await store.zones() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(cities.allSatisfy { $0 == .rome })
        try await cluster.put(FleetNames.zonesConfig, Array("[]".utf8), ttlMs: nil, consistency: .quorum)
        await #expect(throws: FleetStoreError.self) { try await store.zones() }
    }

    @Test func anOrderIsStoredToldAndUnmarked() async throws {
        let store = memoryStore(cluster)
        let (delivery, isNew) = try await store.createDelivery(demand)
        #expect(isNew)
        #expect(delivery.value.status == .pending && delivery.value.zone == "centro")
        #expect(delivery.value.marks.isEmpty)
        #expect(cluster.records("delivery_requests").count == 1)
        #expect(try await store.delivery(delivery.value.id) == delivery)
        #expect(DeliveryID.timeMs(of: delivery.value.id) == delivery.value.timestampMs)
    }

    @Test func anOrderWhoseEventIsNotTakenKeepsItsMark() async throws {
        let store = memoryStore(cluster)
        cluster.setFault { if case .publish = $0 { .fails(.noQuorum("test")) } else { nil } }
        let (delivery, _) = try await store.createDelivery(demand)
        #expect(delivery.value.marks.count == 1)
        cluster.setFault(nil)
        let found = try #require(try await store.delivery(delivery.value.id))
        #expect(await store.publishMarks(of: found).value.marks.isEmpty)
        #expect(cluster.records("delivery_requests").count == 1)
        // Told already: nothing happens again.
        let after = try #require(try await store.delivery(delivery.value.id))
        await store.publishMarks(of: after)
        #expect(cluster.records("delivery_requests").count == 1)
    }

    @Test func badOrdersAreRefusedWithEveryField() async throws {
        let store = memoryStore(cluster)
        let bad = DeliveryDemand(
            origin: .init(latitude: 91, longitude: 0), destination: .init(latitude: 0, longitude: 181), weightKg: -1)
        do {
            _ = try await store.createDelivery(bad, idempotencyKey: "")
            Issue.record("accepted")
        } catch {
            guard case .invalid(let fields) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(fields.map(\.name) == ["origin", "destination", "weight", "Idempotency-Key"])
        }
        #expect(cluster.keys(prefix: "delivery").isEmpty)
    }

    @Test func oneIdempotencyKeyMakesOneDeliveryHoweverManyAsk() async throws {
        let stores = (0..<8).map { memoryStore(cluster, publisher: "g\($0)") }
        let demand = demand
        let answers = try await withThrowingTaskGroup(of: (String, Bool).self) { group in
            for store in stores {
                for _ in 0..<4 {
                    group.addTask {
                        let answer = try await store.createDelivery(demand, idempotencyKey: "k")
                        return (answer.delivery.value.id, answer.isNew)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers.map(\.0)).count == 1)
        #expect(answers.filter(\.1).count <= 1)
        #expect(cluster.keys(prefix: "delivery:").count == 1)
        var other = demand
        other.weightKg = 0.6
        await #expect(throws: FleetStoreError.idempotencyKeyReused("k")) {
            _ = try await stores[0].createDelivery(other, idempotencyKey: "k")
        }
    }

    @Test func aClaimWhoseMakerDiedIsCarriedOut() async throws {
        let store = memoryStore(cluster)
        cluster.setFault { operation in
            if case .write(let key) = operation, key.hasPrefix("delivery:") {
                .fails(.unreachable("test"))
            } else {
                nil
            }
        }
        await #expect(throws: FleetStoreError.self) { try await store.createDelivery(demand, idempotencyKey: "k") }
        cluster.setFault(nil)
        let (delivery, isNew) = try await store.createDelivery(demand, idempotencyKey: "k")
        #expect(!isNew)
        #expect(try await store.delivery(delivery.value.id)?.value.status == .pending)
        #expect(cluster.records("delivery_requests").count == 1)
    }

    @Test func lostAnswersDoNotDuplicate() async throws {
        let store = memoryStore(cluster)
        let lost = LossEveryOther()
        cluster.setFault { operation in
            if case .write = operation, lost.next() { .losesAnswer } else { nil }
        }
        for number in 0..<10 {
            let (delivery, _) = try await store.createDelivery(demand, idempotencyKey: "k\(number)")
            let cancelled = try await store.cancelDelivery(delivery.value.id)
            #expect(cancelled.value.status == .cancelled)
        }
        cluster.setFault(nil)
        let page = try await store.deliveries(limit: 100)
        #expect(page.deliveries.count == 10)
        #expect(page.deliveries.allSatisfy { $0.value.revision == 2 && $0.value.marks.isEmpty })
    }

    @Test func cancellingTellsItsRefusals() async throws {
        let store = memoryStore(cluster)
        await #expect(throws: FleetStoreError.notFound("delivery:nope")) { try await store.cancelDelivery("nope") }
        let (delivery, _) = try await store.createDelivery(demand)
        let cancelled = try await store.cancelDelivery(delivery.value.id)
        #expect(cancelled.value.status == .cancelled && cancelled.value.reason == "cancelled_by_client")
        #expect(try await store.cancelDelivery(delivery.value.id).value == cancelled.value)
        #expect(cluster.records("delivery_status").count == 1)
        let (other, _) = try await store.createDelivery(demand)
        let flying = try await store.updateDelivery(other) { delivery throws(DeliveryRefusal) in
            try delivery.applying(.assign(droneID: "d", etaMs: 1), nowMs: 1).applying(.pickUp, nowMs: 2)
        }
        #expect(flying.value.status == .inFlight)
        do {
            _ = try await store.cancelDelivery(other.value.id)
            Issue.record("cancelled in flight")
        } catch {
            guard case .refused(let refusal) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(refusal.status == .inFlight)
        }
    }

    @Test func listingsAreNewestFirstAndPageWithoutGapsOrRepeats() async throws {
        let clock = TestClock()
        let store = memoryStore(cluster, clock: clock)
        #expect(try await store.deliveries().deliveries.isEmpty)
        var ids: [String] = []
        // Bursts far apart: a month of silence, then many in a few milliseconds.
        for burst in [3, 450, 1, 20] {
            for _ in 0..<burst {
                let (delivery, _) = try await store.createDelivery(demand)
                ids.append(delivery.value.id)
            }
            clock.advance(burst == 3 ? 30 * 86_400_000 : 3_600_000)
        }
        for limit in [1_000, 100, 23] {
            var listed: [String] = []
            var cursor: String?
            var pages = 0
            repeat {
                let page = try await store.deliveries(cursor: cursor, limit: limit)
                #expect(page.deliveries.count <= limit)
                listed += page.deliveries.map(\.value.id)
                cursor = page.nextCursor
                pages += 1
            } while cursor != nil && pages < 1_000
            #expect(listed == ids.reversed(), "limit \(limit): \(listed.count) in \(pages) pages")
        }
        await #expect(throws: FleetStoreError.self) { try await store.deliveries(cursor: "nonsense") }
        _ = try await store.cancelDelivery(ids[1])
        let cancelled = try await store.deliveries(limit: 5, statuses: [.cancelled])
        #expect(cancelled.deliveries.map(\.value.id) == [ids[1]])
    }

    @Test func documentsThatCannotBeReadDoNotHideTheOthers() async throws {
        let store = memoryStore(cluster)
        let (delivery, _) = try await store.createDelivery(demand)
        try await cluster.put(
            FleetNames.delivery("01ARYZ6S41TSV4RRFFQ69G5FAV"), Array("?".utf8), ttlMs: nil, consistency: .quorum)
        try await cluster.put(FleetNames.drone("x"), Array("{}".utf8), ttlMs: nil, consistency: .quorum)
        #expect(try await store.deliveries().deliveries.map(\.value.id) == [delivery.value.id])
        #expect(try await store.drones().isEmpty)
        await #expect(throws: FleetStoreError.self) { try await store.drone("x") }
    }

    @Test func aFleetIsRegisteredOnceAndCarriedOnAfterACrash() async throws {
        let store = memoryStore(cluster)
        cluster.setFault { operation in
            if case .write(let key) = operation, key == "drone:d00015" { .fails(.unreachable("test")) } else { nil }
        }
        await #expect(throws: FleetStoreError.self) {
            try await store.registerFleet(FleetPlan(drones: 20), concurrency: 1)
        }
        #expect(cluster.keys(prefix: "drone:").count == 14)
        cluster.setFault(nil)
        // The plan that was begun counts, not the one of whoever carries it on.
        #expect(try await store.registerFleet(FleetPlan(drones: 5)) == 6)
        #expect(try await store.registerFleet(FleetPlan(drones: 50)) == 0)
        let drones = try await store.drones().map(\.value)
        #expect(drones.count == 20)
        #expect(drones.map(\.id) == drones.map(\.id).sorted())
        #expect(drones.filter { $0.type == .light }.count == 10)
        #expect(drones.filter { $0.type == .heavy }.count == 4)
        #expect(drones.allSatisfy { $0.status == .idle && $0.battery == 100 && City.rome.zone(at: $0.position) != nil })
    }

    @Test func aFleetThatIsThereIsTakenOver() async throws {
        let store = memoryStore(cluster)
        _ = try await store.registerDrone(
            Drone(id: "mine", type: .light, status: .idle, battery: 50, position: demand.origin))
        #expect(try await store.registerFleet(FleetPlan(drones: 20)) == 0)
        #expect(try await store.drones().count == 1)
    }

    @Test func anOperatorPatchesADroneAndItsMissionGoes() async throws {
        let store = memoryStore(cluster)
        let busy = Drone(id: "a", type: .light, status: .idle, battery: 50, position: demand.origin).assigned(
            Mission(deliveryID: "D", origin: demand.origin, destination: demand.destination, weightKg: 1), token: "t")
        _ = try await store.registerDrone(busy)
        let charger = City.rome.chargePoints[2].position
        let patched = try await store.patchDrone("a", DronePatch(status: .idle, battery: 12, position: charger))
        #expect(patched.value.status == .idle && patched.value.battery == 12 && patched.value.mission == nil)
        #expect(patched.value.position == charger && patched.value.isAtCharge)
        #expect(cluster.records("drone_updates").count == 1)
        await #expect(throws: FleetStoreError.notFound("drone:b")) { try await store.patchDrone("b", DronePatch()) }
        do {
            _ = try await store.patchDrone(
                "a", DronePatch(status: .busy, battery: 101, position: .init(latitude: 99, longitude: 0)))
            Issue.record("accepted")
        } catch {
            guard case .invalid(let fields) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(fields.map(\.name) == ["battery", "position", "status"])
        }
    }

    @Test func operatorsResetTheFleetAndCloseWhatIsOpen() async throws {
        let store = memoryStore(cluster)
        var ids: [String] = []
        for _ in 0..<4 { ids.append(try await store.createDelivery(demand).delivery.value.id) }
        let flying = try #require(try await store.delivery(ids[1]))
        _ = try await store.updateDelivery(flying) { delivery throws(DeliveryRefusal) in
            try delivery.applying(.assign(droneID: "a", etaMs: 1), nowMs: 1).applying(.pickUp, nowMs: 2)
        }
        _ = try await store.cancelDelivery(ids[3])
        let busy = Drone(id: "a", type: .light, status: .idle, battery: 50, position: demand.origin).assigned(
            Mission(deliveryID: ids[1], origin: demand.origin, destination: demand.destination, weightKg: 1), token: "t"
        )
        _ = try await store.registerDrone(busy)
        #expect(try await store.closeOpenDeliveries() == 3)
        var statuses: [DeliveryStatus] = []
        for id in ids { statuses.append(try #require(try await store.delivery(id)).value.status) }
        #expect(statuses == [.cancelled, .failed, .cancelled, .cancelled])
        let freed = try #require(try await store.drone("a"))
        #expect(freed.value.status == .idle && freed.value.mission == nil)
        #expect(try await store.resetFleet() == 1)
        let reset = try #require(try await store.drone("a"))
        #expect(reset.value.status == .inactive && reset.value.battery == 100)
    }
}

/// True at every other call.
final class LossEveryOther: Sendable {
    private let clock = TestClock(0)
    func next() -> Bool { clock.next() % 2 == 1 }
}
