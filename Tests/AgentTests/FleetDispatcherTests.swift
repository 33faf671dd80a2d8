import Fleet
import FleetRules
import Testing
import Wire

@Suite("Fleet: what the dispatcher decides")
struct FleetDispatcherTests {
    let origin = GeoPoint(latitude: 41.905, longitude: 12.470)
    let destination = GeoPoint(latitude: 41.885, longitude: 12.500)

    func version(_ number: UInt64) -> Ballot { Ballot(time: HybridTime(number), node: NodeID(1)) }

    func leading(_ limits: DispatcherLimits = DispatcherLimits(), token: String = "5") -> DispatcherState {
        var state = DispatcherState(settings: FleetSettings(), city: .rome, limits: limits)
        _ = state.handle(.leads(token: token), nowMs: 0)
        return state
    }

    func drone(
        _ id: String, _ status: DroneStatus = .idle, battery: Double = 100, at: UInt64 = 1, north: Double = 0
    ) -> Versioned<Drone> {
        Versioned(
            Drone(
                id: id, type: .light, status: status, battery: battery,
                position: .init(latitude: origin.latitude + north, longitude: origin.longitude)),
            version: version(at))
    }

    func pending(_ id: String, at: UInt64 = 1, weightKg: Double = 0.5, marked: Bool = false) -> Versioned<Delivery> {
        var delivery = Delivery(
            id: id, origin: origin, destination: destination, weightKg: weightKg, timestampMs: 1_000, zone: nil)
        if !marked { delivery.marks = [] }
        return Versioned(delivery, version: version(at))
    }

    func assigned(_ id: String, to droneID: String, at: UInt64 = 2) throws -> Versioned<Delivery> {
        var delivery = try pending(id).value.applying(.assign(droneID: droneID, etaMs: 9), nowMs: 2)
        delivery.marks = []
        return Versioned(delivery, version: version(at))
    }

    func busy(_ id: String, with deliveryID: String, _ stage: MissionStage = .toOrigin, at: UInt64 = 2) -> Versioned<
        Drone
    > {
        Versioned(
            drone(id).value.assigned(
                Mission(
                    deliveryID: deliveryID, origin: origin, destination: destination, weightKg: 0.5, stage: stage),
                token: "5"), version: version(at))
    }

    @Test func anOrderIsAssignedAtOnceToTheNearestDrone() {
        var state = leading()
        _ = state.handle(.drone(drone("far", north: 0.01)), nowMs: 5)
        _ = state.handle(.drone(drone("near", north: 0.001)), nowMs: 5)
        let outputs = state.handle(.delivery(pending("D")), nowMs: 2_000)
        guard case .assign(let delivery, let chosen, let etaMs) = outputs.first, outputs.count == 1 else {
            Issue.record("\(outputs)")
            return
        }
        #expect(delivery.value.id == "D" && chosen.value.id == "near")
        #expect(etaMs > 2_000)
    }

    @Test func aStandbyWatchesAndDecidesNothing() {
        var state = DispatcherState(settings: FleetSettings(), city: .rome)
        #expect(state.handle(.drone(drone("a")), nowMs: 5).isEmpty)
        #expect(state.handle(.delivery(pending("D")), nowMs: 5).isEmpty)
        #expect(state.handle(.round, nowMs: 5).isEmpty && state.handle(.housekeeping, nowMs: 5).isEmpty)
        #expect(state.openDeliveryIDs == ["D"] && state.droneIDs == ["a"])
        _ = state.handle(.leads(token: "5"), nowMs: 6)
        #expect(state.handle(.round, nowMs: 6).count == 1)
        _ = state.handle(.leads(token: nil), nowMs: 7)
        #expect(state.handle(.round, nowMs: 7).isEmpty)
    }

