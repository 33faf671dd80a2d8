import Fleet
import FleetRules
import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// The table *Fleet* of the HTTP contract.
struct FleetRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/zones", .open, zones),
            Route(.post, "/deliveries", .client, body: .json, order),
            Route(.get, "/deliveries", .client, deliveries),
            Route(.get, "/deliveries/{id}", .client, delivery),
            Route(.post, "/deliveries/{id}/cancel", .client, cancel),
            Route(.get, "/drones", .client, drones),
            Route(.get, "/drones/{id}", .client, drone),
            Route(.patch, "/drones/{id}", .operator, body: .json, patch),
            Route(.get, "/fleet/stats", .client, statistics),
            Route(.get, "/fleet/stream", .client, isStream: true) { try await services.fleetFeed.response(to: $0) },
        ]
    }

    private func zones(_ call: Call) async throws -> Response {
        .json(FleetJSON.encode(ZonesConfig(try await services.fleet.zones())))
    }

    // MARK: Deliveries

    private func order(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let origin = fields.position("origin").map { GeoPoint(latitude: $0.latitude, longitude: $0.longitude) }
        let destination = fields.position("destination").map {
            GeoPoint(latitude: $0.latitude, longitude: $0.longitude)
        }
        let weight = fields.number("weight")
        let heaviest = services.fleet.rules.heaviestPayloadKg
        if let weight, !(weight > 0 && weight <= heaviest) {
            fields.add("weight", "expected kilograms above 0, at most \(heaviest), found \(weight)")
        }
        if origin != nil || destination != nil {
            let city = try await services.fleet.zones()
            for (name, point) in [("origin", origin), ("destination", destination)] {
                guard let point else { continue }
                if !city.bounds.contains(point) { fields.add(name, "lies outside the city's bounds, see /zones") }
                if city.isForbidden(point) { fields.add(name, "lies in a no-fly area, see /zones") }
            }
        }
        try fields.check()
        guard let origin, let destination, let weight else {
            preconditionFailure("fields without errors are all there")
        }
        let (delivery, isNew) = try await services.fleet.createDelivery(
            DeliveryDemand(origin: origin, destination: destination, weightKg: weight),
            idempotencyKey: call.header(.idempotencyKey))
        return .json(
            Self.document(delivery.value), status: isNew ? .created : .ok,
            headers: [.location: "/deliveries/\(PercentCoding.encoded(delivery.value.id))"])
    }

    private func deliveries(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let status = try call.query.word("status", DeliveryStatus.self)
        let cursor = try PageCursor.place(.deliveries, in: call.query).map { String(decoding: $0, as: UTF8.self) }
        let page = try await services.fleet.deliveries(cursor: cursor, limit: limit, statuses: status.map { [$0] })
        return Response.object(capacity: 256 + page.deliveries.count * 512) {
            $0.member("count", page.deliveries.count)
            $0.name("items")
            $0.array { for delivery in page.deliveries { $0.raw(Self.document(delivery.value)) } }
            $0.member("next_cursor", page.nextCursor.map { PageCursor.text(.deliveries, Array($0.utf8)) })
        }
    }

    private func delivery(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        _ = try KeyName.key(FleetNames.deliveryPrefix + id, field: "id")
        guard let delivery = try await services.fleet.delivery(id) else {
            throw Problem.notFound("delivery", "there is no delivery \(id)")
        }
        return .json(Self.document(delivery.value))
    }

    private func cancel(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        _ = try KeyName.key(FleetNames.deliveryPrefix + id, field: "id")
        return .json(Self.document(try await services.fleet.cancelDelivery(id).value))
    }

    private static func document(_ delivery: Delivery) -> [UInt8] { FleetJSON.encode(DeliveryDocument.shown(delivery)) }

    // MARK: Drones

    private func drones(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let status = try call.query.word("status", DroneStatus.self)
        let type = try call.query.word("type", DroneClass.self)
        var after = try PageCursor.place(.drones, in: call.query) ?? []
        var items: [[UInt8]] = []
        var lookedAt = 0
        var next: [UInt8]?
        // Documents are passed on as they are stored: reading and writing them anew would cost more than fetching them.
        repeat {
            let page = try await services.client.scan(
                prefix: Array(FleetNames.dronePrefix.utf8), after: after, limit: limit - items.count)
            for item in page.items {
                guard case .value(let bytes) = item.cell.content, Self.isWanted(bytes, status, type) else { continue }
                items.append(bytes)
            }
            lookedAt += page.items.count
            next = page.resumeAfter
            after = next ?? []
        } while next != nil && items.count < limit && lookedAt < limits.pageLookedAtMax
        return Response.object(capacity: 256 + items.reduce(0) { $0 + $1.count }) {
            $0.member("count", items.count)
            $0.name("items")
            $0.array { for item in items { $0.raw(item) } }
            $0.member("next_cursor", next.map { PageCursor.text(.drones, $0) })
        }
    }

    /// Whether a stored document is a drone of this status and class; nil wants any.
    private static func isWanted(_ bytes: [UInt8], _ status: DroneStatus?, _ type: DroneClass?) -> Bool {
        guard status != nil || type != nil else { return JSONCheck.isValid(bytes) }
        guard let value = try? JSONValue(parsing: bytes) else { return false }
        let hasStatus = status.map { value["status"] == .string($0.rawValue) } ?? true
        return hasStatus && (type.map { value["type"] == .string($0.rawValue) } ?? true)
    }

    private func drone(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        _ = try KeyName.key(FleetNames.dronePrefix + id, field: "id")
        guard let drone = try await services.fleet.drone(id) else {
            throw Problem.notFound("drone", "there is no drone \(id)")
        }
        return .json(FleetJSON.encode(DroneDocument(drone.value)))
    }

    private func patch(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        _ = try KeyName.key(FleetNames.dronePrefix + id, field: "id")
        var fields = try BodyFields(call.body)
        fields.refuseOthers(than: ["status", "battery", "position"])
        var patch = DronePatch()
        if fields.object["status"] != nil { patch.status = fields.word("status", DroneStatus.self) }
        if fields.object["battery"] != nil {
            patch.battery = fields.number("battery")
            if let battery = patch.battery, !(0...100).contains(battery) {
                fields.add("battery", "expected 0 to 100, found \(battery)")
            }
        }
        if fields.object["position"] != nil, let position = fields.position("position") {
            let point = GeoPoint(latitude: position.latitude, longitude: position.longitude)
            if try await !services.fleet.zones().bounds.contains(point) {
                fields.add("position", "lies outside the city's bounds, see /zones")
            }
            patch.position = point
        }
        try fields.check()
        return .json(FleetJSON.encode(DroneDocument(try await services.fleet.patchDrone(id, patch).value)))
    }

    // MARK: Figures

    private func statistics(_ call: Call) async throws -> Response {
        let drones = try await services.figures.drones()
        guard let deliveries = services.figures.deliveries() else {
            throw Problem(
                .serviceUnavailable, "starting", "The figures are not there yet", "the deliveries are being read",
                retryAfterSeconds: 1)
        }
        return Response.object(capacity: 1_024) {
            $0.name("drones")
            $0.object {
                $0.member("total", drones.total)
                $0.name("by_status")
                $0.object { for (status, count) in drones.byStatus { $0.member(status.rawValue, count) } }
                $0.name("by_type")
                $0.object { for (type, count) in drones.byType { $0.member(type.rawValue, count) } }
            }
            $0.name("deliveries")
            $0.object {
                $0.name("by_status")
                $0.object { for (status, count) in deliveries.byStatus { $0.member(status.rawValue, count) } }
            }
            $0.member("backlog", deliveries.byStatus.first { $0.status == .pending }?.count ?? 0)
            $0.member("window_ms", ServiceLevels.windowMs)
            $0.member("deliveries_per_minute", deliveries.deliveriesPerMinute)
            $0.quantiles("assignment_ms", deliveries.assignment)
            $0.quantiles("delivery_ms", deliveries.delivery)
        }
    }
}

extension JSONWriter {
    /// Durations at three quantiles, null where there were none.
    fileprivate mutating func quantiles(_ name: String, _ quantiles: ServiceLevels.Quantiles) {
        self.name(name)
        object {
            for (name, value) in [("p50", quantiles.p50), ("p95", quantiles.p95), ("p99", quantiles.p99)] {
                $0.name(name)
                if let value { $0.integer(value) } else { $0.null() }
            }
            $0.member("count", quantiles.count)
        }
    }
}
