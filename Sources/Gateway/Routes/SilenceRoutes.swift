import Energy
import HTTPTypes
import Hummingbird
import StormoClient

/// Silences of the table *Energy*: what is covered by one is stored and not told.
struct SilenceRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/silences", .client, list),
            Route(.post, "/silences", .operator, body: .json, add),
            Route(.delete, "/silences/{id}", .operator, remove),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        Response.list(try await services.energy.silences().map { try $0.encoded() })
    }

    private func add(_ call: Call) async throws -> Response {
        let rules = services.energy.settings.rules
        let document: SilenceDocument
        do {
            let silence = try SilenceDocument.parse(call.body, nowMs: EnergyTime.nowMs(), rules: rules)
            document = try await services.energy.addSilence(silence)
        } catch let error as EnergyInputError { throw Problem(error) }
        return .json(try document.encoded(), status: .created, headers: [.location: "/silences/\(document.id)"])
    }

    private func remove(_ call: Call) async throws -> Response {
        let id = call.parameter("id")
        guard try await services.energy.removeSilence(id: id) else {
            throw Problem.notFound("silence", "there is no silence \(id)")
        }
        return Response(status: .noContent)
    }
}
