import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// What can be asked of the table *Ring*.
struct RingRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/sharding/info", .client, info),
            Route(.get, "/sharding/locate", .client, locate),
        ]
    }

    private func info(_ call: Call) async throws -> Response {
        let cluster = try Self.cluster(services.client.cluster)
        let ring = try Self.ring(cluster)
        return Response.object(capacity: 512 + ring.members.count * 256) {
            $0.name("nodes")
            $0.array {
                for member in ring.members {
                    $0.object {
                        $0.member("id", member.id.description)
                        $0.member("name", member.name)
                        $0.member("address", member.address)
                        $0.member("state", Self.state(of: member.id, in: cluster))
                        $0.member("zone", member.zone)
                        $0.member("tokens", member.virtualNodes)
                        $0.member("owns", (ring.primaryShare(of: member.id) * 10_000).rounded() / 10_000)
                    }
                }
            }
            $0.member("replication_factor", ring.replicationFactor)
            $0.member("replicas", ring.replicas)
            $0.member("virtual_nodes", ring.members.map(\.virtualNodes).max() ?? 0)
            $0.member("epoch", ring.epoch.rawValue)
        }
    }

    private func locate(_ call: Call) async throws -> Response {
        guard let name = call.query["key"] else { throw Problem.invalidParameter("key", "is missing") }
        let key = try KeyName.key(name, field: "key")
        let cluster = try Self.cluster(services.client.cluster)
        let ring = try Self.ring(cluster)
        return Response.object {
            $0.member("key", name)
            $0.member("token", Hex.fixed(key.token))
            $0.name("replicas")
            $0.array {
                for member in ring.replicas(of: key.token).compactMap({ ring.member($0) }) {
                    $0.object {
                        $0.member("id", member.id.description)
                        $0.member("name", member.name)
                        $0.member("address", member.address)
                        $0.member("state", Self.state(of: member.id, in: cluster))
                    }
                }
            }
        }
    }

    /// The cluster as last heard of.
    static func cluster(_ cluster: ClusterState?) throws(Problem) -> ClusterState {
        guard let cluster else { throw Problem(.unreachable("no node has answered yet")) }
        return cluster
    }

    /// The ring, when there is one with nodes.
    static func ring(_ cluster: ClusterState) throws(Problem) -> Ring {
        guard let ring = cluster.ring, !ring.members.isEmpty else { throw .noNodes }
        return ring
    }

    /// The member that goes by this name or id.
    static func member(_ name: String, in cluster: ClusterState?) throws(Problem) -> RingMember {
        let ring = try ring(try Self.cluster(cluster))
        guard let member = ring.members.first(where: { $0.name == name || $0.id.description == name }) else {
            throw .notFound("node", "the ring has no node \(name)")
        }
        return member
    }

    /// What the membership says of a node.
    static func state(of id: NodeID, in cluster: ClusterState) -> String {
        switch cluster.members.first(where: { $0.identity.id == id })?.state {
        case .alive: "alive"
        case .suspect: "suspect"
        case .dead: "dead"
        case .left: "left"
        case nil: "unknown"
        }
    }
}
