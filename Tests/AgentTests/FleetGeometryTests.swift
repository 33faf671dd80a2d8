import FleetRules
import Testing

@Suite("Fleet: geometry")
struct FleetGeometryTests {
    let rome = GeoPoint(latitude: 41.9028, longitude: 12.4964)
    let milan = GeoPoint(latitude: 45.4642, longitude: 9.19)

    // Expectations from vector algebra on the same sphere (angle by cross and dot product), not from the haversine.
    @Test func distancesMatchVectorAlgebra() {
        #expect(abs(rome.distance(to: milan) - 476_885.34) < 0.01)
        let meridian = GeoPoint(latitude: 41, longitude: 12).distance(to: GeoPoint(latitude: 42, longitude: 12))
        #expect(abs(meridian - 111_195.08) < 0.01)
        let colosseum = GeoPoint(latitude: 41.8902, longitude: 12.4922)
        let basilica = GeoPoint(latitude: 41.9022, longitude: 12.4539)
        #expect(abs(colosseum.distance(to: basilica) - 3_439.42) < 0.01)
        #expect(rome.distance(to: rome) == 0)
    }

    @Test func bearingsMatchTangentVectors() {
        #expect(abs(rome.bearing(to: milan) - 327.254) < 0.001)
        let here = GeoPoint(latitude: 41.9, longitude: 12.5)
        #expect(here.bearing(to: GeoPoint(latitude: 42, longitude: 12.5)) == 0)
        #expect(abs(here.bearing(to: GeoPoint(latitude: 41.8, longitude: 12.5)) - 180) < 1e-9)
        #expect(abs(here.bearing(to: GeoPoint(latitude: 41.9, longitude: 12.501)) - 90) < 0.01)
        #expect(abs(here.bearing(to: GeoPoint(latitude: 41.9, longitude: 12.499)) - 270) < 0.01)
        #expect(here.bearing(to: here) == 0)
    }

    @Test func steppingCoversTheAskedDistanceAndStopsAtTheTarget() {
        let start = GeoPoint(latitude: 41.86, longitude: 12.44)
        let end = GeoPoint(latitude: 41.93, longitude: 12.54)
        let whole = start.distance(to: end)
        let part = start.stepped(towards: end, metres: 2_500)
        #expect(abs(start.distance(to: part) - 2_500) < 1)
        #expect(abs(part.distance(to: end) - (whole - 2_500)) < 1)
        #expect(start.stepped(towards: end, metres: whole + 1) == end)
        #expect(start.stepped(towards: end, metres: 0) == start)
        #expect(start.stepped(towards: start, metres: 5) == start)
    }

    @Test func polygonsKnowTheirInsideAlsoWhenTheyAreNotConvex() {
        // A "U": the notch between the arms is outside.
        let shape = GeoPolygon(
            [(0, 0), (6, 0), (6, 6), (4, 6), (4, 2), (2, 2), (2, 6), (0, 6), (0, 0)]
                .map { GeoPoint(latitude: Double($0.1), longitude: Double($0.0)) })
        #expect(shape.corners.count == 8)
        let expected: [(longitude: Double, latitude: Double, inside: Bool)] = [
            (1, 5, true), (5, 5, true), (3, 5, false), (3, 1, true), (7, 1, false), (-1, 1, false), (3, 7, false),
        ]
        for sample in expected {
            let point = GeoPoint(latitude: sample.latitude, longitude: sample.longitude)
            #expect(shape.contains(point) == sample.inside, "\(point)")
        }
        #expect(!GeoPolygon([]).contains(rome))
    }

    @Test func aPointOnASharedBorderIsInExactlyOneZone() {
        let west = GeoPolygon([(0, 0), (1, 0), (1, 1), (0, 1)].map { GeoPoint(latitude: $0.1, longitude: $0.0) })
        let east = GeoPolygon([(1, 0), (2, 0), (2, 1), (1, 1)].map { GeoPoint(latitude: $0.1, longitude: $0.0) })
        let border = GeoPoint(latitude: 0.5, longitude: 1)
        #expect([west, east].filter { $0.contains(border) }.count == 1)
    }

    @Test func romeIsSound() {
        let rome = City.rome
        #expect(rome.chargePoints.count >= 6)
        #expect(Set(rome.zones.map(\.id)).count == rome.zones.count)
        for corner in rome.zones.flatMap(\.polygon.corners) {
            #expect(rome.bounds.contains(corner))
            #expect(!rome.isForbidden(corner))
        }
        for chargePoint in rome.chargePoints { #expect(rome.bounds.contains(chargePoint.position)) }
        // Piazza Navona, San Pietro square, the EUR lake; the airport is forbidden and in no zone.
        #expect(rome.zone(at: GeoPoint(latitude: 41.8992, longitude: 12.4731))?.id == "centro")
        #expect(rome.zone(at: GeoPoint(latitude: 41.9022, longitude: 12.4572))?.id == "prati")
        #expect(rome.zone(at: GeoPoint(latitude: 41.8300, longitude: 12.4660))?.id == "eur")
        let airport = GeoPoint(latitude: 41.7994, longitude: 12.5949)
        #expect(rome.isForbidden(airport) && rome.zone(at: airport) == nil)
        let navona = rome.nearestChargePoint(to: GeoPoint(latitude: 41.8992, longitude: 12.4731))
        #expect(navona?.chargePoint.id == "cp-centro")
    }

    @Test func equallyNearChargePointsAreToldApartByTheirIDs() {
        var city = City.rome
        let place = GeoPoint(latitude: 41.9, longitude: 12.5)
        city.chargePoints = ["b", "a", "c"].map { ChargePoint(id: $0, position: place) }
        #expect(city.nearestChargePoint(to: .init(latitude: 41.8, longitude: 12.5))?.chargePoint.id == "a")
        city.chargePoints = []
        #expect(city.nearestChargePoint(to: place) == nil)
    }
}
