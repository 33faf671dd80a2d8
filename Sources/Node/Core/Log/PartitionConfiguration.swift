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
    /// The primary's reign; 0 while a primary is only nominated.
    package var epoch: LogEpoch
    /// The primary.
    package var primary: NodeID
    /// All replicas, in order of preference.
    package var replicas: [NodeID]
    /// Those that hold everything acknowledged.
    package var inSync: [LogMember]
    /// Below this many members of the in-sync set nothing is acknowledged.
    package var minInSync: Int

    /// Puts a configuration together.
    package init(epoch: LogEpoch, primary: NodeID, replicas: [NodeID], inSync: [LogMember], minInSync: Int) {
        self.epoch = epoch
        self.primary = primary
        self.replicas = replicas
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
        var writer = ByteWriter(capacity: 64)
        writer.integer(epoch)
        writer.integer(primary.rawValue)
        writer.integer(UInt16(minInSync))
        writer.list(replicas) { $0.integer($1.rawValue) }
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
            guard let epoch: LogEpoch = try? reader.integer("epoch"),
                let primary: UInt64 = try? reader.integer("primary"),
                let minInSync: UInt16 = try? reader.integer("min in-sync"),
                let replicas = try? reader.list(
                    "replicas", max: WireLimits.ringMembersMax, minBytes: 8,
                    { reader throws(WireError) in
                        NodeID(try reader.integer("replica"))
                    }),
                let inSync = try? reader.list(
                    "in-sync set", max: WireLimits.ringMembersMax, minBytes: 16,
                    { reader throws(WireError) in
                        let node = NodeID(try reader.integer("node"))
                        return LogMember(node: node, logID: try reader.integer("log id"))
                    })
            else { return nil }
            return PartitionConfiguration(
                epoch: epoch, primary: NodeID(primary), replicas: replicas, inSync: inSync, minInSync: Int(minInSync))
        }
        guard let read else { return nil }
        self = read
    }
}

/// A topic's own register: its life and how it is kept.
package struct TopicRegister: Hashable, Sendable {
    /// Its name.
    package var name: String
    /// Its life.
    package var id: TopicID
    /// How it is kept.
    package var configuration: TopicConfiguration

    /// The register of a topic.
    package static func key(_ name: String) -> Key { .system("topic/\(name)") }

    /// What the registers of all topics begin with.
    package static let keyPrefix = Key.system("topic/").bytes

    /// Puts a topic together.
    package init(name: String, id: TopicID, configuration: TopicConfiguration) {
        self.name = name
        self.id = id
        self.configuration = configuration
    }

    /// The bytes kept in the register.
    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.text(name)
        writer.integer(id.rawValue)
        configuration.encode(into: &writer)
        return writer.bytes
    }

    /// Reads the bytes of a register; nil when they are not a topic.
    package init?(_ bytes: [UInt8]) {
        let read: TopicRegister? = bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard let name = try? reader.text("topic"), let id: UInt64 = try? reader.integer("topic id"),
                let configuration = try? TopicConfiguration(from: &reader)
            else { return nil }
            return TopicRegister(name: name, id: TopicID(id), configuration: configuration)
        }
        guard let read else { return nil }
        self = read
    }
}
