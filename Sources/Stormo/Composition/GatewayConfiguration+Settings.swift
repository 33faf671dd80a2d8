import Gateway
import WireTransport

extension GatewayConfiguration {
    /// A gateway as the settings say.
    init(_ settings: ResolvedSettings) throws(ConfigurationError) {
        self.init()
        let listen = try settings.value(GatewaySettings.listen)
        host = listen.host
        port = listen.port
        name = try settings.value(GatewaySettings.name)
        version = Version.text
        adminToken = try settings.optional(GatewaySettings.adminToken)
        broadcastToken = try settings.optional(GatewaySettings.broadcastToken)
        if let password = try settings.optional(GatewaySettings.adminPass) {
            guard let hash = PasswordHash(password: password) else {
                throw .refused("gateway.admin-pass cannot be used: give 1 to \(PasswordHash.passwordBytesMax) bytes")
            }
            users = [GatewayUser(name: try settings.value(GatewaySettings.adminUser), role: .admin, password: hash)]
        }
        corsOrigins = try settings.optional(GatewaySettings.corsOrigins) ?? []
        allowedHosts = try settings.optional(GatewaySettings.allowedHosts) ?? []
        hasTLSInFront = try settings.value(GatewaySettings.tlsInFront)
        tokenLifetimeSeconds = Int(try settings.value(GatewaySettings.tokenLifetime) / 1_000)
        webDirectory = try settings.optional(GatewaySettings.web)
        leafletDirectory = try settings.value(GatewaySettings.leaflet)
        chartDirectory = try settings.value(GatewaySettings.chart)
        drainMs = try settings.value(GatewaySettings.drain)
        limits.requestsInFlightMax = try settings.value(GatewaySettings.requestsMax)
        limits.connectionsMax = try DescriptorBudget.gateway(
            limit: DescriptorLimit.current, wanted: try settings.optional(GatewaySettings.connectionsMax)
        ).connections
        limits.streamsMax = try settings.value(GatewaySettings.streamsMax)
        limits.watchersMax = try settings.value(GatewaySettings.watchesMax)
    }
}
