import Glibc

/// One order of a recorded day.
package struct RecordedOrder: Sendable, Hashable {
    /// When, milliseconds from the recording's own zero.
    package var timeMs: Int64
    /// What was ordered.
    package var demand: DeliveryDemand

    /// Makes a recorded order.
    package init(timeMs: Int64, demand: DeliveryDemand) {
        self.timeMs = timeMs
        self.demand = demand
    }
}

/// A recorded day played back at a speed factor.
package struct ReplayPlan: Sendable {
    private let orders: [RecordedOrder]
    private let speedFactor: Double
    private var next = 0

    /// Plans a playback; orders of one time keep the order they are given in.
    /// - Parameters:
    ///   - orders: the recording, in any order.
    ///   - speedFactor: recorded seconds in one played second, above zero; 1 is real time.
    package init(_ orders: [RecordedOrder], speedFactor: Double) {
        self.orders = orders.enumerated()
            .sorted { ($0.element.timeMs, $0.offset) < ($1.element.timeMs, $1.offset) }
            .map(\.element)
        self.speedFactor = speedFactor > 0 && speedFactor.isFinite ? speedFactor : 1
    }

    /// How many orders are still to come.
    package var remaining: Int { orders.count - next }

    /// When the next order is due, milliseconds after the start of the playback; nil at the end.
    package var nextDueMs: Double? {
        guard next < orders.count else { return nil }
        return due(orders[next])
    }

    /// Takes out all orders due up to `elapsedMs` milliseconds after the start of the playback.
    package mutating func take(upToMs elapsedMs: Double) -> [DeliveryDemand] {
        var taken: [DeliveryDemand] = []
        while next < orders.count, due(orders[next]) <= elapsedMs {
            taken.append(orders[next].demand)
            next += 1
        }
        return taken
    }

    private func due(_ order: RecordedOrder) -> Double {
        Double(order.timeMs - orders[0].timeMs) / speedFactor
    }
}

/// Lays trips recorded in one city over another by shifting and one scale for both directions, so that shapes keep and
/// distances change alike.
package struct CityFit: Sendable, Hashable {
    private let source: GeoPoint
    private let target: GeoBounds
    /// Metres over the target for one metre in the recording.
    package let scale: Double

    /// Fits `source` into `target`: middle on middle, as large as both directions allow.
    ///
    /// Bounds without width or height keep their scale of 1.
    package init(source: GeoBounds, target: GeoBounds) {
        self.source = source.center
        self.target = target
        let wide = source.widthM > 0 ? target.widthM / source.widthM : .infinity
        let high = source.heightM > 0 ? target.heightM / source.heightM : .infinity
        let fitted = min(wide, high)
        scale = fitted.isFinite && fitted > 0 ? fitted : 1
    }

    /// Bounds of recorded points without their outermost ones: `trimmed` of them (0…0.4) are cut off at each edge.
    ///
    /// A few far trips would otherwise shrink all the others. Nil when there are no points.
    package static func core(of points: [GeoPoint], trimmed: Double) -> GeoBounds? {
        guard !points.isEmpty else { return nil }
        let latitudes = points.map(\.latitude).sorted()
        let longitudes = points.map(\.longitude).sorted()
        let cut = Int(Double(points.count) * min(0.4, max(0, trimmed)))
        let last = points.count - 1 - cut
        return GeoBounds(
            minLatitude: latitudes[cut], minLongitude: longitudes[cut],
            maxLatitude: latitudes[last], maxLongitude: longitudes[last])
    }

    /// The point over the target city; nil when it falls outside its bounds.
    package func place(_ point: GeoPoint) -> GeoPoint? {
        let center = target.center
        let shrink = cos(source.latitude.radians) / cos(center.latitude.radians)
        let placed = GeoPoint(
            latitude: center.latitude + (point.latitude - source.latitude) * scale,
            longitude: center.longitude + (point.longitude - source.longitude) * scale * shrink)
        return target.contains(placed) ? placed : nil
    }
}
