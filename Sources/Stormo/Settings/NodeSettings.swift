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
        "Copies of every key. In force is the lower of this and the number of nodes. Read by the founders only.")
    /// Tokens.
    static let virtualNodes = Setting.integer(
        .node, "virtual-nodes", default: 64, in: 1...1_024, unit: "tokens",
        aliases: [EnvironmentAlias("VIRTUAL_NODES")],
        "Places that the node takes on the ring; more of them spread keys more evenly.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [
        name.definition, listen.definition, advertise.definition, data.definition, bootstrapExpect.definition,
        zone.definition, replicationFactor.definition, virtualNodes.definition,
    ]
}
