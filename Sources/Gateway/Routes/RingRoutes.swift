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
            Route(.post, "/sharding/add-node", .admin, body: .json, addNode),
            Route(.post, "/sharding/remove-node", .admin, body: .json, removeNode),
            Route(.post, "/sharding/replace-node", .admin, body: .json, replaceNode),
            Route(.post, "/sharding/reconfigure", .admin, body: .json, reconfigure),
            Route(.post, "/sharding/abort", .admin, body: .json, abort),
        ]
    }

    private func info(_ call: Call) async throws -> Response {
        let cluster = try Self.cluster(services.client.cluster)
        let ring = try Self.ring(cluster)
        let progress = ring.next == nil ? nil : RingProgress(await services.client.statisticsOfNodes())
        return Response.object(capacity: 512 + ring.members.count * 256) {
            $0.name("nodes")
            $0.array {
                for member in ring.allMembers {
                    $0.object {
                        $0.member("id", member.id.description)
                        $0.member("name", member.name)
                        $0.member("address", member.address)
                        $0.member("state", cluster.stateText(of: member.id))
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
            if let transition = RingTransition(ring) {
                $0.name("transition")
                $0.transition(transition, progress)
            }
        }
    }

    // MARK: Changes

    private func addNode(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let node = fields.node("node")
        let dryRun = fields.dryRun(with: ["node"])
        try fields.check()
        guard let node else { preconditionFailure("fields without errors are all there") }
        return try await change(.add(node), dryRun: dryRun)
    }

    private func removeNode(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let node = fields.node("node")
        let dryRun = fields.dryRun(with: ["node"])
        try fields.check()
        guard let node else { preconditionFailure("fields without errors are all there") }
        return try await change(.remove(node), dryRun: dryRun)
    }

    private func replaceNode(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let node = fields.node("node")
        let replacement = fields.node("with")
        let dryRun = fields.dryRun(with: ["node", "with"])
        try fields.check()
        guard let node, let replacement else { preconditionFailure("fields without errors are all there") }
        return try await change(.replace(node, with: replacement), dryRun: dryRun)
    }

    private func reconfigure(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        let factor = fields.whole("replication_factor", 1...WireLimits.ringMembersMax)
        let dryRun = fields.dryRun(with: ["replication_factor"])
        try fields.check()
        guard let factor else { preconditionFailure("fields without errors are all there") }
        return try await change(.replicationFactor(factor), dryRun: dryRun)
    }

    private func abort(_ call: Call) async throws -> Response {
        var fields = try BodyFields(call.body)
        fields.refuseOthers(than: [])
        try fields.check()
        return try await change(.abort, dryRun: false)
    }

    /// 202 with the epoch in which the change runs; a dry run changes nothing and is answered with 200.
    private func change(_ change: RingChange, dryRun: Bool) async throws -> Response {
        let plan = try await services.client.changeRing(change, dryRun: dryRun)
        return Response.object(status: dryRun ? .ok : .accepted, capacity: 1_024) {
            $0.member("epoch", plan.epoch.rawValue)
            $0.name("transition")
            $0.plan(plan)
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
                        $0.member("state", cluster.stateText(of: member.id))
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

    /// The member that goes by this name, id or address, one that joins among them.
    static func member(_ name: String, in cluster: ClusterState?) throws(Problem) -> RingMember {
        let ring = try ring(try Self.cluster(cluster))
        guard let member = ring.allMembers.first(where: { $0.isCalled(name) }) else {
            throw .notFound("node", "the ring has no node \(name)")
        }
        return member
    }
}

extension BodyFields {
    /// A node by its address, name or id; a leading `http://` is passed over, as the former coordinator's clients send it.
    fileprivate mutating func node(_ name: String) -> String? {
        guard let text = text(name) else { return nil }
        let bare = text.hasPrefix("http://") ? String(text.dropFirst(7)) : text
        let trimmed = bare.hasSuffix("/") ? String(bare.dropLast()) : bare
        if trimmed.isEmpty { add(name, "expected host:port, found \"\(text)\"") }
        return trimmed.isEmpty ? nil : trimmed
    }

    /// `dry_run`, false when it is not there; every other member that is not in `names` is a mistake.
    fileprivate mutating func dryRun(with names: [String]) -> Bool {
        refuseOthers(than: names + ["dry_run"])
        switch object["dry_run"] {
        case nil, .null: return false
        case .bool(let value): return value
        case .some(let other):
            add("dry_run", "expected true or false, found \(other.kind)")
            return false
        }
    }
}

extension JSONWriter {
    fileprivate mutating func transition(_ transition: RingTransition, _ progress: RingProgress?) {
        object {
            $0.member("kind", transition.kind.rawValue)
            $0.name("from")
            $0.layout(transition.from)
            $0.name("to")
            $0.layout(transition.to)
            guard let progress else { return }
            $0.name("progress")
            $0.object {
                $0.member("ranges_done", progress.rangesDone)
                $0.member("ranges_total", progress.rangesTotal)
                $0.member("keys_copied", progress.keys)
                $0.member("bytes_copied", progress.bytes)
                if let leftMs = progress.leftMs { $0.member("seconds_left", (leftMs + 999) / 1_000) }
            }
        }
    }

    private mutating func layout(_ layout: RingLayout) {
        object {
            $0.name("nodes")
            $0.array { for member in layout.members { $0.string(member.name) } }
            $0.member("replication_factor", layout.replicationFactor)
            $0.member("replicas", layout.replicas)
        }
    }

    fileprivate mutating func plan(_ plan: RingPlan) {
        object {
            $0.member("replicas", UInt64(plan.replicas))
            $0.name("nodes")
            $0.array {
                for share in plan.shares {
                    $0.object {
                        $0.member("id", share.node.description)
                        $0.member("name", share.name)
                        $0.member("holds", Double(share.before) / 1_000_000)
                        $0.member("will_hold", Double(share.after) / 1_000_000)
                        $0.member("copies", Double(share.copies) / 1_000_000)
                    }
                }
            }
            $0.name("without_quorum")
            $0.array {
                for danger in plan.dangers {
                    $0.object {
                        $0.member("after", Hex.fixed(danger.range.after))
                        $0.member("through", Hex.fixed(danger.range.through))
                        $0.member("alive", UInt64(danger.alive.count))
                        $0.member("needed", UInt64(danger.needed))
                    }
                }
            }
        }
    }
}
