import FleetRules
import Testing

@Suite("Fleet: assignment and fleet size")
struct FleetAssignmentTests {
    let settings = FleetSettings()
    let rule = Assignment(settings: FleetSettings(), city: .rome)
    let size = FleetSize(settings: FleetSettings(), city: .rome)
    let demand = DeliveryDemand(
        origin: .init(latitude: 41.905, longitude: 12.470), destination: .init(latitude: 41.885, longitude: 12.500),
        weightKg: 0.5)

    func drone(
        _ id: String, _ type: DroneClass = .light, _ status: DroneStatus = .idle, battery: Double = 100,
        north: Double = 0, updatedAtMs: Int64 = 0
    ) -> Drone {
        Drone(
            id: id, type: type, status: status, battery: battery,
            position: .init(latitude: demand.origin.latitude + north, longitude: demand.origin.longitude),
            updatedAtMs: updatedAtMs)
    }

    func weighing(_ kilograms: Double) -> DeliveryDemand {
        var heavier = demand
        heavier.weightKg = kilograms
        return heavier
    }

    @Test func theWeightLimitItselfIsCarried() {
        for (type, limit) in [(DroneClass.light, 1.0), (.medium, 5), (.heavy, 30)] {
            guard case .success = rule.estimate(drone("a", type), weighing(limit)) else {
                Issue.record("\(type) refuses its limit")
                continue
            }
            #expect(rule.estimate(drone("a", type), weighing(limit.nextUp)) == .failure(.tooHeavy))
        }
    }

    @Test func energyCountsAllThreeLegsAndTheReserve() throws {
        let model = EnergyModel(settings)
        let away = drone("a", north: 0.02)
        let home = try #require(City.rome.nearestChargePoint(to: demand.destination))
        let wattHours =
            model.leg(.light, distanceM: away.position.distance(to: demand.origin), payloadKg: 0).energyWh
            + model.leg(.light, distanceM: demand.origin.distance(to: demand.destination), payloadKg: 0.5).energyWh
            + model.leg(.light, distanceM: home.distanceM, payloadKg: 0).energyWh
        let needed = wattHours / 260 * 100 + settings.reservePercent
        guard case .success(let estimate) = rule.estimate(drone("a", battery: needed + 1e-9, north: 0.02), demand)
        else {
            Issue.record("refused with just enough")
            return
        }
        #expect(abs(estimate.percent - (needed - 15)) < 1e-9)
        #expect(estimate.dropOffMs > estimate.pickUpMs && estimate.pickUpMs > 0)
        #expect(rule.estimate(drone("a", battery: needed - 1e-6, north: 0.02), demand) == .failure(.needsCharge))
        #expect(rule.estimate(drone("a", north: 0.5), demand) == .failure(.tooFar))
    }

    @Test func aFeasibleMissionNeverStrandsTheDrone() {
        let motion = DroneMotion(settings: settings, city: .rome)
        var generator = SplitMix64(seed: 11)
        let source = OrderSource(city: .rome, weights: .marketplace, maxWeightKg: 30)
        var flown = 0
        for round in 0..<600 {
            let order = source.next(using: &generator)
            let candidate = Drone(
                id: "d\(round)", type: DroneClass.allCases[round % 3], status: .idle,
                battery: .random(in: 30...100, using: &generator), position: source.place(using: &generator))
            guard case .success(let estimate) = rule.estimate(candidate, order) else { continue }
            flown += 1
            var flying = candidate.assigned(
                Mission(
                    deliveryID: "x", origin: order.origin, destination: order.destination, weightKg: order.weightKg),
                token: nil)
            let delivered = motion.step(flying, milliseconds: Int64(estimate.dropOffMs.rounded(.up)))
            #expect(delivered.events == [.reachedOrigin, .reachedDestination])
            flying = delivered.drone.freed()
            flying.status = .charging
            var events: [DroneEvent] = []
            var lowest = flying.battery
            for _ in 0..<200 where !flying.isAtCharge {
                let next = motion.step(flying, milliseconds: 10_000)
                flying = next.drone
                events += next.events
                if !flying.isAtCharge { lowest = min(lowest, flying.battery) }
            }
            #expect(flying.isAtCharge && !events.contains(.emptied))
            #expect(lowest >= settings.reservePercent - 0.1)
        }
        #expect(flown > 100)
    }

