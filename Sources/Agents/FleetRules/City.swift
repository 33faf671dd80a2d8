/// A named part of the city.
package struct Zone: Sendable, Hashable {
    /// A short stable id, unique in its city.
    package var id: String
    /// What people call it.
    package var name: String
    /// Its border.
    package var polygon: GeoPolygon

    /// Makes a zone from its parts.
    package init(id: String, name: String, polygon: GeoPolygon) {
        self.id = id
        self.name = name
        self.polygon = polygon
    }
}

/// A place where drones land and charge.
package struct ChargePoint: Sendable, Hashable {
    /// A short stable id, unique in its city.
    package var id: String
    /// Where it stands.
    package var position: GeoPoint

    /// Makes a charge point from its parts.
    package init(id: String, position: GeoPoint) {
        self.id = id
        self.position = position
    }
}

/// The ground a fleet works over.
package struct City: Sendable, Hashable {
    /// Orders outside are not taken.
    package var bounds: GeoBounds
    /// The zones; a point in none of them is still served when it is inside ``bounds``.
    package var zones: [Zone]
    /// Where drones charge; at least one, or nothing can be delivered.
    package var chargePoints: [ChargePoint]
    /// Areas where no order may begin or end.
    package var noFly: [Zone]

    /// Makes a city from its parts.
    package init(bounds: GeoBounds, zones: [Zone], chargePoints: [ChargePoint], noFly: [Zone]) {
        self.bounds = bounds
        self.zones = zones
        self.chargePoints = chargePoints
        self.noFly = noFly
    }

    /// The first zone in order that holds the point; nil outside all of them.
    package func zone(at point: GeoPoint) -> Zone? {
        zones.first { $0.polygon.contains(point) }
    }

    /// Whether the point lies in a no-fly area.
    package func isForbidden(_ point: GeoPoint) -> Bool {
        noFly.contains { $0.polygon.contains(point) }
    }

    /// The nearest charge point and its distance in metres; of two equally near the one with the smaller id.
    package func nearestChargePoint(to point: GeoPoint) -> (chargePoint: ChargePoint, distanceM: Double)? {
        var best: (chargePoint: ChargePoint, distanceM: Double)?
        for candidate in chargePoints {
            let distance = point.distance(to: candidate.position)
            if let held = best {
                let isNearer = distance < held.distanceM
                let isTie = distance == held.distanceM && candidate.id < held.chargePoint.id
                if !isNearer && !isTie { continue }
            }
            best = (candidate, distance)
        }
        return best
    }
}
