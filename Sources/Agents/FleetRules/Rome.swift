extension City {
    /// The city that is used when none is configured: Rome.
    ///
    /// Zones, charge points and the no-fly area are drawn for this project: plain shapes around well-known places, not
    /// administrative borders. The no-fly area stands around the airport of Ciampino and touches no zone.
    package static let rome = City(
        bounds: GeoBounds(minLatitude: 41.79, minLongitude: 12.36, maxLatitude: 41.99, maxLongitude: 12.62),
        zones: [
            zone("centro", "Centro", [(12.464, 41.884), (12.506, 41.884), (12.506, 41.911), (12.464, 41.911)]),
            zone("prati", "Prati", [(12.425, 41.898), (12.464, 41.898), (12.464, 41.934), (12.425, 41.925)]),
            zone("flaminio", "Flaminio", [(12.464, 41.911), (12.490, 41.911), (12.490, 41.955), (12.464, 41.945)]),
            zone("parioli", "Parioli", [(12.490, 41.911), (12.530, 41.911), (12.525, 41.950), (12.490, 41.955)]),
            zone(
                "tiburtino", "Tiburtino",
                [(12.506, 41.890), (12.575, 41.893), (12.570, 41.925), (12.530, 41.911), (12.506, 41.911)]),
            zone("prenestino", "Prenestino", [(12.520, 41.862), (12.590, 41.862), (12.575, 41.893), (12.515, 41.890)]),
            zone(
                "san-giovanni", "San Giovanni",
                [(12.490, 41.862), (12.520, 41.862), (12.515, 41.884), (12.490, 41.884)]),
            zone("testaccio", "Testaccio", [(12.464, 41.862), (12.490, 41.862), (12.490, 41.884), (12.464, 41.884)]),
            zone("trastevere", "Trastevere", [(12.435, 41.862), (12.464, 41.862), (12.464, 41.898), (12.440, 41.898)]),
            zone("eur", "EUR", [(12.440, 41.815), (12.495, 41.815), (12.490, 41.862), (12.440, 41.862)]),
        ],
        chargePoints: [
            ChargePoint(id: "cp-centro", position: GeoPoint(latitude: 41.8990, longitude: 12.4840)),
            ChargePoint(id: "cp-prati", position: GeoPoint(latitude: 41.9140, longitude: 12.4430)),
            ChargePoint(id: "cp-parioli", position: GeoPoint(latitude: 41.9330, longitude: 12.5050)),
            ChargePoint(id: "cp-tiburtino", position: GeoPoint(latitude: 41.9020, longitude: 12.5420)),
            ChargePoint(id: "cp-prenestino", position: GeoPoint(latitude: 41.8730, longitude: 12.5450)),
            ChargePoint(id: "cp-trastevere", position: GeoPoint(latitude: 41.8740, longitude: 12.4560)),
            ChargePoint(id: "cp-eur", position: GeoPoint(latitude: 41.8370, longitude: 12.4680)),
        ],
        noFly: [
            zone("ciampino", "Ciampino", [(12.575, 41.790), (12.612, 41.790), (12.612, 41.812), (12.575, 41.812)])
        ])

    /// A zone from (longitude, latitude) pairs, the order GeoJSON uses.
    private static func zone(_ id: String, _ name: String, _ corners: [(Double, Double)]) -> Zone {
        Zone(id: id, name: name, polygon: GeoPolygon(corners.map { GeoPoint(latitude: $0.1, longitude: $0.0) }))
    }
}
