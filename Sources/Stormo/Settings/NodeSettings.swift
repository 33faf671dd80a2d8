/// Settings of `stormo node`.
enum NodeSettings {
    /// The node's name.
    static let name = Setting.text(
        .node, "name", bytesMax: 255, "Name of the node, shown to operators; different for every node of the cluster.")
    /// Where it listens.
    static let listen = Setting.address(.node, "listen", default: "127.0.0.1:7400", "Where the node listens.")
    /// Where it is reached.
    static let advertise = Setting.address(
        .node, "advertise",
        "Where others reach the node, when that is not where it listens: behind address translation, or when it listens "
            + "on all addresses.")
    /// Where its data is.
    static let data = Setting.path(
        .node, "data", "Directory of the node's data; made when it does not exist. One running node to a directory.")
    /// How many nodes found the cluster.
    static let bootstrapExpect = Setting.integer(
        .node, "bootstrap-expect", default: 3, in: 1...1_024, unit: "nodes",
        "How many of the seeds must see each other to found the cluster at its very first start; more than half of them."
    )
    /// Its failure domain.
    static let zone = Setting.text(
        .node, "zone", default: "default", bytesMax: 255,
        "Failure domain of the node (rack, room, site): replicas are spread over zones when there are enough.")
    /// Copies.
    static let replicationFactor = Setting.integer(
        .node, "replication-factor", default: 3, in: 1...16, unit: "copies",
        aliases: [EnvironmentAlias("REPLICATION_FACTOR")],
        "Copies of every key. In force is the lower of this and the number of nodes. Read when the cluster is founded.")
    /// Tokens.
    static let virtualNodes = Setting.integer(
        .node, "virtual-nodes", default: 64, in: 1...1_024, unit: "tokens",
        aliases: [EnvironmentAlias("VIRTUAL_NODES")],
        "Places that the node takes on the ring; more of them spread keys more evenly.")

    // MARK: Storage

    /// Size of the cache.
    static let cacheBytes = Setting.bytes(
        .node, "cache-bytes", default: "64MiB", in: 0...(1 << 40),
        "Memory for the cache of keys read from disk; 0 switches it off.")
    /// Keys in the cache.
    static let cacheItems = Setting.integer(
        .node, "cache-items", default: 1_000_000, in: 0...(1 << 30), unit: "keys",
        aliases: [EnvironmentAlias("MAX_CACHE_ITEMS")], "Keys in that cache at most; 0 switches it off.")
    /// Size of a journal segment.
    static let journalSegmentBytes = Setting.bytes(
        .node, "journal-segment-bytes", default: "64MiB", in: (64 << 10)...(4 << 30),
        "Size of one file of the journal. Up to six are kept, so this bounds the journal's disk and the time of a restart."
    )
    /// Size of the memtable.
    static let memtableBytes = Setting.bytes(
        .node, "memtable-bytes", default: "64MiB", in: (64 << 10)...(16 << 30),
        "Memory for the newest writes before they move to the tables on disk.")

    // MARK: Times

    /// How long an operation may take.
    static let operationTimeout = Setting.duration(
        .node, "operation-timeout", default: "2s", in: 50...60_000,
        "How long an operation may take before its caller is told that there is no quorum, or that the outcome is unknown."
    )
    /// How far clocks may differ.
    static let clockDriftMax = Setting.duration(
        .node, "clock-drift-max", default: "500ms", in: 10...60_000, unit: "ms",
        "How far the clocks of two machines may differ; what comes from further ahead is refused. The same on every node."
    )
    /// How old a message may be.
    static let operationAgeMax = Setting.duration(
        .node, "operation-age-max", default: "1m", in: 1_000...3_600_000,
        "Messages that were sent longer ago are refused. The same on every node.")
    /// How long a replica of a topic may lag.
    static let inSyncTimeout = Setting.duration(
        .node, "in-sync-timeout", default: "300ms", in: 50...60_000, unit: "ms",
        "How long a replica of a topic's partition may lag before it leaves the in-sync set.")
    /// Time between two probes.
    static let probeInterval = Setting.duration(
        .node, "probe-interval", default: "200ms", in: 20...60_000, unit: "ms",
        "Time between two probes of other members. With probe-timeout and suspicion it decides how soon a death is noticed."
    )
    /// How long a probe waits.
    static let probeTimeout = Setting.duration(
        .node, "probe-timeout", default: "100ms", in: 10...60_000, unit: "ms",
        "How long a direct answer may take before other members are asked to probe.")
    /// Members asked to probe.
    static let probesIndirect = Setting.integer(
        .node, "probes-indirect", default: 3, in: 0...16, unit: "members",
        "Members that are asked to probe for this one.")
    /// Factor of the suspicion.
    static let suspicion = Setting.integer(
        .node, "suspicion", default: 4, in: 1...64, unit: "× log₁₀(n+1) probe intervals",
        "How long a silent member stays suspect, and may object, before it is called dead.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        name.definition, listen.definition, advertise.definition, data.definition, bootstrapExpect.definition,
        zone.definition, replicationFactor.definition, virtualNodes.definition, cacheBytes.definition,
        cacheItems.definition,
        journalSegmentBytes.definition, memtableBytes.definition, operationTimeout.definition, clockDriftMax.definition,
        operationAgeMax.definition, inSyncTimeout.definition, probeInterval.definition, probeTimeout.definition,
        probesIndirect.definition, suspicion.definition,
    ]
}
