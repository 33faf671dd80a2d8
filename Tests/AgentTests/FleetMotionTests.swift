import FleetRules
import Testing

@Suite("Fleet: drone motion")
struct FleetMotionTests {
    let settings = FleetSettings()
    let motion = DroneMotion(settings: FleetSettings(), city: .rome)
    let start = City.rome.chargePoints[0].position
    let origin = GeoPoint(latitude: 41.905, longitude: 12.470)
    let destination = GeoPoint(latitude: 41.885, longitude: 12.500)

    func drone(_ status: DroneStatus, battery: Double = 100, at position: GeoPoint? = nil) -> Drone {
        Drone(id: "d1", type: .light, status: status, battery: battery, position: position ?? start)
    }

    func busy(battery: Double = 100, at position: GeoPoint? = nil) -> Drone {
        drone(.idle, battery: battery, at: position).assigned(
            Mission(deliveryID: "x", origin: origin, destination: destination, weightKg: 0.5), token: "t1")
    }

    /// Ticks until an event comes, at most `limit` times; all events and the drone.
    func run(_ drone: Drone, tickMs: Int64, ticks: Int) -> (drone: Drone, events: [DroneEvent]) {
        var current = drone
        var events: [DroneEvent] = []
        for _ in 0..<ticks {
            let (next, new) = motion.step(current, milliseconds: tickMs)
            current = next
            events += new
        }
        return (current, events)
    }

    @Test func aMissionGoesThroughOriginAndDestinationAndSpendsWhatTheModelSays() throws {
        let (end, events) = run(busy(), tickMs: 1_000, ticks: 900)
        #expect(events == [.reachedOrigin, .reachedDestination])
        #expect(end.position == destination)
        #expect(end.mission?.stage == .arrived)
        #expect(end.status == .busy)
        #expect(end.altitudeM == 0 && end.speed == 0)
        let model = EnergyModel(settings)
        let wattHours =
            model.leg(.light, distanceM: start.distance(to: origin), payloadKg: 0).energyWh
            + model.leg(.light, distanceM: origin.distance(to: destination), payloadKg: 0.5).energyWh
        #expect(abs((100 - end.battery) - wattHours / 260 * 100) < 0.05)
    }

    @Test func oneLongStepEndsLikeManyShortOnes() {
        let long = motion.step(busy(), milliseconds: 900_000)
        let short = run(busy(), tickMs: 250, ticks: 3_600)
        #expect(long.events == short.events)
        #expect(long.drone.position == short.drone.position)
        #expect(abs(long.drone.battery - short.drone.battery) < 0.05)
    }

    @Test func aDroneClimbsBeforeItMovesAndCruisesAtItsSpeed() {
        let climbing = motion.step(busy(), milliseconds: 10_000).drone
        #expect(climbing.position == start)
        #expect(abs(climbing.altitudeM - 25) < 1e-9)
        #expect(climbing.speed == 0)
        // 60 m at 2.5 m/s take 24 s; the other 10 s are flown at 14 m/s.
        let cruising = motion.step(busy(), milliseconds: 34_000).drone
        #expect(cruising.altitudeM == 60)
        #expect(cruising.speed == 14)
        #expect(abs(start.distance(to: cruising.position) - 140) < 0.5)
        #expect(abs(cruising.heading - start.bearing(to: origin)) < 0.1)
    }

    @Test func aLegOfNoLengthIsOverAtOnceAndCostsNothing() {
        let (after, events) = motion.step(busy(at: origin), milliseconds: 1_000)
        #expect(events == [.reachedOrigin])
        #expect(after.mission?.stage == .toDestination)
        var same = busy(at: origin)
        same.mission?.destination = origin
        let (done, both) = motion.step(same, milliseconds: 0)
        #expect(both == [.reachedOrigin, .reachedDestination])
        #expect(done.battery == 100)
    }

    @Test func chargingLeadsToTheNearestPointAndThenToIdle() {
        let (there, events) = run(drone(.charging, battery: 40, at: origin), tickMs: 1_000, ticks: 7_200)
        #expect(events == [.reachedCharge(chargePointID: "cp-centro"), .charged])
        #expect(there.status == .idle && there.isAtCharge && there.battery == 100)
        #expect(there.position == start)
    }

    @Test func chargingTakesEnergyOverPower() {
        // 130 Wh at 360 W take 1,300 s.
        let almost = motion.step(drone(.charging, battery: 50), milliseconds: 1_299_000)
        #expect(almost.drone.status == .charging)
        #expect(abs(almost.drone.battery - (50 + 1_299.0 / 26)) < 1e-6)
        #expect(motion.step(drone(.charging, battery: 50), milliseconds: 1_300_001).events.contains(.charged))
    }

    @Test func retiringEndsInactiveAndCharged() {
        let (end, events) = run(drone(.retiring, battery: 60, at: origin), tickMs: 1_000, ticks: 7_200)
        #expect(events.last == .charged)
        #expect(end.status == .inactive && end.battery == 100 && end.isAtCharge)
    }

    @Test func idleAndInactiveDronesStandStill() {
        for status in [DroneStatus.idle, .inactive] {
            let before = drone(status, battery: 70)
            #expect(motion.step(before, milliseconds: 60_000).drone == before)
        }
    }

    @Test func aDroneThatLosesItsMissionInFlightLands() {
        let flying = motion.step(busy(), milliseconds: 40_000).drone.freed()
        #expect(flying.status == .idle && flying.altitudeM == 60)
        let landed = motion.step(flying, milliseconds: 40_000).drone
        #expect(landed.altitudeM == 0)
        #expect(landed.position == flying.position)
        #expect(landed.battery < flying.battery)
    }

    @Test func aBatteryThatHoldsExactlyTheLegReachesItsEnd() {
        let model = EnergyModel(settings)
        let needed = model.leg(.light, distanceM: start.distance(to: origin), payloadKg: 0)
        let exact = model.percent(.light, wattHours: needed.energyWh)
        let (end, events) = motion.step(
            busy(battery: exact), milliseconds: Int64(needed.durationMs.rounded(.up)))
        #expect(events.first == .reachedOrigin)
        #expect(end.battery < 0.01)
    }

    @Test func anEmptyBatteryStopsTheDroneOnceAndForGood() {
        let (down, events) = motion.step(busy(battery: 5), milliseconds: 600_000)
        #expect(events == [.emptied])
        #expect(down.battery == 0 && down.altitudeM == 0 && down.speed == 0)
        #expect(down.position != origin)
        let again = motion.step(down, milliseconds: 60_000)
        #expect(again.events.isEmpty)
        #expect(again.drone == down)
    }

    @Test func anEmptyDroneAtAChargePointCharges() {
        let after = motion.step(drone(.charging, battery: 0), milliseconds: 10_000).drone
        #expect(after.battery > 0 && after.isAtCharge)
    }

    @Test func noTimeChangesNothing() {
        #expect(motion.step(busy(), milliseconds: 0).drone.position == start)
        #expect(motion.step(busy(), milliseconds: -5).drone.battery == 100)
    }
}
