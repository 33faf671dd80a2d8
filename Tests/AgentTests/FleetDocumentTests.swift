import Fleet
import FleetRules
import FoundationEssentials
import Testing
import Wire

@Suite("Fleet: documents and ids")
struct FleetDocumentTests {
    let origin = GeoPoint(latitude: 41.90123456789, longitude: 12.47)
    let destination = GeoPoint(latitude: 41.88, longitude: 12.5)

    /// The names of a JSON object's members.
    func members(_ bytes: [UInt8]) throws -> [String] {
        struct AnyKey: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        struct Names: Decodable {
            var names: [String]
            init(from decoder: any Decoder) throws {
                names = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).sorted()
            }
        }
        return try JSONDecoder().decode(Names.self, from: Data(bytes)).names
    }

    @Test func aPendingDeliveryHasTheFieldsOfTheContract() throws {
        let delivery = Delivery(
            id: "D", origin: origin, destination: destination, weightKg: 1.5, timestampMs: 1_769_847_330_250,
            zone: "centro")
        let json = String(decoding: FleetJSON.encode(DeliveryDocument.shown(delivery)), as: UTF8.self)
        #expect(
            json == """
                {"assigned_at":null,"delivered_at":null,"destination":{"lat":41.88,"lon":12.5},"drone_id":null,\
                "eta":null,"id":"D","origin":{"lat":41.9012346,"lon":12.47},"picked_up_at":null,"revision":1,\
                "status":"pending","timestamp":"2026-01-31T08:15:30.250Z","weight":1.5,"zone":"centro"}
                """)
    }

    @Test func aDeliveryComesBackWithEverything() throws {
        var delivery = Delivery(
            id: "D", origin: destination, destination: destination, weightKg: 1.5, timestampMs: 1_000, zone: nil)
        delivery = try delivery.applying(.assign(droneID: "d1", etaMs: 9_000), nowMs: 2_000, token: "abc")
        delivery = try delivery.applying(.pickUp, nowMs: 3_000)
        delivery = try delivery.applying(.fail(reason: "drone_lost"), nowMs: 4_000)
        let bytes = FleetJSON.encode(DeliveryDocument(delivery))
        #expect(try FleetJSON.decode(DeliveryDocument.self, from: bytes, key: "k").delivery == delivery)
        let shown = FleetJSON.encode(DeliveryDocument.shown(delivery))
        #expect(try members(shown).contains("unpublished") == false)
        #expect(try members(bytes).contains("unpublished"))
        #expect(try FleetJSON.decode(DeliveryDocument.self, from: shown, key: "k").delivery.marks.isEmpty)
    }

    @Test func aDroneHasTheFieldsOfTheContractAndComesBack() throws {
        let idle = Drone(
            id: "d00001", type: .medium, status: .idle, battery: 81.5, position: destination, heading: 90.5,
            isAtCharge: true, updatedAtMs: 5_000)
        let bytes = FleetJSON.encode(DroneDocument(idle))
        #expect(
            try members(bytes) == [
                "altitude", "at_charge", "battery", "delivery_id", "heading", "id", "position", "speed", "status",
                "type", "updated_at",
            ])
        #expect(try FleetJSON.decode(DroneDocument.self, from: bytes, key: "k").drone == idle)
        let busy = idle.assigned(
            Mission(
                deliveryID: "D", origin: destination, destination: destination, weightKg: 2, stage: .toDestination),
            token: "t")
        let busyBytes = FleetJSON.encode(DroneDocument(busy))
        #expect(try FleetJSON.decode(DroneDocument.self, from: busyBytes, key: "k").drone == busy)
        #expect(String(decoding: busyBytes, as: UTF8.self).contains("\"delivery_id\":\"D\""))
    }

    @Test(arguments: [
        (#"{"id":"a"}"#, "battery is missing"),
        (
            #"{"id":"a","type":"huge","status":"idle","battery":5,"position":{"lat":1,"lon":2}}"#,
            "\"huge\" is not known"
        ),
        (#"{"id":"a","type":"light","status":"idle","battery":101,"position":{"lat":1,"lon":2}}"#, "not within 0…100"),
        (#"{"id":"a","type":"light","status":"idle","battery":5,"position":{"lat":91,"lon":2}}"#, "not on the globe"),
        (#"{"id":"a","type":"light","status":"idle","battery":"x","position":{"lat":1,"lon":2}}"#, "battery is not a"),
        (#"nonsense"#, ""),
    ])
    func aDocumentThatCannotBeReadSaysWhy(_ text: String, _ why: String) {
        #expect {
            _ = try FleetJSON.decode(DroneDocument.self, from: Array(text.utf8), key: "drone:a")
        } throws: { error in
            guard let error = error as? DocumentError else { return false }
            return error.key == "drone:a" && (why.isEmpty || error.problem.contains(why))
        }
    }

    @Test func theCityComesBackAndBadOnesAreRefused() throws {
        let bytes = FleetJSON.encode(ZonesConfig(.rome))
        let config = try FleetJSON.decode(ZonesConfig.self, from: bytes, key: "zones_config")
        #expect(try config.city() == .rome)
        #expect(try members(bytes) == ["bounds", "charge_points", "no_fly", "zones"])
        #expect(
            String(decoding: bytes, as: UTF8.self).contains(
                #""bounds":{"max_lat":41.99,"max_lon":12.62,"min_lat":41.79,"min_lon":12.36}"#))
        var noCharge = config
        noCharge.chargePoints = []
        #expect(throws: DocumentError.self) { try noCharge.city() }
        var thin = config
        thin.zones[0].polygon = [[12, 41], [12.1, 41]]
        #expect(throws: DocumentError.self) { try thin.city() }
        var single = config
        single.zones[0].polygon[0] = [12]
        #expect(throws: DocumentError.self) { try single.city() }
    }

    @Test func idsSortByTheirTime() throws {
        var generator = SplitMix64(seed: 5)
        let times: [Int64] = [0, 1, 31, 32, 1_000, 1_770_000_000_000, 1_770_000_000_001, (1 << 48) - 1]
        let ids = times.map { DeliveryID.make(timeMs: $0, using: &generator) }
        #expect(ids == ids.sorted())
        for (id, time) in zip(ids, times) {
            #expect(id.utf8.count == 26)
            #expect(DeliveryID.timeMs(of: id) == time)
            #expect(DeliveryID.lowerBound(timeMs: time) <= id)
            if time < times[7] { #expect(id < DeliveryID.lowerBound(timeMs: time + 1)) }
        }
        #expect(DeliveryID.make(timeMs: 5, using: &generator) != DeliveryID.make(timeMs: 5, using: &generator))
        // The example of the ULID specification: 1469918176385 ms are 01ARYZ6S41.
        #expect(DeliveryID.lowerBound(timeMs: 1_469_918_176_385) == "01ARYZ6S41")
        #expect(DeliveryID.timeMs(of: "short") == nil)
        #expect(DeliveryID.timeMs(of: "01arYZ6S41TSV4RRFFQ69G5FAV") == nil)
    }

    @Test func eventsCarryIDVersionAndPublisher() throws {
        let version = Ballot(time: HybridTime(77), node: NodeID(2))
        let delivery = Delivery(
            id: "D", origin: destination, destination: destination, weightKg: 1, timestampMs: 1_000, zone: nil)
        let mark = try #require(delivery.marks.first)
        let event = FleetEvent.record(
            Versioned(delivery, version: version), mark: mark, publisher: "p", nowMs: 7)
        #expect(event.topic == "delivery_requests")
        #expect(FleetEvent.header("event-id", of: event.record) == "D:1")
        #expect(FleetEvent.header("by", of: event.record) == "p")
        guard case .delivery(let read, let readVersion) = try FleetEvent(event.record, topic: event.topic) else {
            Issue.record("not a delivery")
            return
        }
        #expect(readVersion == version && read.id == "D" && read.marks.isEmpty)
        let later = try delivery.applying(.cancel(reason: "x"), nowMs: 2)
        let cancelled = FleetEvent.record(
            Versioned(later, version: version), mark: later.marks[1], publisher: "p", nowMs: 7)
        #expect(cancelled.topic == "delivery_status")
        let stranger = Record(key: nil, value: Array("{}".utf8), timestampMs: 0)
        #expect(throws: DocumentError.self) { try FleetEvent(stranger, topic: "delivery_status") }
    }

    @Test func recentIDsForgetTheOldest() {
        var recent = RecentIDs(capacity: 2)
        let first = ["a", "b", "a", "c"].map { recent.insert($0) }
        #expect(first == [true, true, false, true])
        #expect(!recent.contains("a") && recent.contains("b") && recent.contains("c"))
        let again = recent.insert("a")
        #expect(again && !recent.contains("b"))
    }

    @Test func newestIDsStaySortedAndBounded() {
        var newest = NewestIDs(capacity: 3)
        for id in ["b", "d", "c", "d", "a", "e"] { newest.insert(id) }
        #expect(newest.takeIfChanged() == ["e", "d", "c"])
        newest.insert("d")
        newest.insert("a")
        #expect(newest.takeIfChanged() == nil)
    }
}
