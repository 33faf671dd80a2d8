/// Settings of `stormo gateway`.
enum GatewaySettings {
    /// The gateway's name.
    static let name = Setting.text(
        .gateway, "name", default: "gateway", bytesMax: 255,
        "Name of the gateway, shown to operators and in the header X-Served-By.")
    /// Where it listens.
    static let listen = Setting.address(
        .gateway, "listen", default: "127.0.0.1:8080",
        "Where the gateway listens for HTTP. Beyond this machine only with a user configured.")
    /// A bearer token that counts as an admin.
    static let adminToken = Setting.text(
        .gateway, "admin-token", aliases: [EnvironmentAlias("ADMIN_TOKEN")], channels: .secret,
        "Bearer token that may do everything, of 8 bytes or more. Not given: nobody has one.")
    /// Who may sign in.
    static let adminUser = Setting.text(
        .gateway, "admin-user", default: "admin", aliases: [EnvironmentAlias("ADMIN_USER")], bytesMax: 255,
        "Name to sign in with, once admin-pass is given.")
    /// Their password.
    static let adminPass = Setting.text(
        .gateway, "admin-pass", aliases: [EnvironmentAlias("ADMIN_PASS")], channels: .secret,
        "Password of that user. Not given: nobody can sign in, and on 127.0.0.1 clients and operators need not.")
    /// The token of broadcasts.
    static let broadcastToken = Setting.text(
        .gateway, "broadcast-token", aliases: [EnvironmentAlias("INTERNAL_BROADCAST_TOKEN")], channels: .secret,
        "What POST /internal/broadcast must carry as _token. Not given: the call is refused to everyone.")
    /// Pages elsewhere that may call.
    static let corsOrigins = Setting.list(
        .gateway, "cors-origins", of: "https://host[:port]", countMax: 64,
        "Origins of pages elsewhere that may call this gateway; * for all, without cookies."
    ) { $0 == "*" || $0.hasPrefix("http://") || $0.hasPrefix("https://") ? $0 : nil }
    /// Further names of a gateway on loopback.
    static let allowedHosts = Setting.list(
        .gateway, "allowed-hosts", of: "a name", countMax: 64,
        "Names beside localhost by which a gateway on 127.0.0.1 is reached, such as a proxy's."
    ) { $0.isEmpty || $0.contains("/") ? nil : $0 }
    /// Whether TLS ends in front of it.
    static let tlsInFront = Setting.toggle(
        .gateway, "tls-in-front", "Browsers reach the gateway by TLS, which a proxy ends: cookies never travel without."
    )
    /// How long a token is good.
    static let tokenLifetime = Setting.duration(
        .gateway, "token-lifetime", default: "8h", in: 60_000...(30 * 86_400_000),
        "How long a token from /login is good.")
    /// Where the pages are.
    static let web = Setting.path(.gateway, "web", "Directory of the pages. Not given: the one beside the program.")
    /// Where Leaflet is.
    static let leaflet = Setting.path(
        .gateway, "leaflet", default: "/usr/share/javascript/leaflet", "Directory of Leaflet (package libjs-leaflet).")
    /// Where Chart.js is.
    static let chart = Setting.path(
        .gateway, "chart", default: "/usr/share/javascript/chart.js", "Directory of Chart.js (package libjs-chart.js).")
    /// Before it stops listening.
    static let drain = Setting.duration(
        .gateway, "drain", default: "1s", in: 0...600_000,
        "How long /ready answers no before the gateway stops listening, so that balancers look elsewhere.")
    /// Requests at once.
    static let requestsMax = Setting.integer(
        .gateway, "requests-max", default: 4_096, in: 1...1_000_000, unit: "requests",
        "Requests being answered at once; further ones are refused as overloaded.")
    /// Connections at once.
    static let connectionsMax = Setting.integer(
        .gateway, "connections-max", default: nil, in: 1...1_000_000, unit: "connections",
        "Open connections at once; further ones wait until one ends. Not given: as many as the limit of open files "
            + "leaves room for, 16384 at most.")
    /// Streams at once.
    static let streamsMax = Setting.integer(
        .gateway, "streams-max", default: 4_096, in: 1...1_000_000, unit: "streams", "Open event streams at once.")
    /// Watches at once.
    static let watchesMax = Setting.integer(
        .gateway, "watches-max", default: 256, in: 1...1_000_000, unit: "watches",
        "Open watches of keys at once; each holds a request at a node.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        name.definition, listen.definition, adminToken.definition, adminUser.definition, adminPass.definition,
        broadcastToken.definition, corsOrigins.definition, allowedHosts.definition, tlsInFront.definition,
        tokenLifetime.definition, web.definition, leaflet.definition, chart.definition, drain.definition,
        requestsMax.definition, connectionsMax.definition, streamsMax.definition, watchesMax.definition,
    ]
}
