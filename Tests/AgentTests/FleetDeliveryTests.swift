import FleetRules
import Testing

@Suite("Fleet: life of a delivery")
struct FleetDeliveryTests {
    static func pending() -> Delivery {
        Delivery(
            id: "D", origin: .init(latitude: 41.9, longitude: 12.47),
            destination: .init(latitude: 41.88, longitude: 12.5),
            weightKg: 0.5, timestampMs: 1_000, zone: "centro")
    }

    static func drone(_ id: String = "d1", stage: MissionStage = .toOrigin) -> Drone {
        let delivery = pending()
        return Drone(id: id, type: .light, status: .idle, battery: 80, position: delivery.origin).assigned(
            Mission(
                deliveryID: "D", origin: delivery.origin, destination: delivery.destination, weightKg: 0.5, stage: stage
            ),
            token: "7")
    }

    static func assigned() throws -> Delivery {
        try pending().applying(.assign(droneID: "d1", etaMs: 9_000), nowMs: 2_000, token: "7")
    }

    @Test func theWholeLifeSetsEachFieldAndMarksEachChange() throws {
        var delivery = try Self.assigned()
        #expect(delivery.droneID == "d1" && delivery.assignedAtMs == 2_000 && delivery.etaMs == 9_000)
        #expect(delivery.token == "7")
        delivery = try delivery.applying(.pickUp, nowMs: 3_000)
        #expect(delivery.status == .inFlight && delivery.pickedUpAtMs == 3_000)
        delivery = try delivery.applying(.deliver, nowMs: 4_000)
        #expect(delivery.status == .delivered && delivery.deliveredAtMs == 4_000 && delivery.droneID == "d1")
        #expect(
            delivery.marks == [
                EventMark(revision: 1, status: .pending, atMs: 1_000),
                EventMark(revision: 2, status: .assigned, atMs: 2_000),
                EventMark(revision: 3, status: .inFlight, atMs: 3_000),
                EventMark(revision: 4, status: .delivered, atMs: 4_000),
            ])
        #expect(delivery.withoutMarks(through: 3)?.marks.map(\.revision) == [4])
        #expect(delivery.withoutMarks(through: 0) == nil)
    }

    /// Which changes each status allows, written out apart from the code.
    static let allowed: [DeliveryStatus: Set<String>] = [
        .pending: ["assign", "cancel", "fail"],
        .assigned: ["pick up", "release", "cancel", "fail"],
        .inFlight: ["deliver", "fail"],
        .delivered: [], .cancelled: [], .failed: [],
    ]

    @Test func everyOtherChangeIsRefusedWithTheReason() {
        let changes: [DeliveryChange] = [
            .assign(droneID: "d2", etaMs: 1), .pickUp, .deliver, .cancel(reason: "x"), .fail(reason: "x"), .release,
        ]
        for status in DeliveryStatus.allCases {
            var delivery = Self.pending()
            delivery.status = status
            for change in changes {
                let isAllowed = Self.allowed[status]?.contains(change.name) == true
                do {
                    let next = try delivery.applying(change, nowMs: 5)
                    #expect(isAllowed, "\(change) from \(status)")
                    #expect(next.revision == 2)
                } catch {
                    #expect(!isAllowed, "\(change) from \(status)")
                    #expect(error.status == status && error.description.contains("it is \(status.rawValue)"))
                }
            }
        }
    }

    @Test func releaseForgetsTheDrone() throws {
        let delivery = try Self.assigned().applying(.release, nowMs: 3_000)
        #expect(delivery.status == .pending)
        #expect(delivery.droneID == nil && delivery.assignedAtMs == nil && delivery.etaMs == nil)
    }

    @Test func aDroneAdvancesOnlyTheDeliveryItCarriesAndEachStepOnce() throws {
        let assigned = try Self.assigned()
        #expect(assigned.advanced(by: Self.drone(stage: .toOrigin), nowMs: 5, token: nil) == nil)
        #expect(assigned.advanced(by: Self.drone("d2", stage: .arrived), nowMs: 5, token: nil) == nil)
        let flying = try #require(assigned.advanced(by: Self.drone(stage: .toDestination), nowMs: 5, token: nil))
        #expect(flying.status == .inFlight)
        #expect(flying.advanced(by: Self.drone(stage: .toDestination), nowMs: 6, token: nil) == nil)
        let done = try #require(flying.advanced(by: Self.drone(stage: .arrived), nowMs: 7, token: nil))
        #expect(done.status == .delivered)
        #expect(done.advanced(by: Self.drone(stage: .arrived), nowMs: 8, token: nil) == nil)
    }

    @Test func aDroneSeenOnlyAtItsEndBringsBothSteps() throws {
        let done = try #require(try Self.assigned().advanced(by: Self.drone(stage: .arrived), nowMs: 5, token: "8"))
        #expect(done.status == .delivered && done.pickedUpAtMs == 5 && done.deliveredAtMs == 5)
        #expect(done.marks.suffix(2).map(\.status) == [.inFlight, .delivered])
        #expect(done.token == "8")
    }

    @Test func reconcileMendsADroneByItsDelivery() throws {
        let drone = Self.drone()
        #expect(Reconcile.drone(drone, delivery: try Self.assigned()) == nil)
        #expect(Reconcile.drone(drone, delivery: Self.pending()) == .finishAssignment)
        #expect(Reconcile.drone(drone, delivery: nil) == .freeDrone)
        #expect(Reconcile.drone(Self.drone("d2"), delivery: try Self.assigned()) == .freeDrone)
        #expect(
            Reconcile.drone(drone, delivery: try Self.assigned().applying(.cancel(reason: "client"), nowMs: 3))
                == .freeDrone)
        var withoutMission = drone
        withoutMission.mission = nil
        #expect(Reconcile.drone(withoutMission, delivery: nil) == .freeDrone)
        var sentToCharge = drone
        sentToCharge.status = .charging
        #expect(Reconcile.drone(sentToCharge, delivery: try Self.assigned()) == .freeDrone)
        #expect(Reconcile.drone(drone.freed(), delivery: nil) == nil)
    }

    @Test func reconcileMendsADeliveryByItsDrone() throws {
        let assigned = try Self.assigned()
        let flying = try assigned.applying(.pickUp, nowMs: 3)
        #expect(Reconcile.delivery(assigned, drone: Self.drone()) == nil)
        #expect(Reconcile.delivery(flying, drone: Self.drone(stage: .toDestination)) == nil)
        #expect(Reconcile.delivery(Self.pending(), drone: nil) == nil)
        #expect(Reconcile.delivery(assigned, drone: nil) == .releaseDelivery)
        #expect(Reconcile.delivery(assigned, drone: Self.drone().freed()) == .releaseDelivery)
        #expect(Reconcile.delivery(flying, drone: Self.drone().freed()) == .failDelivery(reason: "drone_lost"))
        var down = Self.drone(stage: .toDestination)
        down.battery = 0
        #expect(Reconcile.delivery(flying, drone: down) == .failDelivery(reason: "battery_empty"))
        down.mission?.stage = .arrived
        #expect(Reconcile.delivery(flying, drone: down) == nil)
    }
}
