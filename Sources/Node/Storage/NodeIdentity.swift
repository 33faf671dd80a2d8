import Glibc
package import Wire

/// Who a data directory belongs to. Kept in the file `IDENTITY` of the directory, replaced as a whole when it changes.
package struct NodeIdentity: Hashable, Sendable {
    /// The node's id, drawn when the directory was new.
    package var nodeID: NodeID
    /// The node's name.
    package var name: String
    /// The name of its cluster.
    package var clusterName: String
    /// The id of its cluster; nil until the node has joined one.
    package var clusterID: ClusterID?
    /// Grows with every start, so that what was said of an earlier run is told apart.
    package var incarnation: UInt64

    /// Puts an identity together.
    package init(nodeID: NodeID, name: String, clusterName: String, clusterID: ClusterID?, incarnation: UInt64) {
        self.nodeID = nodeID
        self.name = name
        self.clusterName = clusterName
        self.clusterID = clusterID
        self.incarnation = incarnation
    }

    /// The identity of a directory; nil when it has none yet. Throws when the file is damaged or of an unknown version.
    package static func load(from directory: String) throws(StorageOpenError) -> NodeIdentity? {
        let path = directory + "/IDENTITY"
        guard
            let content = try SealedFile.load(
                path, magic: Self.magic, version: Self.version, kind: "an identity file")
        else { return nil }
        let result: Result<NodeIdentity, WireError> = content.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                return .success(try NodeIdentity(from: &reader))
            } catch { return .failure(error) }
        }
        switch result {
        case .success(let identity): return identity
        case .failure(let error): throw .corrupt("\(path): \(error)")
        }
    }

    /// Writes the identity in the place of the former one; durable when this returns.
    package func store(in directory: String) throws(StorageOpenError) {
        var body = ByteWriter()
        body.integer(nodeID.rawValue)
        body.text(name)
        body.text(clusterName)
        body.optional(clusterID) { writer, id in
            writer.integer(id.high)
            writer.integer(id.low)
        }
        body.integer(incarnation)
        do throws(DiskError) {
            try PosixDirectory.create(directory)
            try SealedFile.store(
                body.bytes, at: directory + "/IDENTITY", in: directory, magic: Self.magic, version: Self.version)
        } catch { throw .disk(error) }
    }

    /// The identity for a start: the one in the directory with the next incarnation, or a new one with `nodeID`. It is
    /// durable when this returns. Throws `foreign` when the directory belongs to another node or cluster. Call it while
    /// the storage is open: its lock keeps other nodes away.
    package static func start(
        in directory: String, name: String, clusterName: String, newNodeID: @autoclosure () -> NodeID
    ) throws(StorageOpenError) -> NodeIdentity {
        guard var identity = try load(from: directory) else {
            let identity = NodeIdentity(
                nodeID: newNodeID(), name: name, clusterName: clusterName, clusterID: nil, incarnation: 1)
            try identity.store(in: directory)
            return identity
        }
        guard identity.clusterName == clusterName else {
            throw .foreign(directory: directory, what: "cluster", found: identity.clusterName, expected: clusterName)
        }
        guard identity.name == name else {
            throw .foreign(directory: directory, what: "node", found: identity.name, expected: name)
        }
        identity.incarnation += 1
        try identity.store(in: directory)
        return identity
    }

    /// Remembers the cluster that the node has joined. Throws `foreign` when it belongs to another one already.
    package mutating func join(_ cluster: ClusterID, in directory: String) throws(StorageOpenError) {
        if let clusterID {
            guard clusterID == cluster else {
                throw .foreign(directory: directory, what: "cluster", found: "\(clusterID)", expected: "\(cluster)")
            }
            return
        }
        var joined = self
        joined.clusterID = cluster
        try joined.store(in: directory)
        self = joined
    }

    // "STORMOID" in the order of the bytes.
    private static let magic: UInt64 = 0x4449_4F4D_524F_5453
    private static let version: UInt64 = 1

    private init(from reader: inout ByteReader) throws(WireError) {
        nodeID = NodeID(try reader.integer("node id"))
        name = try reader.text("name")
        clusterName = try reader.text("cluster name")
        clusterID = try reader.optional("cluster id") { reader throws(WireError) in
            let high: UInt64 = try reader.integer("cluster id")
            return ClusterID(high: high, low: try reader.integer("cluster id"))
        }
        incarnation = try reader.integer("incarnation")
        try reader.end(of: "identity")
    }
}
