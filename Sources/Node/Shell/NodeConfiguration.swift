package import Membership
package import NodeCore
package import NodeStorage

/// Settings of a node process.
package struct NodeConfiguration: Sendable {
    /// The node's name, unique in the cluster.
    package var name: String
    /// The cluster's name.
    package var clusterName: String
    /// The cluster secret, the same on every node.
    package var secret: [UInt8]
    /// Where it listens, `host:port`; port 0 takes any free one.
    package var listen: String
    /// Where others reach it, `host:port`; nil for the address it listens on.
    package var advertise: String?
    /// Nodes that may be found at first, `host:port` each.
    package var seeds: [String]
    /// The failure domain it stands in.
    package var zone = ""
    /// Bounds and times of the core.
    package var core = CoreLimits()
    /// Times of the membership.
    package var membership = MembershipConfiguration()
    /// The data directory and its bounds.
    package var storage: StorageConfiguration
    /// Connections that it takes at a time, those of other nodes included.
    package var connectionsMax = 10_000
    /// Of these, places that only nodes get.
    package var connectionsKeptForNodes = 256
    /// Connections that may be in their handshake at a time.
    package var handshakesMax = 256
    /// How long a stopping node may take to answer what is in flight, in milliseconds.
    package var drainTimeoutMs: UInt64 = 2_000
    /// How long clients may take at a stop to close their connections, in milliseconds. Stormo's own do at once; others
    /// are not waited for longer.
    package var clientsLeaveMs: UInt64 = 500
    /// How long a starting node that every seed refuses keeps trying before it gives up, in milliseconds: a former run
    /// under another address must have been declared dead by then.
    package var refusedTimeoutMs: UInt64 = 8_000

    /// Settings with the defaults of the configuration reference.
    package init(
        name: String, clusterName: String, secret: [UInt8], listen: String, seeds: [String], dataDirectory: String
    ) {
        self.name = name
        self.clusterName = clusterName
        self.secret = secret
        self.listen = listen
        self.seeds = seeds
        storage = StorageConfiguration(directory: dataDirectory)
    }
}

/// Why a node could not run.
package enum NodeError: Error, Sendable, CustomStringConvertible {
    /// Its data directory cannot be used.
    case storage(StorageOpenError)
    /// It cannot listen, or its address is none.
    case transport(String)
    /// The cluster will not have it.
    case refused(String)

    /// One line for people.
    package var description: String {
        switch self {
        case .storage(let error): error.description
        case .transport(let detail): detail
        case .refused(let detail): detail
        }
    }
}
