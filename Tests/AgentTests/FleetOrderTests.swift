import FleetRules
import Testing

@Suite("Fleet: orders")
struct FleetOrderTests {
    // First outputs of SplitMix64 for seed 1234567, as its reference implementation prints them.
    @Test func splitMixFollowsItsReference() {
        var generator = SplitMix64(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
    }

    @Test func poissonArrivalsHaveTheirMeanAndVariance() {
        var arrivals = OrderArrivals(.poisson(perMinute: 120))
        var generator = SplitMix64(seed: 1)
        let gaps = (0..<20_000).map { _ in arrivals.nextGapMs(using: &generator) }
        let mean = gaps.reduce(0, +) / 20_000
        let variance = gaps.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 20_000
        // Exponential gaps: mean 500 ms, standard deviation equal to the mean.
        #expect(abs(mean - 500) < 15)
        #expect(abs(variance.squareRoot() - 500) < 25)
        var silent = OrderArrivals(.poisson(perMinute: 0))
        #expect(silent.nextGapMs(using: &generator) == .infinity)
    }

    @Test func burstsKeepTheMeanRateAndSpreadMoreThanPoisson() {
        var arrivals = OrderArrivals(
            .bursty(calmPerMinute: 6, burstPerMinute: 600, meanCalmMs: 30_000, meanBurstMs: 10_000))
        var generator = SplitMix64(seed: 2)
        let gaps = (0..<40_000).map { _ in arrivals.nextGapMs(using: &generator) }
        let mean = gaps.reduce(0, +) / 40_000
        let deviation = (gaps.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 40_000).squareRoot()
        // Three quarters of the time at 6, one quarter at 600 a minute: 154.5 a minute, 388 ms between two.
        #expect(abs(mean - 60_000 / 154.5) < 60)
        #expect(deviation > 3 * mean)
        var silent = OrderArrivals(.bursty(calmPerMinute: 0, burstPerMinute: 0, meanCalmMs: 1, meanBurstMs: 1))
        #expect(silent.nextGapMs(using: &generator) == .infinity)
    }

    @Test func weightsFollowTheirPercentiles() {
        var generator = SplitMix64(seed: 3)
        let draws = (0..<20_000).map { _ in WeightTable.marketplace.draw(using: &generator) }
        for (kilograms, share) in [
            (0.25, 0.21), (0.5, 0.41), (1.0, 0.61), (2, 0.76), (5, 0.87), (10, 0.94), (15, 0.97),
        ] {
            let drawn = Double(draws.filter { $0 <= kilograms }.count) / 20_000
            #expect(abs(drawn - share) < 0.015, "\(kilograms) kg: \(drawn)")
        }
        let table = WeightTable([
            .init(percent: 0, grams: 0), .init(percent: 50, grams: 1_000), .init(percent: 100, grams: 3_000),
        ])
        #expect(table?.kilograms(atPercent: 25) == 0.5)
        #expect(table?.kilograms(atPercent: 75) == 2)
        #expect(table?.kilograms(atPercent: 100) == 3)
        #expect(table?.kilograms(atPercent: -1) == 0)
        #expect(WeightTable([.init(percent: 0, grams: 5), .init(percent: 1, grams: 4)]) == nil)
        #expect(WeightTable([.init(percent: 1, grams: 5)]) == nil)
    }

    @Test func randomOrdersLieInZonesAndRespectTheLimit() {
        let source = OrderSource(city: .rome, weights: .marketplace, maxWeightKg: 2)
        var generator = SplitMix64(seed: 4)
        var first = SplitMix64(seed: 4)
        #expect(source.next(using: &generator) == source.next(using: &first))
        for _ in 0..<500 {
            let order = source.next(using: &generator)
            #expect(City.rome.bounds.contains(order.origin) && City.rome.bounds.contains(order.destination))
            #expect(City.rome.zone(at: order.origin) != nil)
            #expect(order.weightKg > 0 && order.weightKg <= 2)
        }
    }

    @Test func aReplayKeepsItsOrderAndPace() {
        func order(_ timeMs: Int64, _ kilograms: Double) -> RecordedOrder {
            let place = GeoPoint(latitude: 41.9, longitude: 12.5)
            return RecordedOrder(
                timeMs: timeMs, demand: DeliveryDemand(origin: place, destination: place, weightKg: kilograms))
        }
        var plan = ReplayPlan([order(70_000, 3), order(10_000, 1), order(10_000, 2)], speedFactor: 60)
        #expect(plan.nextDueMs == 0)
        #expect(plan.take(upToMs: 0).map(\.weightKg) == [1, 2])
        #expect(plan.nextDueMs == 1_000)
        #expect(plan.take(upToMs: 999).isEmpty && plan.remaining == 1)
        #expect(plan.take(upToMs: 1_000).map(\.weightKg) == [3])
        #expect(plan.nextDueMs == nil)
        var empty = ReplayPlan([], speedFactor: 0)
        #expect(empty.take(upToMs: 5).isEmpty && empty.nextDueMs == nil)
    }

    @Test func manhattanFitsOverRomeWithItsShape() throws {
        // Two corners of Manhattan and its middle.
        let south = GeoPoint(latitude: 40.70, longitude: -74.02)
        let north = GeoPoint(latitude: 40.88, longitude: -73.91)
        let bounds = try #require(GeoBounds(enclosing: [south, north]))
        let fit = CityFit(source: bounds, target: City.rome.bounds)
        let middle = try #require(fit.place(bounds.center))
        #expect(middle.distance(to: City.rome.bounds.center) < 0.01)
        let a = GeoPoint(latitude: 40.75, longitude: -73.98)
        let b = GeoPoint(latitude: 40.78, longitude: -73.96)
        let c = GeoPoint(latitude: 40.75, longitude: -73.94)
        let placedA = try #require(fit.place(a))
        let placedB = try #require(fit.place(b))
        let placedC = try #require(fit.place(c))
        #expect(abs(placedA.distance(to: placedB) / a.distance(to: b) - fit.scale) < 0.005 * fit.scale)
        #expect(abs(placedA.distance(to: placedC) / a.distance(to: c) - fit.scale) < 0.005 * fit.scale)
        // The tighter of both directions: 0.18 degrees of latitude into 0.20.
        #expect(abs(fit.scale - 0.20 / 0.18) < 1e-9)
        #expect(fit.place(GeoPoint(latitude: 41.5, longitude: -73.9)) == nil)
        #expect(
            CityFit(
                source: GeoBounds(minLatitude: 1, minLongitude: 1, maxLatitude: 1, maxLongitude: 1),
                target: City.rome.bounds
            ).scale == 1)
    }

    @Test func theCoreLeavesOutTheOutermostPoints() throws {
        let points = (0..<100).map { GeoPoint(latitude: Double($0), longitude: Double(99 - $0)) }
        let core = try #require(CityFit.core(of: points, trimmed: 0.02))
        #expect(core == GeoBounds(minLatitude: 2, minLongitude: 2, maxLatitude: 97, maxLongitude: 97))
        #expect(CityFit.core(of: [], trimmed: 0.02) == nil)
    }
}
