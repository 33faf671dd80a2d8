/// Settings of a gateway.
package struct GatewayConfiguration: Sendable {
    /// Where to listen: an address or a name of this host.
    package var host = "127.0.0.1"
    /// On which port; 0 takes a free one.
    package var port = 8080
    /// What `X-Served-By` says.
    package var name = "gateway"
    /// The version that `/health` tells.
    package var version = "0.1.0"
    /// Who may sign in. Listening beyond loopback needs one at least.
    package var users: [GatewayUser] = []
    /// A bearer token that counts as an admin; nil for none.
    package var adminToken: String?
    /// What `POST /internal/broadcast` must carry as `_token`; without it the call is refused to everyone.
    package var broadcastToken: String?
    /// Origins of pages elsewhere that may call this gateway (`https://host[:port]`); `*` for all, without cookies.
    package var corsOrigins: [String] = []
    /// Names under which a gateway on loopback is reached, beside `localhost` and the loopback addresses (a proxy's
    /// name); others are refused, so that a page cannot reach it by rebinding its own name.
    package var allowedHosts: [String] = []
    /// Whether browsers reach the gateway by TLS, so that their cookie must not travel without.
    package var hasTLSInFront = false
    /// How long a token from `/login` is good, in seconds.
    package var tokenLifetimeSeconds = 8 * 3_600
    /// Where the pages are; nil to look beside the executable.
    package var webDirectory: String?
    /// Where Leaflet is (Debian's `libjs-leaflet`).
    package var leafletDirectory = "/usr/share/javascript/leaflet"
    /// Where Chart.js is (Debian's `libjs-chart.js`).
    package var chartDirectory = "/usr/share/javascript/chart.js"
    /// How long `/ready` answers 503 before the gateway stops listening, in ms, so that balancers look elsewhere.
    package var drainMs: UInt64 = 1_000
    /// How long requests in flight may take once it has stopped listening, in ms.
    package var shutdownMs: UInt64 = 5_000
    /// Bounds.
    package var limits = GatewayLimits()

    /// The defaults: loopback, nobody configured.
    package init() {}

    /// Whether only this host can connect.
    package var isLoopback: Bool { LoopbackHosts.isLoopback(host) }

    /// On loopback without users (development) the calls of clients and operators need no token.
    package var isOpen: Bool { isLoopback && users.isEmpty }

    /// Throws when a gateway must not start with these settings.
    package func validate() throws(GatewayError) {
        if !isLoopback, users.isEmpty { throw .noUsers(host: host) }
        guard (0...65_535).contains(port) else { throw .badSetting("port is \(port): give 0 to 65535") }
        if let adminToken, adminToken.utf8.count < Self.tokenBytesMin {
            throw .badSetting("the admin token has \(adminToken.utf8.count) bytes: give \(Self.tokenBytesMin) or more")
        }
        var names: Set<String> = []
        for user in users where !names.insert(user.name).inserted {
            throw .badSetting("the user \(user.name) is configured twice")
        }
    }

    /// A shorter secret can be guessed.
    static let tokenBytesMin = 8
}

/// Why a gateway cannot run.
package enum GatewayError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Others can connect and nobody is configured.
    case noUsers(host: String)
    /// A setting makes no sense.
    case badSetting(String)
    /// Somebody listens there already.
    case portInUse(String)
    /// The port is reserved.
    case notPermitted(String)
    /// The host has no such address.
    case noSuchAddress(String)
    /// Listening failed otherwise.
    case cannotListen(String, reason: String)

    /// One line for people, with what to do.
    package var description: String {
        switch self {
        case .noUsers(let host):
            "listening on \(host) would let others in and no user is configured: "
                + "set ADMIN_USER and ADMIN_PASS (or configure users), or listen on 127.0.0.1"
        case .badSetting(let problem): problem
        case .portInUse(let address): "port in use: somebody listens on \(address) already; choose another port"
        case .notPermitted(let address): "not permitted to listen on \(address): choose a port from 1024 on"
        case .noSuchAddress(let address): "this host has no address \(address)"
        case .cannotListen(let address, let reason): "cannot listen on \(address): \(reason)"
        }
    }
}
