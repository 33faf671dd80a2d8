import Energy
import HTTPTypes
import Hummingbird
import StormoClient

/// Stored alerts of the table *Energy*.
struct NotificationRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/notifications", .client, list),
            Route(.get, "/notifications/unread_count", .client, unreadCount),
            Route(.post, "/notifications/mark_read", .client, body: .json, markRead),
            Route(.post, "/notifications/{id}/acknowledge", .operator, acknowledge),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        let limits = services.configuration.limits
        let limit = try call.query.integer("limit", in: 1...limits.pageMax) ?? limits.pageDefault
        let alerts = try await services.energy.notifications(
            limit: limit, sinceMs: try call.query.moment("since_ts"), unread: try call.query.flag("unread"))
        return Response.list(try alerts.map { try $0.encoded() })
    }

    private func unreadCount(_ call: Call) async throws -> Response {
        let unread = try await services.energy.unreadCount()
        return Response.object { $0.member("unread", unread) }
    }

    private func markRead(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let ids = fields.texts("ids", most: services.configuration.limits.pageMax)
        try fields.check()
        let updated = try await services.energy.markRead(ids: ids ?? [])
        return Response.object { $0.member("updated", updated) }
    }

    private func acknowledge(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        guard let alert = try await services.energy.acknowledge(id: id, by: call.identity.name) else {
            throw Problem.notFound("notification", "there is no notification \(id)")
        }
        return .json(try alert.encoded())
    }
}