    @Test func nothingIsGivenOutTwiceWhileItIsCarriedOut() {
        var state = leading()
        _ = state.handle(.drone(drone("a")), nowMs: 5)
        let first = state.handle(.delivery(pending("D1")), nowMs: 5)
        #expect(first.count == 1)
        // The only drone is taken, the delivery is in hand.
        #expect(state.handle(.delivery(pending("D2")), nowMs: 5).isEmpty)
        #expect(state.handle(.round, nowMs: 5).isEmpty)
        #expect(state.actionsInFlight == 1)
        // The drone was taken by somebody else: it is seen busy before the action ends.
        _ = state.handle(.drone(busy("a", with: "X")), nowMs: 6)
        #expect(state.handle(.finished(first[0]), nowMs: 6).isEmpty)
        #expect(state.actionsInFlight == 0)
        // Free again: the older delivery first.
        _ = state.handle(.drone(drone("a", at: 3)), nowMs: 7)
        guard case .assign(let delivery, _, _) = state.handle(.round, nowMs: 7).first else {
            Issue.record("nothing assigned")
            return
        }
        #expect(delivery.value.id == "D1")
    }

    @Test func olderVersionsChangeNothing() throws {
        var state = leading()
        _ = state.handle(.drone(busy("a", with: "D", at: 9)), nowMs: 5)
        _ = state.handle(.drone(drone("a", at: 8)), nowMs: 5)
        #expect(state.drone("a")?.status == .busy)
        _ = state.handle(.delivery(try assigned("D", to: "a", at: 9)), nowMs: 5)
        #expect(state.handle(.delivery(pending("D", at: 8)), nowMs: 5).isEmpty)
        #expect(state.delivery("D")?.status == .assigned)
    }

    @Test func aDroneThatGetsOnBringsItsDeliveryOnAndIsFreedAtTheEnd() throws {
        var state = leading()
        _ = state.handle(.drone(busy("a", with: "D")), nowMs: 5)
        #expect(state.handle(.delivery(try assigned("D", to: "a")), nowMs: 5).isEmpty)
        let pickedUp = state.handle(.drone(busy("a", with: "D", .toDestination, at: 3)), nowMs: 6)
        guard case .advance(let delivery, let carrier) = pickedUp.first else {
            Issue.record("\(pickedUp)")
            return
        }
        #expect(delivery.value.id == "D" && carrier.mission?.stage == .toDestination)
        // It lands before the first step is written: the second follows when the first is done.
        #expect(state.handle(.drone(busy("a", with: "D", .arrived, at: 4)), nowMs: 7).isEmpty)
        var flying = try assigned("D", to: "a").value.applying(.pickUp, nowMs: 7)
        flying.marks = []
        _ = state.handle(.delivery(Versioned(flying, version: version(10))), nowMs: 7)
        guard case .advance = state.handle(.finished(pickedUp[0]), nowMs: 7).first else {
            Issue.record("not delivered")
            return
        }
        var delivered = try flying.applying(.deliver, nowMs: 8)
        delivered.marks = []
        _ = state.handle(.delivery(Versioned(delivered, version: version(11))), nowMs: 8)
        let end = state.handle(
            .finished(
                .advance(Versioned(flying, version: version(10)), by: busy("a", with: "D", .arrived, at: 4).value)),
            nowMs: 8)
        guard case .free(let freed) = end.first else {
            Issue.record("\(end)")
            return
        }
        #expect(freed.value.id == "a" && freed.version == version(4))
        _ = state.handle(.drone(drone("a", at: 5)), nowMs: 9)
        _ = state.handle(.finished(end[0]), nowMs: 9)
        #expect(state.openDeliveryIDs.isEmpty)
        // A late copy of an earlier event does not open it again.
        _ = state.handle(.delivery(try assigned("D", to: "a")), nowMs: 9)
        #expect(state.openDeliveryIDs.isEmpty)
    }

    @Test func aCancelledDeliveryFreesItsDrone() throws {
        var state = leading()
        _ = state.handle(.drone(busy("a", with: "D")), nowMs: 5)
        _ = state.handle(.delivery(try assigned("D", to: "a")), nowMs: 5)
        let cancelled = try assigned("D", to: "a").value.applying(.cancel(reason: "x"), nowMs: 6)
        let outputs = state.handle(.delivery(Versioned(cancelled, version: version(7))), nowMs: 6)
        #expect(outputs == [.free(busy("a", with: "D"))])
    }

    @Test func whatNobodyCanCarryFails() {
        var state = leading()
        let outputs = state.handle(.delivery(pending("D", weightKg: 31)), nowMs: 5)
        #expect(outputs == [.fail(pending("D", weightKg: 31), reason: "too_heavy")])
    }