    @Test func theSoonestPickUpWinsAndTiesGoToTheSmallerID() {
        let fleet = [
            drone("d9", north: 0.01), drone("d3", north: 0.004), drone("d2", north: 0.004), drone("d1", north: 0.02),
        ]
        #expect(rule.choose(among: fleet, for: demand).map { fleet[$0.index].id } == "d2")
        #expect(
            rule.choose(among: fleet, for: demand, isFree: { fleet[$0].id != "d2" }).map { fleet[$0.index].id } == "d3")
        // A faster class farther away may be there sooner: 18 m/s against 14 m/s over much the same way.
        let mixed = [drone("d1", .light, north: 0.030), drone("d2", .heavy, north: 0.031)]
        #expect(rule.choose(among: mixed, for: demand).map { mixed[$0.index].id } == "d2")
        #expect(rule.choose(among: fleet, for: weighing(3)) == nil)
        #expect(rule.choose(among: [], for: demand) == nil)
    }

    @Test func whatNobodyCanEverCarryIsTold() {
        #expect(rule.impossibility(of: demand) == nil)
        #expect(rule.impossibility(of: weighing(30)) == nil)
        #expect(rule.impossibility(of: weighing(30.001)) == "too_heavy")
        var far = demand
        far.destination = .init(latitude: 43.7, longitude: 11.2)
        #expect(rule.impossibility(of: far) == "out_of_range")
        var forbidden = demand
        forbidden.destination = .init(latitude: 41.7994, longitude: 12.5949)
        #expect(rule.impossibility(of: forbidden) == "no_fly")
        var city = City.rome
        city.chargePoints = []
        #expect(Assignment(settings: settings, city: city).impossibility(of: demand) == "no_charge_point")
    }

    @Test func remainingTimeShrinksToZeroAsTheDroneFlies() throws {
        let motion = DroneMotion(settings: settings, city: .rome)
        var flying = drone("a", north: 0.01).assigned(
            Mission(deliveryID: "x", origin: demand.origin, destination: demand.destination, weightKg: 0.5), token: nil)
        let whole = try #require(rule.remainingMs(of: flying))
        for elapsed in stride(from: 10_000.0, through: whole, by: 10_000) {
            flying = motion.step(flying, milliseconds: 10_000).drone
            let left = try #require(rule.remainingMs(of: flying))
            #expect(abs(left - (whole - elapsed)) < 100)
        }
        flying = motion.step(flying, milliseconds: 20_000).drone
        #expect(rule.remainingMs(of: flying) == 0)
        #expect(rule.remainingMs(of: drone("a")) == nil)
    }

    @Test func lowIdleDronesChargeAndOnlyThose() {
        let fleet = [
            drone("a", battery: 34.9), drone("b", battery: 35), drone("c", .light, .busy, battery: 10),
            drone("d", .light, .inactive, battery: 10), drone("e", .light, .charging, battery: 10),
            drone("f", battery: 0, north: 0.01),
        ]
        #expect(size.charging(fleet, waiting: []) == [DroneOrder(droneID: "a", status: .charging)])
    }

    @Test func aDeliveryThatWaitsForEnergySendsOneDroneToCharge() {
        var far = demand
        far.destination = .init(latitude: 41.835, longitude: 12.470)
        let tired = [drone("a", battery: 50), drone("b", battery: 50, north: 0.001)]
        #expect(rule.estimate(tired[0], far) == .failure(.needsCharge))
        #expect(size.charging(tired, waiting: [far]) == [DroneOrder(droneID: "a", status: .charging)])
        var underway = tired
        underway[0].status = .charging
        #expect(size.charging(underway, waiting: [far]).isEmpty)
        #expect(size.charging(underway, waiting: [far, far]) == [DroneOrder(droneID: "b", status: .charging)])
    }

    @Test func inactiveDronesWakeForDeliveriesThatHaveWaited() {
        let fleet = [
            drone("a", .light, .inactive, north: 0.01), drone("b", .light, .inactive), drone("c", .heavy, .inactive),
        ]
        #expect(size.waking(fleet, waiting: [(demand, 499)]).isEmpty)
        #expect(size.waking(fleet, waiting: [(demand, 500)]).map(\.droneID) == ["b"])
        #expect(size.waking(fleet, waiting: [(demand, 900), (demand, 800)]).map(\.droneID).sorted() == ["b", "c"])
        #expect(size.waking(fleet, waiting: [(weighing(20), 900), (weighing(20), 900)]).map(\.droneID) == ["c"])
    }

    @Test func quietSurplusRetiresLongestFirstAndLeavesTheMinimum() {
        let now: Int64 = 1_000_000
        let fleet = [
            drone("a", updatedAtMs: 300_000), drone("b", updatedAtMs: 100_000), drone("c", updatedAtMs: 500_000),
            drone("d", updatedAtMs: 200_000), drone("e", .heavy, updatedAtMs: 0), drone("f", .heavy, updatedAtMs: 0),
        ]
        #expect(size.retiring(fleet, nowMs: now).map(\.droneID) == ["b", "d"])
        #expect(size.retiring(fleet, nowMs: 600_000).isEmpty)
        #expect(size.retiring(fleet, nowMs: 700_000).map(\.droneID) == ["b"])
    }
}
