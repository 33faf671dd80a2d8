import HTTPTypes
import Hummingbird
import Logging
import StormoClient
import Synchronization

/// Signing in and out.
struct SessionRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.post, "/login", .open, body: .json, signIn),
            Route(.post, "/logout", .open, signOut),
        ]
    }

    private func signIn(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let name = fields.text("username")
        let password = fields.text("password", bytesMax: PasswordHash.passwordBytesMax)
        try fields.check()
        guard let name, let password else { preconditionFailure("fields without errors are all there") }
        let now = services.steadyMs()
        let waitMs = services.signIns.withLock { $0.attempt(name: name, address: call.remoteAddress, nowMs: now) }
        if let waitMs {
            services.metrics.count(.signInsLimited)
            throw Problem(
                .tooManyRequests, "rate_limited", "Too many attempts to sign in", "wait before the next one",
                retryAfterSeconds: Int((waitMs + 999) / 1_000))
        }
        guard let user = try await services.passwords.check(name: name, password: password) else {
            services.metrics.count(.signInsFailed)
            call.logger.notice("sign-in refused", metadata: ["user": "\(name)", "from": "\(call.remoteAddress)"])
            throw Problem(
                .unauthorized, "wrong_credentials", "Name or password is wrong", "check both",
                headers: [.wwwAuthenticate: "Bearer realm=\"stormo\""])
        }
        services.signIns.withLock { $0.succeeded(name: name, address: call.remoteAddress) }
        let token = try await services.tokens.issue(to: user)
        services.metrics.count(.signIns)
        call.logger.info("signed in", metadata: ["user": "\(name)", "from": "\(call.remoteAddress)"])
        let lifetime = services.configuration.tokenLifetimeSeconds
        return Response.object(headers: [.setCookie: cookie(token)]) {
            $0.member("token", token)
            $0.member("token_type", "Bearer")
            $0.member("expires_in", lifetime)
            $0.member("role", user.role.name)
        }
    }

    private func signOut(_ call: Call) -> Response {
        Response(status: .noContent, headers: [.setCookie: cookie(nil)])
    }

    private func cookie(_ token: String?) -> String {
        Authenticator.setCookie(
            token, lifetimeSeconds: services.configuration.tokenLifetimeSeconds,
            isSecure: services.configuration.hasTLSInFront)
    }
}
