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
    /// Connections at once.
    static let connectionsMax = Setting.integer(
        .node, "connections-max", default: nil, in: 2...1_000_000, unit: "connections",
        "Connections of others at once, nodes included, for which some places are kept; further ones are refused. Not "
            + "given: as many as the limit of open files leaves room for, 10000 at most.")

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

    /// Bytes that may wait for the journal.
    static let backlogBytes = Setting.bytes(
        .node, "backlog-bytes", default: "64MiB", in: (1 << 20)...(16 << 30),
        "Writes that may wait for the disk; beyond it new ones are refused as overloaded.")

    // MARK: Work at once

    /// Operations at once.
    static let operationsMax = Setting.integer(
        .node, "operations-max", default: 16_384, in: 64...1_000_000, unit: "operations",
        "Operations that the node coordinates at once; further ones are refused as overloaded.")
    /// Prefixes watched at once.
    static let watchesMax = Setting.integer(
        .node, "watches-max", default: 1_024, in: 1...100_000, unit: "prefixes",
        "Prefixes that the node watches for clients at once; further ones are refused as overloaded.")

    // MARK: Hints, comparison, copying

    /// Bytes of hints.
    static let hintBytesMax = Setting.bytes(
        .node, "hint-bytes-max", default: "1GiB", in: 0...(1 << 40),
        "Writes that are kept for one node that missed them; beyond it they are dropped and the rest is left to repair."
    )
    /// Age of hints.
    static let hintAgeMax = Setting.duration(
        .node, "hint-age-max", default: "3h", in: 1_000...(30 * 86_400_000),
        "How long such writes are kept at most; a node that was away longer has to be compared anyway.")
    /// Speed of their delivery.
    static let hintsPerSecond = Setting.integer(
        .node, "hints-per-second", default: 2_000, in: 1...1_000_000, unit: "writes",
        "Such writes that are delivered in a second, so that a node that comes back can also serve.")
    /// Time between two comparisons.
    static let repairInterval = Setting.duration(
        .node, "repair-interval", default: "1h", in: 0...(30 * 86_400_000),
        "How often the node compares its keys with the other copies by itself; 0 for only when asked to.")
    /// Speed of repair.
    static let repairBytes = Setting.bytes(
        .node, "repair-bytes-per-second", default: "16MiB", in: (64 << 10)...(16 << 30),
        "Differing keys that a comparison moves in a second, so that callers keep their share of the disks.")
    /// Speed of copying.
    static let copyBytes = Setting.bytes(
        .node, "copy-bytes-per-second", default: "32MiB", in: (64 << 10)...(16 << 30),
        "Keys that the node copies in a second while the ring changes, so that callers keep their share of the disks.")
    /// Speed of copying small keys.
    static let copyKeys = Setting.integer(
        .node, "copy-keys-per-second", default: 10_000, in: 1...10_000_000, unit: "keys",
        "Keys that the node copies in a second, whatever their size, while the ring changes.")
    /// Speed at which topics' replicas catch up.
    static let catchUpBytes = Setting.bytes(
        .node, "catch-up-bytes-per-second", default: "64MiB", in: (64 << 10)...(16 << 30),
        "Records that the node ships in a second to replicas that lag, so that callers keep their share of the disks.")
    /// How many partitions move at once.
    static let partitionMovesMax = Setting.integer(
        .node, "partition-moves-max", default: 16, in: 1...10_000, unit: "partitions",
        "Partitions of topics whose replicas move at a time when nodes join, leave or are replaced.")
    /// How often the spread of partitions is looked at.
    static let balanceInterval = Setting.duration(
        .node, "balance-interval", default: "10s", in: 100...86_400_000,
        "How often one node looks whether the replicas of all partitions are where they should be.")
    /// How often topics are looked at.
    static let topicReview = Setting.duration(
        .node, "topic-review", default: "10s", in: 100...86_400_000,
        "How often primaries let go of records that are past their time, and learn that a topic is kept in another way."
    )
    /// Speed of compaction.
    static let compactionBytes = Setting.bytes(
        .node, "compaction-bytes-per-second", default: "16MiB", in: (64 << 10)...(16 << 30),
        "Records of compacted topics that the node looks through in a second, so that callers keep their share of the disks."
    )
    /// What is worth a pass.
    static let compactionBytesMin = Setting.bytes(
        .node, "compaction-bytes-min", default: "1MiB", in: 1...(1 << 40),
        "How much must have come to a partition of a compacted topic before it is looked through again.")
    /// What is worth a pass, by share.
    static let compactionDirty = Setting.integer(
        .node, "compaction-dirty-percent", default: 50, in: 0...10_000, unit: "per cent",
        "How much that must be of what was left the last time.")
    /// Memory of a pass.
    static let compactionMemory = Setting.bytes(
        .node, "compaction-memory", default: "64MiB", in: (64 << 10)...(16 << 30),
        "Memory for the keys of a partition while it is compacted; what has more keys takes several rounds.")
    /// How long deletion markers stay.
    static let deletionMarkerAge = Setting.duration(
        .node, "deletion-marker-age", default: "1d", in: 0...(365 * 86_400_000),
        "How long a record that deletes its key (no value) stays in a compacted topic at least, so that readers see it."
    )
    /// How long tombstones stay.
    static let grace = Setting.duration(
        .node, "grace", default: "1d", in: 2_000...(365 * 86_400_000),
        "How long a deletion is remembered at least, so that nothing deleted comes back. The same on every node.")

    // MARK: Times

    /// How long an operation may take.
    static let operationTimeout = Setting.duration(
        .node, "operation-timeout", default: "2s", in: 50...60_000,
        "How long an operation may take before its caller is told that there is no quorum, or that the outcome is unknown."
    )
    /// How long one round of messages may take.
    static let roundTimeout = Setting.duration(
        .node, "round-timeout", default: "400ms", in: 10...60_000, unit: "ms",
        "How long other nodes may take to answer before an operation tries another way, within operation-timeout.")
    /// When further replicas are asked.
    static let readHedge = Setting.duration(
        .node, "read-hedge", default: "20ms", in: 1...60_000, unit: "ms",
        "How long a read waits for the replicas that it asked first before it asks the others too.")
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
    /// How long producers are remembered.
    static let producerAgeMax = Setting.duration(
        .node, "producer-age-max", default: "7d", in: 60_000...(365 * 86_400_000),
        "How long a producer that publishes nothing is remembered, so that what it repeats is not taken twice.")
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

    // MARK: Start and stop

    /// How long a node that nobody takes keeps trying.
    static let refusedTimeout = Setting.duration(
        .node, "refused-timeout", default: "8s", in: 100...600_000,
        "How long a starting node that every other one refuses keeps trying: its former run must have been called dead."
    )
    /// How long a stop may take to answer.
    static let drain = Setting.duration(
        .node, "drain", default: "2s", in: 0...600_000,
        "How long a stopping node may take to answer what it was asked; less than shutdown-grace.")
    /// How long clients may take to leave.
    static let clientsLeave = Setting.duration(
        .node, "clients-leave", default: "500ms", in: 0...600_000, unit: "ms",
        "How long a stopping node waits for its clients, who are told at once, to close their connections; within drain."
    )

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        name.definition, listen.definition, advertise.definition, data.definition, bootstrapExpect.definition,
        zone.definition, replicationFactor.definition, virtualNodes.definition, connectionsMax.definition,
        cacheBytes.definition, cacheItems.definition,
        journalSegmentBytes.definition, memtableBytes.definition, backlogBytes.definition, operationsMax.definition,
        watchesMax.definition, hintBytesMax.definition, hintAgeMax.definition, hintsPerSecond.definition,
        repairInterval.definition, repairBytes.definition, copyBytes.definition, copyKeys.definition,
        catchUpBytes.definition, partitionMovesMax.definition, balanceInterval.definition, topicReview.definition,
        compactionBytes.definition, compactionBytesMin.definition, compactionDirty.definition,
        compactionMemory.definition, deletionMarkerAge.definition,
        grace.definition,
        operationTimeout.definition, roundTimeout.definition, readHedge.definition, clockDriftMax.definition,
        operationAgeMax.definition, inSyncTimeout.definition, producerAgeMax.definition, probeInterval.definition,
        probeTimeout.definition,
        probesIndirect.definition, suspicion.definition, refusedTimeout.definition, drain.definition,
        clientsLeave.definition,
    ]
}
