import HTTPTypes
import Hummingbird
import StormoClient

/// Tells from a request's headers who makes it.
struct Authenticator: Sendable {
    /// The name of the cookie that browsers get.
    static let cookieName = "stormo_session"

    let adminToken: String?
    let users: PasswordChecker
    let tokens: TokenService

    /// What the request shows: a bearer token first, else the cookie. A cookie that is not good counts as none, since a
    /// browser sends it without being asked.
    func credential(of headers: HTTPFields) async throws(ClientError) -> Credential {
        if let header = headers[.authorization] {
            guard let token = Self.bearer(header) else { return .invalid }
            if let adminToken, ConstantTime.areEqual(token, adminToken) {
                return .identity(Identity(name: "admin-token", role: .admin))
            }
            return try await identity(of: token).map(Credential.identity) ?? .invalid
        }
        guard let cookies = headers[.cookie], let token = Self.cookie(in: cookies) else { return .none }
        return try await identity(of: token).map(Credential.identity) ?? .none
    }

    /// Who a token of ours was made out to, with the role that this name has now.
    private func identity(of token: String) async throws(ClientError) -> Identity? {
        guard let name = try await tokens.name(in: token), let user = users.user(name) else { return nil }
        return Identity(name: user.name, role: user.role)
    }

    /// The token of an `Authorization` header; nil for another scheme.
    static func bearer(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1].trimmingSpaces
    }

    /// The session's token in a `Cookie` header.
    static func cookie(in header: String) -> String? {
        for part in header.split(separator: ";") {
            let halves = part.split(separator: "=", maxSplits: 1)
            if halves.count == 2, halves[0].trimmingSpaces == cookieName { return halves[1].trimmingSpaces }
        }
        return nil
    }

    /// The `Set-Cookie` header for a token; nil ends the session.
    static func setCookie(_ token: String?, lifetimeSeconds: Int, isSecure: Bool) -> String {
        "\(cookieName)=\(token ?? ""); Path=/; Max-Age=\(token == nil ? 0 : lifetimeSeconds); HttpOnly; SameSite=Strict"
            + (isSecure ? "; Secure" : "")
    }
}
