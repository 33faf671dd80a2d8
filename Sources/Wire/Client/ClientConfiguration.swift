public import Wire

/// Settings of a client. Every bound has a counter of its name in `StormoClient.statistics`.
public struct ClientConfiguration: Sendable {
    /// Where nodes may be found at first, `host:port` each.
    public var seeds: [String]
    /// The cluster's name; a cluster of another name refuses.
    public var clusterName: String
    /// The cluster secret, proved in the handshake and never sent.
    public var secret: [UInt8]
    /// What this process is.
    public var role: Role
    /// Its name, shown to operators.
    public var name: String
    /// How long an operation may take in all, in milliseconds, retries included.
    public var operationTimeoutMs: UInt64 = 2_000
    /// How long a publish may take in all, in milliseconds, retries included: longer than a failover, since a batch may be
    /// sent again without being kept twice.
    public var publishTimeoutMs: UInt64 = 10_000
    /// Requests in flight on one connection before further ones are refused as `overloaded`.
    public var inFlightMax: Int = 16_384
    /// How often the ring and the members are asked for when nothing else tells, in milliseconds.
    public var refreshIntervalMs: UInt64 = 1_000
    /// Shortest and longest pause before a lost connection is tried again, in milliseconds; it doubles in between.
    public var reconnectPauseMs: ClosedRange<UInt64> = 50...2_000
    /// How far ahead a node's clock may be, in milliseconds.
    public var clockDriftMaxMs: UInt64 = 500
    /// How long a consumer's lease of a partition lasts without being renewed, in milliseconds.
    public var sessionLeaseMs: UInt64 = 6_000

    /// Settings with the defaults of the configuration reference.
    public init(seeds: [String], clusterName: String, secret: [UInt8], role: Role, name: String) {
        self.seeds = seeds
        self.clusterName = clusterName
        self.secret = secret
        self.role = role
        self.name = name
    }
}
