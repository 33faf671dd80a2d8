package import FleetRules

/// A place as documents have it: `{"lat", "lon"}`, degrees with seven decimals (about a centimetre).
package struct PositionDocument: Codable, Sendable, Hashable {
    /// Degrees north.
    package var lat: Double
    /// Degrees east.
    package var lon: Double

    /// The document of a place.
    package init(_ point: GeoPoint) {
        lat = point.latitude.rounded(decimals: 7)
        lon = point.longitude.rounded(decimals: 7)
    }

    /// The place.
    package var point: GeoPoint { GeoPoint(latitude: lat, longitude: lon) }
}
