import HTTPTypes

/// Who may make a call; each includes the ones before.
package enum AccessRole: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// Anybody, without a token.
    case open = 0
    /// Programs and people that use the applications.
    case client = 1
    /// People who run them.
    case `operator` = 2
    /// People who run the cluster.
    case admin = 3

    /// The role's name in configuration and tokens.
    package var name: String {
        switch self {
        case .open: "open"
        case .client: "client"
        case .operator: "operator"
        case .admin: "admin"
        }
    }

    /// The role of a name.
    package init?(name: String) {
        guard let role = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }

    /// By what they include.
    package static func < (a: AccessRole, b: AccessRole) -> Bool { a.rawValue < b.rawValue }
}

/// Who makes a call.
struct Identity: Sendable, Hashable {
    /// The name under which it signed in.
    let name: String
    /// What it may.
    let role: AccessRole

    /// Nobody in particular.
    static let anonymous = Identity(name: "anonymous", role: .open)
}

/// What a request shows of who makes it.
enum Credential: Sendable, Hashable {
    /// Nothing.
    case none
    /// A bearer token that is not good (any more).
    case invalid
    /// A good one.
    case identity(Identity)
}

/// Decides who may make a call.
enum AccessPolicy {
    /// Who makes the call, or 401 and 403. `isOpen` is loopback without configured users (development): the calls of
    /// clients and operators need no token there; those of admins always do.
    static func identity(
        for required: AccessRole, showing credential: Credential, isOpen: Bool
    ) throws(Problem) -> Identity {
        switch credential {
        case .identity(let identity):
            if identity.role >= required { return identity }
            throw Problem(
                .forbidden, "forbidden", "The token does not allow it",
                "\(identity.name) is \(identity.role.name), this call needs \(required.name)")
        case .none:
            if required == .open { return .anonymous }
            if isOpen, required <= .operator { return Identity(name: "developer", role: .operator) }
            throw Problem(
                .unauthorized, "unauthorized", "A token is needed", "get one from POST /login and send it as a bearer",
                headers: [.wwwAuthenticate: "Bearer realm=\"stormo\""])
        case .invalid:
            if required == .open { return .anonymous }
            throw Problem(
                .unauthorized, "invalid_token", "The token is not good", "it is damaged or has expired; sign in again",
                headers: [.wwwAuthenticate: "Bearer realm=\"stormo\", error=\"invalid_token\""])
        }
    }
}
