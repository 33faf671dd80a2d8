import Energy
import EnergyRules
import HTTPTypes
import Hummingbird
import Logging
import StormoClient
import Wire

/// The table *Energy* of the HTTP contract: readings, floors, thresholds and the stream of alerts.
struct EnergyRoutes {
    let services: GatewayServices

    /// The version of thresholds that nobody has set: the defaults.
    private static let unsetVersion = "default"

    var routes: [Route] {
        [
            Route(.post, "/readings", .client, body: .json, take),
            Route(.get, "/floors", .client, floors),
            Route(.get, "/floors/{n}/readings", .client, readings),
            Route(.get, "/floors/{n}/baseline", .client, baseline),
            Route(.get, "/admin/thresholds", .client, thresholds),
            Route(.put, "/admin/thresholds", .admin, body: .json, setThresholds),
            Route(.get, "/anomalies/stream", .client, isStream: true) {
                try await services.anomalyFeed.response(to: $0)
            },
            Route(.post, "/internal/broadcast", .open, body: .json, broadcast),
        ]
    }

    private var limits: ReadingLimits { services.energy.settings.rules.reading }

    // MARK: Readings

    private func take(_ call: Call) async throws -> Response {
        let readings: [Reading]
        do {
            readings = try ReadingDocument.parse(
                call.body, nowMs: EnergyTime.nowMs(), limits: limits, most: services.energy.settings.inputMax)
        } catch { throw Problem(error) }
        try await services.energy.publish(readings)
        return Response.object(status: .accepted) { $0.member("accepted", readings.count) }
    }

    private func floors(_ call: Call) async throws -> Response {
        let pageLimits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...pageLimits.pageMax) ?? pageLimits.pageDefault
        let after = try PageCursor.place(.floors, in: call.query).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
        let floors = try await services.energy.floors()
        let rest = after.map { after in floors.drop { $0 <= after } } ?? floors[...]
        let page = Array(rest.prefix(limit))
        let latest = try await services.energy.latest(floors: page)
        var items: [(floor: Int, latest: [UInt8]?)] = []
        for (floor, document) in zip(page, latest) { items.append((floor, try document?.encoded())) }
        return Response.object(capacity: 256 + items.count * 256) {
            $0.member("count", items.count)
            $0.name("items")
            $0.array {
                for item in items {
                    $0.object {
                        $0.member("piano", item.floor)
                        $0.name("latest")
                        if let latest = item.latest { $0.raw(latest) } else { $0.null() }
                    }
                }
            }
            $0.member(
                "next_cursor",
                rest.count > limit ? page.last.map { PageCursor.text(.floors, Array(String($0).utf8)) } : nil)
        }
    }

    private func floor(_ call: Call) throws -> Int {
        let text = call.parameter("n")
        guard let floor = Int(text), String(floor) == text, limits.floors.contains(floor) else {
            throw Problem.notFound("floor", "there is no floor \(text)")
        }
        return floor
    }

    private func baseline(_ call: Call) async throws -> Response {
        let floor = try floor(call)
        guard let baseline = try await services.energy.baseline(floor: floor) else {
            throw Problem.notFound("baseline", "nothing has been learned of floor \(floor) yet")
        }
        return .json(try baseline.encoded())
    }

    private func readings(_ call: Call) async throws -> Response {
        let floor = try floor(call)
        let pageLimits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...pageLimits.pageMax) ?? pageLimits.pageDefault
        let readings = try await services.energy.readings(
            floor: floor, limit: limit, sinceMs: try call.query.moment("since"), untilMs: try call.query.moment("until")
        )
        let items = try readings.map { try $0.encoded() }
        return Response.list(items)
    }

    // MARK: Thresholds

    private func thresholds(_ call: Call) async throws -> Response {
        let (thresholds, version) = try await services.energy.thresholds()
        let tag = version?.description ?? Self.unsetVersion
        let headers: HTTPFields = [.eTag: EntityTag.quoted(tag)]
        if let header = call.header(.ifNoneMatch), EntityTag.isNamed(tag, in: header) {
            return Response(status: .notModified, headers: headers)
        }
        return .json(try ThresholdsDocument(thresholds).encoded(), headers: headers)
    }

    private func setThresholds(_ call: Call) async throws -> Response {
        let thresholds: Thresholds
        do {
            thresholds = try ThresholdsDocument.parse(call.body, limits: limits)
        } catch { throw Problem(error) }
        var condition = try WriteCondition(call)
        // Whoever read the defaults and changes them expects that nobody has set any.
        if condition == .version(Self.unsetVersion) { condition = .absent }
        let answer = try await condition.apply(to: EnergyKeys.thresholds, services) { wanted throws(ClientError) in
            try await services.energy.setThresholds(thresholds, if: wanted)
        }
        call.logger.notice("thresholds changed", metadata: ["by": "\(call.identity.name)"])
        return .json(
            try ThresholdsDocument(thresholds).encoded(),
            headers: answer.version.map { [.eTag: EntityTag.quoted($0.description)] } ?? [:])
    }

    // MARK: Alerts from outside

    private func broadcast(_ call: Call) async throws -> Response {
        guard let token = services.configuration.broadcastToken else {
            throw Problem(.forbidden, "forbidden", "No broadcast token is configured", "set INTERNAL_BROADCAST_TOKEN")
        }
        guard let value = try? JSONValue(parsing: call.body), case .string(let sent)? = value["_token"],
            ConstantTime.areEqual(sent, token)
        else {
            throw Problem(.forbidden, "forbidden", "The broadcast token is missing or wrong", "send it as \"_token\"")
        }
        let alert: AlertDocument
        do {
            alert = try AlertDocument.parse(call.body, nowMs: EnergyTime.nowMs(), limits: limits)
        } catch { throw Problem(error) }
        let raised = try await services.energy.raise([alert], inOrder: false)
        return Response.object(status: .accepted) {
            $0.member("id", alert.id)
            $0.member("published", raised.published.count)
            $0.member("suppressed", raised.suppressed)
            $0.member("repeated", raised.repeated)
        }
    }
}

extension Response {
    /// A listing of documents that were written already.
    static func list(_ items: [[UInt8]]) -> Response {
        object(capacity: 64 + items.reduce(0) { $0 + $1.count + 1 }) {
            $0.member("count", items.count)
            $0.name("items")
            $0.array { for item in items { $0.raw(item) } }
        }
    }
}

extension Problem {
    /// What is wrong with a body for the energy application. It has been found to be JSON before.
    init(_ error: EnergyInputError) {
        switch error {
        case .malformed(let detail): self = .invalidBody([FieldError(field: "body", detail: detail)])
        case .invalid(let problems):
            self = .invalidBody(problems.map { FieldError(field: $0.field, detail: $0.reason) })
        }
    }
}
