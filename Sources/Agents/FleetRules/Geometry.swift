import Glibc

/// A place on the ground, WGS84.
package struct GeoPoint: Sendable, Hashable {
    /// Degrees north, −90…90.
    package var latitude: Double
    /// Degrees east, −180…180.
    package var longitude: Double

    /// Makes a point from degrees; nothing is checked here, see ``isValid``.
    package init(latitude: Double, longitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
    }

    /// Whether both coordinates are finite and in range.
    package var isValid: Bool {
        latitude.isFinite && longitude.isFinite && (-90...90).contains(latitude) && (-180...180).contains(longitude)
    }

    /// The great-circle distance in metres by the haversine formula on a sphere.
    ///
    /// The sphere differs from the ellipsoid by at most 0.5 %, far less than the energy model's own error.
    package func distance(to other: GeoPoint) -> Double {
        let latitude1 = latitude.radians
        let latitude2 = other.latitude.radians
        let halfLatitude = sin((latitude2 - latitude1) / 2)
        let halfLongitude = sin((other.longitude - longitude).radians / 2)
        let chord = halfLatitude * halfLatitude + cos(latitude1) * cos(latitude2) * halfLongitude * halfLongitude
        return 2 * Earth.radiusM * asin(min(1, chord.squareRoot()))
    }

    /// The initial bearing towards `other`, degrees clockwise from north in 0..<360; 0 for the same point.
    package func bearing(to other: GeoPoint) -> Double {
        if self == other { return 0 }
        let latitude1 = latitude.radians
        let latitude2 = other.latitude.radians
        let difference = (other.longitude - longitude).radians
        let east = sin(difference) * cos(latitude2)
        let north = cos(latitude1) * sin(latitude2) - sin(latitude1) * cos(latitude2) * cos(difference)
        let degrees = atan2(east, north) * 180 / .pi
        let turned = degrees < 0 ? degrees + 360 : degrees
        return turned >= 360 ? 0 : turned
    }

    /// The point `metres` along the straight leg towards `target`, which it never passes.
    ///
    /// Over the legs of a city (tens of kilometres) a leg is straight in latitude and longitude to within a metre,
    /// so the step interpolates linearly.
    /// - Parameters:
    ///   - target: the end of the leg.
    ///   - metres: how far to go; zero or less stays where it is.
    ///   - length: the distance to `target` in metres when the caller already knows it.
    package func stepped(towards target: GeoPoint, metres: Double, length: Double? = nil) -> GeoPoint {
        let whole = length ?? distance(to: target)
        if metres >= whole { return target }
        if metres <= 0 { return self }
        let share = metres / whole
        return GeoPoint(
            latitude: latitude + (target.latitude - latitude) * share,
            longitude: longitude + (target.longitude - longitude) * share)
    }
}

/// The sphere that distances are measured on.
package enum Earth {
    /// The mean radius of the WGS84 ellipsoid in metres, (2a + b) / 3 (IUGG).
    package static let radiusM = 6_371_008.8

    /// Metres in one degree of latitude on that sphere.
    package static let metresPerDegree = radiusM * .pi / 180
}

/// A closed ring of points; the last edge leads back to the first point.
package struct GeoPolygon: Sendable, Hashable {
    /// The corners in order, the first one not repeated at the end.
    package let corners: [GeoPoint]

    /// Makes a ring; a last corner that repeats the first, as GeoJSON writes it, is dropped.
    package init(_ corners: [GeoPoint]) {
        if corners.count > 1, corners.first == corners.last {
            self.corners = Array(corners.dropLast())
        } else {
            self.corners = corners
        }
    }

    /// Whether the point is inside, by counting the edges that a ray to the east crosses (even–odd rule).
    ///
    /// Half-open edges make polygons that share a border disjoint: a point on the border is in one of them only.
    package func contains(_ point: GeoPoint) -> Bool {
        guard corners.count > 2 else { return false }
        var inside = false
        var previous = corners[corners.count - 1]
        for corner in corners {
            if (corner.latitude > point.latitude) != (previous.latitude > point.latitude) {
                let share = (point.latitude - corner.latitude) / (previous.latitude - corner.latitude)
                let crossing = corner.longitude + share * (previous.longitude - corner.longitude)
                if point.longitude < crossing { inside.toggle() }
            }
            previous = corner
        }
        return inside
    }

    /// The smallest bounds that hold every corner; nil for an empty ring.
    package var bounds: GeoBounds? { GeoBounds(enclosing: corners) }
}

/// A rectangle in latitude and longitude that does not cross the antimeridian.
package struct GeoBounds: Sendable, Hashable {
    /// The southern edge, degrees.
    package var minLatitude: Double
    /// The western edge, degrees.
    package var minLongitude: Double
    /// The northern edge, degrees.
    package var maxLatitude: Double
    /// The eastern edge, degrees.
    package var maxLongitude: Double

    /// Makes bounds from their four edges in degrees.
    package init(minLatitude: Double, minLongitude: Double, maxLatitude: Double, maxLongitude: Double) {
        self.minLatitude = minLatitude
        self.minLongitude = minLongitude
        self.maxLatitude = maxLatitude
        self.maxLongitude = maxLongitude
    }

    /// The smallest bounds that hold all points; nil when there are none.
    package init?(enclosing points: [GeoPoint]) {
        guard let first = points.first else { return nil }
        self.init(
            minLatitude: first.latitude, minLongitude: first.longitude,
            maxLatitude: first.latitude, maxLongitude: first.longitude)
        for point in points.dropFirst() {
            minLatitude = min(minLatitude, point.latitude)
            minLongitude = min(minLongitude, point.longitude)
            maxLatitude = max(maxLatitude, point.latitude)
            maxLongitude = max(maxLongitude, point.longitude)
        }
    }

    /// Whether the point is inside or on an edge.
    package func contains(_ point: GeoPoint) -> Bool {
        (minLatitude...maxLatitude).contains(point.latitude) && (minLongitude...maxLongitude).contains(point.longitude)
    }

    /// The middle of the rectangle.
    package var center: GeoPoint {
        GeoPoint(latitude: (minLatitude + maxLatitude) / 2, longitude: (minLongitude + maxLongitude) / 2)
    }

    /// From edge to edge, south to north, in metres.
    package var heightM: Double { (maxLatitude - minLatitude) * Earth.metresPerDegree }

    /// From edge to edge, west to east, in metres, measured at the middle latitude.
    package var widthM: Double {
        (maxLongitude - minLongitude) * Earth.metresPerDegree * cos(center.latitude.radians)
    }
}

extension Double {
    /// Degrees as radians.
    var radians: Double { self * .pi / 180 }
}
