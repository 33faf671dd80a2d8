import Fleet
import FleetRules
import FoundationEssentials
import Testing

@Suite("Fleet: files of orders")
struct FleetOrderFileTests {
    func read(_ text: String, seed: UInt64 = 1) throws(OrderFileError) -> OrderFile.Contents {
        try OrderFile.orders(
            text: text, path: "orders.csv", city: .rome, weights: .marketplace, maxWeightKg: 30, seed: seed)
    }

    @Test func columnsMayComeInAnyOrderAndTimesInBothForms() throws {
        let contents = try read(
            """
            weight_kg, time, origin_lat, origin_lon, destination_lat, destination_lon\r
            1.5, 60, 41.9, 12.5, 41.88, 12.47\r
            0.25,1970-01-01T00:02:00.500Z,41.9,12.5,41.88,12.47\r
            """)
        #expect(contents.orders.map(\.timeMs) == [60_000, 120_500])
        #expect(contents.orders.map(\.demand.weightKg) == [1.5, 0.25])
        #expect(contents.orders[0].demand.origin == GeoPoint(latitude: 41.9, longitude: 12.5))
        #expect(contents.orders[0].demand.destination == GeoPoint(latitude: 41.88, longitude: 12.47))
        #expect(contents.passedOver == 0)
    }

    @Test func badLinesArePassedOverAndNamed() throws {
        let contents = try read(
            """
            time,origin_lat,origin_lon,destination_lat,destination_lon,weight_kg
            soon,41.9,12.5,41.88,12.47,1
            1,41.9,12.5,41.88,12.47
            2,91,12.5,41.88,12.47,1

            3,41.9,12.5,41.88,12.47,0
            4,41.9,12.5,41.88,12.47,31
            5,41.9,12.5,41.88,12.47,1
            """)
        #expect(contents.orders.map(\.timeMs) == [5_000])
        #expect(contents.passedOver == 5)
        #expect(contents.complaints.map { $0.prefix(7) } == ["line 2:", "line 3:", "line 4:", "line 6:", "line 7:"])
    }

    @Test func filesThatHoldNothingSayWhy() {
        for (text, why) in [
            ("", "is empty"), ("a,b\n1,2", "expected the columns time"),
            (
                "time,origin_lat,origin_lon,destination_lat,destination_lon,weight_kg\nx,1,1,1,1,1",
                "no line holds an order"
            ),
        ] {
            do {
                _ = try read(text)
                Issue.record("read: \(text)")
            } catch {
                #expect(error.description.contains(why), "\(error)")
            }
        }
        #expect(throws: OrderFileError.self) {
            try OrderFile.orders(
                path: "/nonexistent/orders.csv", city: .rome, weights: .marketplace, maxWeightKg: 30, seed: 1)
        }
    }

    // Three rows as the trip records have them.
    static let trips = """
        obs_id,train_id,duration,day,hour,minute,weekday,pickup_longitude,pickup_latitude,dropoff_longitude,dropoff_latitude,trip_distance,pickup_NTACode,dropoff_NTACode
        id_000001,train,1183.0,5,10,48,5,-73.96575927734375,40.75883102416992,-73.94647216796875,40.78119659423828,2.1,MN19,MN32
        id_000002,train,629.0,12,14,22,5,-73.96135711669922,40.77151107788086,-73.9688949584961,40.76111602783203,0.8,MN40,MN19
        id_000003,train,278.0,14,2,7,7,-73.97425079345703,40.75101089477539,-73.95547485351562,40.776756286621094,1.9,MN19,MN32
        id_000004,train,278.0,14,25,7,7,-73.97425079345703,40.75101089477539,-73.95547485351562,40.776756286621094,1.9,MN19,MN32
        """

    @Test func tripsOfAnotherCityAreLaidOverThisOne() throws {
        let contents = try read(Self.trips)
        #expect(contents.orders.map(\.timeMs) == [38_880_000, 51_720_000, 7_620_000])
        #expect(contents.passedOver == 1)
        for order in contents.orders {
            #expect(
                City.rome.bounds.contains(order.demand.origin) && City.rome.bounds.contains(order.demand.destination))
            #expect(order.demand.weightKg > 0 && order.demand.weightKg <= 30)
        }
        // Shapes are kept: 2,970.3 m and 1,318.7 m by vector algebra in the recording.
        let lengths = contents.orders.map { $0.demand.origin.distance(to: $0.demand.destination) }
        #expect(abs(lengths[0] / lengths[1] - 2_970.3 / 1_318.7) < 0.01)
        #expect(try read(Self.trips).orders == contents.orders)
        #expect(try read(Self.trips, seed: 2).orders.map(\.demand.weightKg) != contents.orders.map(\.demand.weightKg))
    }

    @Test func percentilesAreRead() throws {
        let table = try OrderFile.weights(text: "percentile,weight_g\n0,2\n50,700\n100,40425\n", path: "p.csv")
        #expect(table.kilograms(atPercent: 50) == 0.7)
        #expect(throws: OrderFileError.self) {
            try OrderFile.weights(text: "percentile,weight_g\n0,x\n", path: "p.csv")
        }
        #expect(throws: OrderFileError.self) {
            try OrderFile.weights(text: "percentile,weight_g\n5,9\n1,3\n", path: "p.csv")
        }
    }

    @Test func theShippedOrdersCanAllBeCarried() throws {
        var folder = URL(filePath: #filePath)
        for _ in 0..<3 { folder.deleteLastPathComponent() }
        let path = folder.appending(path: "deploy/sample-data/orders.csv").path()
        let settings = FleetSettings()
        let contents = try OrderFile.orders(
            path: path, city: .rome, weights: .marketplace, maxWeightKg: settings.heaviestPayloadKg, seed: 1)
        #expect(contents.orders.count == 400 && contents.passedOver == 0)
        let rule = Assignment(settings: settings, city: .rome)
        for order in contents.orders {
            #expect(rule.impossibility(of: order.demand) == nil, "\(order)")
        }
        // The published shares: 61 % up to 1 kg, 87 % up to 5 kg.
        let light = contents.orders.filter { $0.demand.weightKg <= 1 }.count
        let medium = contents.orders.filter { $0.demand.weightKg <= 5 }.count
        #expect((224...264).contains(light) && (332...364).contains(medium))
    }

    @Test func aScheduleFollowsItsSourceAndRepeats() {
        let contents = [3_000, 1_000, 1_000].map { (timeMs: Int64) in
            RecordedOrder(
                timeMs: timeMs,
                demand: DeliveryDemand(
                    origin: .init(latitude: 41.9, longitude: 12.5), destination: .init(latitude: 41.9, longitude: 12.5),
                    weightKg: Double(timeMs)))
        }
        func schedule(repeats: Bool) -> OrderSchedule {
            OrderSchedule(
                .replay(contents, speedFactor: 2, repeats: repeats), city: .rome, weights: .marketplace, maxWeightKg: 1,
                seed: 1)
        }
        var once = schedule(repeats: false)
        var dues: [Double] = []
        while let order = once.next() { dues.append(order.dueMs) }
        #expect(dues == [0, 0, 1_000])
        var again = schedule(repeats: true)
        #expect((0..<6).compactMap { _ in again.next()?.dueMs } == [0, 0, 1_000, 2_000, 2_000, 3_000])
        var random = OrderSchedule(
            .random(.poisson(perMinute: 60)), city: .rome, weights: .marketplace, maxWeightKg: 1, seed: 1)
        let first = (0..<50).compactMap { _ in random.next()?.dueMs }
        #expect(first.count == 50 && first == first.sorted() && first[49] > 20_000 && first[49] < 100_000)
    }
}
