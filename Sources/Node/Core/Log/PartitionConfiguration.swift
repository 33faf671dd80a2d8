package import Wire

/// A member of an in-sync set: a node's present copy of the log.
package struct LogMember: Hashable, Sendable {
    /// The node.
    package var node: NodeID
    /// Which log; a node that lost its log comes back with another one, and is another member.
    package var logID: LogID

    /// Pairs the two.
    package init(node: NodeID, logID: LogID) {
        self.node = node
        self.logID = logID
    }

    /// The log that a node begins a partition with, after it lost all its logs so many times.
    package static func first(_ node: NodeID, of partition: PartitionID, losses: UInt64 = 0) -> LogMember {
        var writer = ByteWriter(capacity: 20)
        writer.integer(partition.topic.rawValue)
        writer.integer(partition.index)
        writer.integer(node.rawValue)
        if losses > 0 { writer.integer(losses) }
        return LogMember(node: node, logID: XXH64.hash(writer.bytes))
    }
}

/// Who serves a partition, kept in a register of its own. Every change is a compare-and-set of that register's version.
package struct PartitionConfiguration: Hashable, Sendable {
    /// The name of its topic, whose own register says how the records are kept, and whether the topic still exists.
    package var topic: String
    /// The primary's reign; 0 while a primary is only nominated.
    package var epoch: LogEpoch
    /// The primary.
    package var primary: NodeID
    /// All replicas, in order of preference.
    package var replicas: [NodeID]
    /// Where the replicas should be, the preferred primary first; empty while they are where they should be.
    package var target: [NodeID]
    /// Those that hold everything acknowledged.
    package var inSync: [LogMember]
    /// Below this many members of the in-sync set nothing is acknowledged.
    package var minInSync: Int

    /// Puts a configuration together.
    package init(
        topic: String, epoch: LogEpoch, primary: NodeID, replicas: [NodeID], target: [NodeID] = [],
        inSync: [LogMember], minInSync: Int
    ) {
        self.topic = topic
        self.epoch = epoch
        self.primary = primary
        self.replicas = replicas
        self.target = target
        self.inSync = inSync
        self.minInSync = minInSync
    }

    /// The register of a partition.
    package static func key(_ partition: PartitionID) -> Key {
        Key(keyPrefix(partition.topic) + Array(Self.digits(partition.index).utf8))
    }

    /// What the registers of a topic's partitions begin with; of all topics without one.
    package static func keyPrefix(_ topic: TopicID?) -> [UInt8] {
        Key.system("partition/" + (topic.map { "\($0)/" } ?? "")).bytes
    }

    /// The partition whose register a key names.
    package static func partition(of key: Key) -> PartitionID? {
        let text = Substring(decoding: key.bytes.dropFirst(keyPrefix(nil).count), as: UTF8.self)
        let parts = text.split(separator: "/")
        guard parts.count == 2, let topic = Hex.number(parts[0]), let index = UInt32(parts[1]) else { return nil }
        return PartitionID(topic: TopicID(topic), index: index)
    }

    // Four digits: listings come in the order of the index.
    private static func digits(_ index: UInt32) -> String {
        let text = String(index)
        return String(repeating: "0", count: max(0, 4 - text.count)) + text
    }

    /// The bytes kept in the register.
    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.text(topic)
        writer.integer(epoch)
        writer.integer(primary.rawValue)
        writer.integer(UInt16(minInSync))
        writer.list(replicas) { $0.integer($1.rawValue) }
        writer.list(target) { $0.integer($1.rawValue) }
        writer.list(inSync) {
            $0.integer($1.node.rawValue)
            $0.integer($1.logID)
        }
        return writer.bytes
    }

    /// Reads the bytes of a register; nil when they are not a configuration.
    package init?(_ bytes: [UInt8]) {
        let read: PartitionConfiguration? = bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try? PartitionConfiguration(from: &reader)
        }
        guard let read else { return nil }
        self = read
    }

    private init(from reader: inout ByteReader) throws(WireError) {
        topic = try reader.text("topic")
        epoch = try reader.integer("epoch")
        primary = NodeID(try reader.integer("primary"))
        minInSync = Int(try reader.integer("min in-sync", as: UInt16.self))
        replicas = try reader.nodes("replicas")
        target = try reader.nodes("target")
        inSync = try reader.list("in-sync set", max: WireLimits.ringMembersMax, minBytes: 16) {
            reader throws(WireError) in
            let node = NodeID(try reader.integer("node"))
            return LogMember(node: node, logID: try reader.integer("log id"))
        }
    }

    /// With `Mutation.setComparesEpoch`: a cell with the epoch that a change keeps passes for the one it compares with.
    static func passed(_ found: Cell?, for change: RegisterChange) -> Cell? {
        guard case .put(let value, _, .version(let version)) = change, let cell = found,
            case .value(let bytes) = cell.content, let present = PartitionConfiguration(bytes),
            present.epoch == PartitionConfiguration(value)?.epoch
        else { return found }
        return Cell(version: version, base: cell.base, content: cell.content, expiryMs: cell.expiryMs)
    }

    /// Where the replicas should be, the preferred primary first.
    package var wanted: [NodeID] { target.isEmpty ? replicas : target }

    /// All replicas in the order in which the reign goes on: those that stay first.
    var order: [NodeID] { wanted + replicas.filter { !wanted.contains($0) } }
}

extension ByteReader {
    fileprivate mutating func nodes(_ field: StaticString) throws(WireError) -> [NodeID] {
        try list(field, max: WireLimits.ringMembersMax, minBytes: 8) { reader throws(WireError) in
            NodeID(try reader.integer("node"))
        }
    }
}
