import StormoClient
import Wire

/// What `stormo topic list` and `stormo topic describe` tell of a topic.
struct TopicReport: Encodable, Sendable, Hashable {
    /// A partition.
    struct Partition: Encodable, Sendable, Hashable {
        /// Its index.
        var partition: UInt32
        /// The node that takes and gives its records; absent while there is none.
        var primary: String?
        /// All replicas, in order of preference.
        var replicas: [String]
        /// Those that hold everything acknowledged.
        var inSync: [String]
        /// First offset left.
        var firstOffset: UInt64
        /// Behind the last record.
        var nextOffset: UInt64
        /// Bytes on one replica.
        var bytes: UInt64
    }

    /// Its name.
    var name: String
    /// Its life.
    var id: String
    /// Copies of each partition as configured.
    var replicationFactor: UInt16
    /// How few in-sync replicas still take publishes; 0 for a majority.
    var minInSync: UInt16
    /// Age at which records may go, in milliseconds; 0 keeps them.
    var retentionMs: UInt64
    /// Bytes of a partition above which its oldest records may go; 0 for no bound.
    var retentionBytes: UInt64
    /// `delete` or `compact`.
    var cleanup: String
    /// By index.
    var partitions: [Partition]

    /// Puts a report together; nodes are called by their names where the cluster knows them.
    init(_ topic: TopicInfo, in cluster: ClusterState?) {
        let names = Dictionary((cluster?.members ?? []).map { ($0.identity.id, $0.identity.name) }) { first, _ in first
        }
        func name(_ node: NodeID) -> String { names[node] ?? "\(node)" }
        self.name = topic.name
        id = "\(topic.id)"
        replicationFactor = topic.configuration.replicationFactor
        minInSync = topic.configuration.minInSync
        retentionMs = topic.configuration.retentionMs
        retentionBytes = topic.configuration.retentionBytes
        cleanup = topic.configuration.cleanup == .delete ? "delete" : "compact"
        partitions = topic.partitions.map { partition in
            Partition(
                partition: partition.index, primary: partition.primary == .none ? nil : name(partition.primary),
                replicas: partition.replicas.map(name), inSync: partition.inSync.map(name),
                firstOffset: partition.firstOffset, nextOffset: partition.highWatermark, bytes: partition.bytes)
        }
    }

    /// Offsets between the first and the next of all partitions.
    private var records: UInt64 {
        partitions.reduce(0) { $0 + $1.nextOffset - min($1.firstOffset, $1.nextOffset) }
    }

    private var bytes: UInt64 { partitions.reduce(0) { $0 + $1.bytes } }

    private var retention: String {
        let bounds = [
            retentionMs > 0 ? Text.duration(ms: retentionMs) : nil,
            retentionBytes > 0 ? "\(Text.size(bytes: retentionBytes)) a partition" : nil,
        ].compactMap { $0 }
        return bounds.isEmpty ? "for good" : bounds.joined(separator: ", ")
    }

    /// Topics for people, one to a line.
    static func lines(_ topics: [TopicReport]) -> [String] {
        var table = TextTable([
            .init("TOPIC"), .init("PARTITIONS", right: true), .init("COPIES", right: true),
            .init("RECORDS", right: true), .init("SIZE", right: true), .init("KEPT"), .init("CLEANUP"),
        ])
        for topic in topics {
            table.add([
                topic.name, "\(topic.partitions.count)", "\(topic.replicationFactor)", "\(topic.records)",
                Text.size(bytes: topic.bytes), topic.retention, topic.cleanup,
            ])
        }
        return table.lines
    }

    /// The topic for people, with its partitions.
    var lines: [String] {
        var table = TextTable([
            .init("PARTITION", right: true), .init("PRIMARY"), .init("IN SYNC"), .init("MISSING"),
            .init("FIRST", right: true), .init("NEXT", right: true), .init("SIZE", right: true),
        ])
        for partition in partitions {
            table.add([
                "\(partition.partition)", partition.primary ?? "none", partition.inSync.joined(separator: ","),
                partition.replicas.filter { !partition.inSync.contains($0) }.joined(separator: ","),
                "\(partition.firstOffset)", "\(partition.nextOffset)", Text.size(bytes: partition.bytes),
            ])
        }
        let inSync = minInSync == 0 ? "a majority" : "\(minInSync)"
        return [
            "topic \(name): \(partitions.count) partitions, \(replicationFactor) copies, \(inSync) in sync to publish",
            "kept \(retention), cleanup by \(cleanup)", "",
        ] + table.lines
    }
}
