import StormoClient
import Wire

/// What `stormo ring show` tells.
struct RingReport: Encodable, Sendable, Hashable {
    /// A member of the ring, of the layout in force or the next one.
    struct Member: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Its id.
        var id: String
        /// Where it is reached.
        var address: String
        /// Its failure domain.
        var zone: String
        /// `alive`, `suspect`, `dead`, `left`, or `unknown`.
        var state: String
        /// `member`, `joining` or `leaving`.
        var role: String
        /// How many tokens it holds.
        var tokens: Int
        /// Share of all keys for which it is the first replica, in percent.
        var ownsPercent: Double
        /// Share of all keys of which it holds a copy, in percent.
        var holdsPercent: Double
        /// The same once the change under way is over.
        var holdsNextPercent: Double?
        /// Keys that it holds, about; absent when it does not answer.
        var keys: UInt64?
        /// Writes that wait for it elsewhere to be delivered are kept by others; these are the ones that it keeps.
        var hintsPending: UInt64?
    }

    /// A change under way.
    struct Change: Encodable, Sendable, Hashable {
        /// `add-node`, `remove-node`, `replace-node` or `reconfigure`.
        var kind: String
        /// Names of nodes that come in.
        var joining: [String]
        /// Names of nodes that go.
        var leaving: [String]
        /// Copies of every key before and after.
        var replicasBefore: Int
        var replicasAfter: Int
        /// Who copies, and how far it is.
        var copiers: [Copier]
        /// How long it will still take, in seconds; absent when nobody knows yet.
        var leftSeconds: Double?
        /// Members that do not tell.
        var silent: [String]
    }

    /// A node that copies.
    struct Copier: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Stretches of the ring that it has.
        var rangesDone: UInt64
        /// All of them.
        var rangesTotal: UInt64
    }

    /// The cluster's name.
    var cluster: String
    /// Number of the ring; 0 when there is none.
    var epoch: UInt32
    /// Copies in force.
    var replicas: Int
    /// Copies as configured; more than `replicas` while there are too few nodes.
    var replicationFactor: Int
    /// By name.
    var members: [Member]
    /// The change under way.
    var change: Change?

    /// Asks the cluster.
    static func gather(from client: StormoClient) async throws -> RingReport {
        guard let cluster = client.cluster else { throw ClientError.unreachable("no node has told its cluster yet") }
        return RingReport(cluster, figures: await client.statisticsOfNodes())
    }

    /// Puts a report together.
    init(_ cluster: ClusterState, figures: [NodeFigures]) {
        let ring = cluster.ring
        self.cluster = cluster.name
        epoch = ring?.epoch.rawValue ?? 0
        replicas = ring?.replicas ?? 0
        replicationFactor = ring?.replicationFactor ?? 0
        members = []
        guard let ring else { return }
        let holds = RingShares(ring.layout)
        let holdsNext = ring.next.map { RingShares($0) }
        for member in ring.allMembers {
            let found = figures.first { $0.member.id == member.id }.flatMap { try? $0.figures.get() }
            let joins = ring.layout.member(member.id) == nil
            let leaves = ring.next.map { $0.member(member.id) == nil } ?? false
            members.append(
                Member(
                    name: member.name, id: "\(member.id)", address: member.address, zone: member.zone,
                    state: cluster.stateText(of: member.id), role: joins ? "joining" : leaves ? "leaving" : "member",
                    tokens: Int(member.virtualNodes), ownsPercent: Self.percent(ring.primaryShare(of: member.id)),
                    holdsPercent: Self.percent(holds[member.id]),
                    holdsNextPercent: holdsNext.map { Self.percent($0[member.id]) },
                    keys: found?["storage_keys_approximate"], hintsPending: found?["hints_pending"]))
        }
        members.sort { ($0.name, $0.id) < ($1.name, $1.id) }
        guard let transition = RingTransition(ring) else { return }
        let progress = RingProgress(figures)
        change = Change(
            kind: transition.kind.rawValue, joining: transition.joining.map(\.name),
            leaving: transition.leaving.map(\.name), replicasBefore: transition.from.replicas,
            replicasAfter: transition.to.replicas,
            copiers: progress.copiers.map {
                Copier(name: $0.name, rangesDone: $0.rangesDone, rangesTotal: $0.rangesTotal)
            }, leftSeconds: progress.leftMs.map { Double($0) / 1_000 }, silent: progress.silent)
    }

    private static func percent(_ share: Double) -> Double { (share * 1_000).rounded() / 10 }

    /// The report for people.
    var lines: [String] {
        guard epoch > 0 else { return ["cluster \(cluster) has no ring yet: its founders have not all been seen"] }
        let factor = replicationFactor == replicas ? "" : " of \(replicationFactor) wanted"
        let rest = change == nil ? "at rest" : "changing"
        var lines = ["ring \(epoch) of \(cluster): \(members.count) nodes, \(replicas) copies\(factor), \(rest)"]
        if let change { lines += change.lines }
        var columns: [TextTable.Column] = [
            .init("NODE"), .init("STATE"), .init("RING"), .init("ZONE"), .init("OWNS", right: true),
            .init("HOLDS", right: true),
        ]
        if change != nil { columns.append(.init("THEN", right: true)) }
        columns += [.init("KEYS", right: true), .init("HINTS", right: true), .init("ADDRESS"), .init("ID")]
        var table = TextTable(columns)
        for member in members {
            var row = [
                member.name, member.state, member.role, member.zone, "\(Text.fixed(member.ownsPercent, digits: 1)) %",
                "\(Text.fixed(member.holdsPercent, digits: 1)) %",
            ]
            if change != nil { row.append("\(Text.fixed(member.holdsNextPercent ?? 0, digits: 1)) %") }
            row += [
                member.keys.map { Text.grouped(Double($0)) } ?? "-",
                member.hintsPending.map { Text.grouped(Double($0)) } ?? "-", member.address, member.id,
            ]
            table.add(row)
        }
        return lines + [""] + table.lines
    }
}

extension RingReport.Change {
    /// What is done, in words.
    var words: String {
        switch kind {
        case RingTransition.Kind.addNode.rawValue: "\(joining.joined(separator: ", ")) joins"
        case RingTransition.Kind.removeNode.rawValue: "\(leaving.joined(separator: ", ")) leaves"
        case RingTransition.Kind.replaceNode.rawValue:
            "\(joining.joined(separator: ", ")) takes the place of \(leaving.joined(separator: ", "))"
        default: "from \(replicasBefore) to \(replicasAfter) copies"
        }
    }

    var lines: [String] {
        var lines = [words]
        for copier in copiers {
            lines.append("  \(copier.name) has \(copier.rangesDone) of \(copier.rangesTotal) ranges")
        }
        if !silent.isEmpty { lines.append("  no word from \(silent.joined(separator: ", "))") }
        if let leftSeconds, leftSeconds > 0 {
            lines.append("  about \(Text.duration(ms: UInt64(leftSeconds * 1_000))) left")
        }
        return lines
    }
}

/// The share of all keys of which each member of a layout holds a copy.
struct RingShares {
    private var shares: [NodeID: Double] = [:]

    /// Walks the layout once.
    init(_ layout: RingLayout) {
        let ring = Ring(clusterID: .none, epoch: .none, layout: layout)
        for segment in ring.segments {
            for node in segment.replicas { shares[node, default: 0] += segment.range.share }
        }
    }

    /// From 0 to 1.
    subscript(_ node: NodeID) -> Double { shares[node] ?? 0 }
}