    @Test func marksAreLeftToTheirMakerForAWhile() {
        var state = leading()
        _ = state.handle(.delivery(pending("D", marked: true)), nowMs: 1_000)
        #expect(state.handle(.housekeeping, nowMs: 2_999).isEmpty)
        #expect(state.handle(.housekeeping, nowMs: 3_000) == [.publish(pending("D", marked: true))])
    }

    @Test func halfDoneWorkOfADeadDispatcherIsFound() throws {
        // Busy, and the delivery was never told.
        var state = leading()
        _ = state.handle(.drone(busy("a", with: "D")), nowMs: 5)
        _ = state.handle(.delivery(pending("D", marked: false)), nowMs: 5)
        #expect(state.handle(.housekeeping, nowMs: 6) == [.verifyDrone("a", deliveryID: "D")])

        // Assigned to a drone that does not know of it.
        state = leading()
        _ = state.handle(.drone(drone("a", .charging)), nowMs: 5)
        _ = state.handle(.delivery(try assigned("D", to: "a")), nowMs: 5)
        #expect(state.handle(.housekeeping, nowMs: 6) == [.verifyDelivery("D", droneID: "a")])

        // Assigned to a drone that there is not.
        state = leading()
        _ = state.handle(.delivery(try assigned("D", to: "gone")), nowMs: 5)
        #expect(state.handle(.housekeeping, nowMs: 6) == [.verifyDelivery("D", droneID: "gone")])

        // Busy with a delivery that is unknown.
        state = leading()
        _ = state.handle(.drone(busy("a", with: "D")), nowMs: 5)
        #expect(state.handle(.housekeeping, nowMs: 6) == [.verifyDrone("a", deliveryID: "D")])
    }

    @Test func housekeepingChargesLowDronesAndWakesInactiveOnes() {
        var state = leading()
        _ = state.handle(.drone(drone("low", battery: 20)), nowMs: 5)
        _ = state.handle(.drone(drone("asleep", .inactive)), nowMs: 5)
        #expect(state.handle(.delivery(pending("D")), nowMs: 1_100).isEmpty)
        let outputs = state.handle(.housekeeping, nowMs: 1_500)
        #expect(
            outputs == [.order(drone("low", battery: 20), .charging), .order(drone("asleep", .inactive), .idle)])
    }

    @Test func aLaterTokenEndsTheLeading() {
        var state = leading(token: "5")
        var other = drone("a").value
        other.token = "6"
        #expect(state.handle(.drone(Versioned(other, version: version(1))), nowMs: 5) == [.stepDown(token: "6")])
        #expect(!state.isLeading)
        #expect(state.handle(.delivery(pending("D")), nowMs: 5).isEmpty)
    }

    @Test func actionsInFlightAreBounded() {
        var limits = DispatcherLimits()
        limits.actionsMax = 2
        var state = leading(limits)
        for number in 0..<5 { _ = state.handle(.drone(drone("d\(number)")), nowMs: 5) }
        var outputs: [DispatcherState.Output] = []
        for number in 0..<5 { outputs += state.handle(.delivery(pending("D\(number)")), nowMs: 5) }
        #expect(outputs.count == 2)
        #expect(state.actionsPutOff == 3)
        for output in outputs { _ = state.handle(.deliveryGone(outputs.isEmpty ? "" : id(of: output)), nowMs: 6) }
        for output in outputs { _ = state.handle(.finished(output), nowMs: 6) }
        #expect(state.handle(.round, nowMs: 6).count == 2)
    }

    private func id(of output: DispatcherState.Output) -> String {
        if case .assign(let delivery, _, _) = output { delivery.value.id } else { "" }
    }

    @Test func whatAListingDoesNotFindIsForgotten() {
        var state = leading()
        for id in ["a", "b", "c"] { _ = state.handle(.drone(drone(id)), nowMs: 5) }
        _ = state.handle(.droneGone("a"), nowMs: 5)
        #expect(Set(state.droneIDs) == ["b", "c"])
        #expect(state.drone("c")?.id == "c" && state.drone("b")?.id == "b" && state.drone("a") == nil)
        _ = state.handle(.delivery(pending("D", weightKg: 3)), nowMs: 5)
        _ = state.handle(.deliveryGone("D"), nowMs: 5)
        #expect(state.openDeliveryIDs.isEmpty)
    }
}
