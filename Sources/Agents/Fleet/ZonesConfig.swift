package import FleetRules

/// The city as it is stored under `zones_config` and answered by `GET /zones`. Polygons are `[longitude, latitude]`
/// pairs.
package struct ZonesConfig: Codable, Sendable, Hashable {
    /// A rectangle.
    package struct Bounds: Codable, Sendable, Hashable {
        /// The southern edge, degrees.
        package var minLat: Double
        /// The western edge, degrees.
        package var minLon: Double
        /// The northern edge, degrees.
        package var maxLat: Double
        /// The eastern edge, degrees.
        package var maxLon: Double

        private enum CodingKeys: String, CodingKey {
            case minLat = "min_lat"
            case minLon = "min_lon"
            case maxLat = "max_lat"
            case maxLon = "max_lon"
        }
    }

    /// A named polygon.
    package struct Area: Codable, Sendable, Hashable {
        /// Unique among its kind.
        package var id: String
        /// What people call it.
        package var name: String
        /// `[longitude, latitude]` pairs.
        package var polygon: [[Double]]
    }

    /// A charge point.
    package struct Charger: Codable, Sendable, Hashable {
        /// Unique.
        package var id: String
        /// Where it stands.
        package var position: PositionDocument
    }

    /// The rectangle that orders lie in.
    package var bounds: Bounds
    /// The zones.
    package var zones: [Area]
    /// The charge points.
    package var chargePoints: [Charger]
    /// The no-fly areas.
    package var noFly: [Area]

    private enum CodingKeys: String, CodingKey {
        case bounds, zones
        case chargePoints = "charge_points"
        case noFly = "no_fly"
    }

    /// The document of a city.
    package init(_ city: City) {
        bounds = Bounds(
            minLat: city.bounds.minLatitude, minLon: city.bounds.minLongitude, maxLat: city.bounds.maxLatitude,
            maxLon: city.bounds.maxLongitude)
        zones = city.zones.map(Self.area)
        chargePoints = city.chargePoints.map { Charger(id: $0.id, position: PositionDocument($0.position)) }
        noFly = city.noFly.map(Self.area)
    }

    /// The city.
    /// - Throws: ``DocumentError`` for polygons of fewer than three corners, corners that are not pairs, places off the
    ///   globe, bounds that are inside out, or no charge point.
    package func city() throws(DocumentError) -> City {
        let city = City(
            bounds: GeoBounds(
                minLatitude: bounds.minLat, minLongitude: bounds.minLon, maxLatitude: bounds.maxLat,
                maxLongitude: bounds.maxLon),
            zones: try Self.zones(zones, "zones"),
            chargePoints: chargePoints.map { ChargePoint(id: $0.id, position: $0.position.point) },
            noFly: try Self.zones(noFly, "no_fly"))
        guard bounds.minLat < bounds.maxLat, bounds.minLon < bounds.maxLon else {
            throw DocumentError(key: Self.key, problem: "bounds are inside out or empty")
        }
        guard !city.chargePoints.isEmpty else {
            throw DocumentError(key: Self.key, problem: "charge_points is empty; drones need one at least")
        }
        guard let wrong = city.chargePoints.first(where: { !$0.position.isValid }) else { return city }
        throw DocumentError(key: Self.key, problem: "charge point \(wrong.id) is not on the globe")
    }

    private static let key = "zones_config"

    private static func area(_ zone: Zone) -> Area {
        Area(id: zone.id, name: zone.name, polygon: zone.polygon.corners.map { [$0.longitude, $0.latitude] })
    }

    private static func zones(_ areas: [Area], _ field: String) throws(DocumentError) -> [Zone] {
        var zones: [Zone] = []
        for area in areas {
            var corners: [GeoPoint] = []
            for pair in area.polygon {
                guard pair.count >= 2 else {
                    throw DocumentError(key: key, problem: "a corner of \(field).\(area.id) is no [lon, lat] pair")
                }
                let corner = GeoPoint(latitude: pair[1], longitude: pair[0])
                guard corner.isValid else {
                    throw DocumentError(key: key, problem: "a corner of \(field).\(area.id) is not on the globe")
                }
                corners.append(corner)
            }
            let polygon = GeoPolygon(corners)
            guard polygon.corners.count > 2 else {
                throw DocumentError(key: key, problem: "\(field).\(area.id) has fewer than three corners")
            }
            zones.append(Zone(id: area.id, name: area.name, polygon: polygon))
        }
        return zones
    }
}
