import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// Locks of the table *Keys*: leases with fencing tokens.
struct LockRoutes {
    let services: GatewayServices

    /// How long a lock is held when the request does not say, in ms.
    private static let ttlMsDefault: UInt64 = 30_000
    /// A lock's key is a key, with a prefix.
    private static let nameBytesMax = WireLimits.keyBytesMax - StormoClient.lockKey("").bytes.count

    var routes: [Route] {
        [
            Route(.post, "/lock/acquire", .operator, body: .json, acquire),
            Route(.post, "/lock/renew", .operator, body: .json, renew),
            Route(.post, "/lock/release", .operator, body: .json, release),
        ]
    }

    private func acquire(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let name = fields.text("name", bytesMax: Self.nameBytesMax)
        let owner = fields.text("owner", bytesMax: WireLimits.nameBytesMax)
        let ttlMs =
            fields.has("ttl_sec") ? fields.seconds("ttl_sec", msRange: WireLimits.leaseMsRange) : Self.ttlMsDefault
        try fields.check()
        guard let name, let owner, let ttlMs else { preconditionFailure("fields without errors are all there") }
        let answer = try await services.client.acquire(name, owner: owner, ttlMs: ttlMs)
        guard answer.applied, let token = answer.version else {
            throw Self.held(answer, "lock_held", "somebody holds the lock \(name)")
        }
        return Self.ok(token, answer)
    }

    private func renew(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let name = fields.text("name", bytesMax: Self.nameBytesMax)
        let text = fields.text("token")
        let ttlMs =
            fields.has("ttl_sec") ? fields.seconds("ttl_sec", msRange: WireLimits.leaseMsRange) : Self.ttlMsDefault
        try fields.check()
        guard let name, let text, let ttlMs else { preconditionFailure("fields without errors are all there") }
        let token = try Self.token(text)
        let answer = try await services.client.renew(name, token: token, ttlMs: ttlMs)
        guard answer.applied else { throw Self.lost(answer, name) }
        return Self.ok(token, answer)
    }

    private func release(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let name = fields.text("name", bytesMax: Self.nameBytesMax)
        let text = fields.text("token")
        try fields.check()
        guard let name, let text else { preconditionFailure("fields without errors are all there") }
        let token = try Self.token(text)
        let answer = try await services.client.release(name, token: token)
        guard answer.applied else { throw Self.lost(answer, name) }
        return Self.ok(token, nil)
    }

    /// A token; text that is none never held a lock.
    private static func token(_ text: String) throws(Problem) -> Ballot {
        guard let token = Ballot(text) else {
            throw .invalidBody([FieldError(field: "token", detail: "expected the token of /lock/acquire")])
        }
        return token
    }

    private static func ok(_ token: Ballot, _ answer: WriteAnswer?) -> Response {
        Response.object {
            $0.member("ok", true)
            $0.member("token", token.description)
            if let expiry = answer?.expiryMs { $0.member("expires_at", Timestamp.rfc3339(milliseconds: expiry)) }
        }
    }

    private static func lost(_ answer: WriteAnswer, _ name: String) -> Problem {
        held(answer, "lock_lost", "the lock \(name) is no longer held under this token")
    }

    /// 409 with who holds the lock, when anybody does.
    private static func held(_ answer: WriteAnswer, _ code: String, _ detail: String) -> Problem {
        let current = VersionedValue(answer.current)
        let lease = current.flatMap { try? Lease($0.value) }
        var problem = Problem.conflict(code, detail)
        problem.members = { writer in
            writer.member("ok", false)
            writer.member("owner", lease?.owner)
            writer.member("expires_at", current?.expiryMs.map { Timestamp.rfc3339(milliseconds: $0) })
        }
        return problem
    }
}
