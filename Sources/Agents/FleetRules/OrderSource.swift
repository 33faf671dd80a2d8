/// Weights of parcels by their percentiles.
package struct WeightTable: Sendable, Hashable {
    /// One row: `percent` of all parcels weigh no more than `grams`.
    package struct Row: Sendable, Hashable {
        /// 0…100.
        package var percent: Double
        /// Grams.
        package var grams: Double

        /// Makes a row.
        package init(percent: Double, grams: Double) {
            self.percent = percent
            self.grams = grams
        }
    }

    private let rows: [Row]

    /// Makes a table; nil unless there are two rows or more that rise in percent and never fall in grams.
    package init?(_ rows: [Row]) {
        guard rows.count > 1, rows.allSatisfy({ $0.percent.isFinite && $0.grams.isFinite && $0.grams >= 0 }) else {
            return nil
        }
        for (lower, upper) in zip(rows, rows.dropFirst())
        where !(lower.percent < upper.percent && lower.grams <= upper.grams) {
            return nil
        }
        self.rows = rows
    }

    private init(trusted rows: [Row]) {
        self.rows = rows
    }

    /// Shares of shipping weights as published for 32,945 products of a Brazilian marketplace: 21 % up to 250 g, 41 %
    /// up to 500 g, 61 % up to 1 kg, 76 % up to 2 kg, 87 % up to 5 kg, 94 % up to 10 kg, 97 % up to 15 kg, cut at 30
    /// kg.
    package static let marketplace = WeightTable(trusted: [
        Row(percent: 0, grams: 50), Row(percent: 21, grams: 250), Row(percent: 41, grams: 500),
        Row(percent: 61, grams: 1_000), Row(percent: 76, grams: 2_000), Row(percent: 87, grams: 5_000),
        Row(percent: 94, grams: 10_000), Row(percent: 97, grams: 15_000), Row(percent: 100, grams: 30_000),
    ])

    /// The weight in kilograms at a percent, by linear interpolation; outside the table its first or last weight.
    package func kilograms(atPercent percent: Double) -> Double {
        var lower = rows[0]
        if percent <= lower.percent { return lower.grams / 1000 }
        for upper in rows.dropFirst() {
            if percent <= upper.percent {
                let share = (percent - lower.percent) / (upper.percent - lower.percent)
                return (lower.grams + share * (upper.grams - lower.grams)) / 1000
            }
            lower = upper
        }
        return lower.grams / 1000
    }

    /// A weight in kilograms drawn from the distribution.
    package func draw(using generator: inout some RandomNumberGenerator) -> Double {
        kilograms(atPercent: Double.random(in: 0..<100, using: &generator))
    }
}

/// Random orders over a city.
package struct OrderSource: Sendable {
    private let city: City
    private let weights: WeightTable
    private let maxWeightKg: Double

    /// Tries to hit a polygon inside its bounds before its first corner is taken: at half the area hit, one draw in a
    /// million runs out of them.
    private static let triesPerPoint = 20

    /// Orders between random places of the city's zones, no heavier than `maxWeightKg`.
    package init(city: City, weights: WeightTable, maxWeightKg: Double) {
        self.city = city
        self.weights = weights
        self.maxWeightKg = maxWeightKg
    }

    /// The next order: two zones drawn alike, a place in each, a weight from the table.
    package func next(using generator: inout some RandomNumberGenerator) -> DeliveryDemand {
        let origin = place(using: &generator)
        let destination = place(using: &generator)
        return DeliveryDemand(
            origin: origin, destination: destination, weightKg: min(maxWeightKg, weights.draw(using: &generator)))
    }

    /// A random place in a random zone, or anywhere in the bounds of a city without zones.
    package func place(using generator: inout some RandomNumberGenerator) -> GeoPoint {
        guard let zone = city.zones.randomElement(using: &generator) else {
            return Self.point(in: city.bounds, using: &generator)
        }
        return Self.point(in: zone.polygon, using: &generator) ?? city.bounds.center
    }

    /// A random point in a polygon: uniform by rejection; nil for a polygon without corners.
    package static func point(
        in polygon: GeoPolygon, using generator: inout some RandomNumberGenerator
    ) -> GeoPoint? {
        guard let bounds = polygon.bounds else { return nil }
        for _ in 0..<triesPerPoint {
            let candidate = point(in: bounds, using: &generator)
            if polygon.contains(candidate) { return candidate }
        }
        return polygon.corners.first
    }

    private static func point(in bounds: GeoBounds, using generator: inout some RandomNumberGenerator) -> GeoPoint {
        GeoPoint(
            latitude: .random(in: bounds.minLatitude...bounds.maxLatitude, using: &generator),
            longitude: .random(in: bounds.minLongitude...bounds.maxLongitude, using: &generator))
    }
}
