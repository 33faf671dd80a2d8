import StormoClient
import Wire

/// What a change of the ring does, as `stormo ring add` and its like print it.
struct RingPlanReport: Encodable, Sendable, Hashable {
    /// What a node gains and loses.
    struct Node: Encodable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Its id.
        var id: String
        /// Share of all keys of which it holds a copy, in percent.
        var beforePercent: Double
        /// Afterwards.
        var afterPercent: Double
        /// Share of all keys that it has to copy.
        var copiesPercent: Double
        /// How many keys that is, about; absent when no node told how many there are.
        var copiesKeys: UInt64?
        /// How many bytes, about.
        var copiesBytes: UInt64?
    }

    /// A stretch of the ring that could not keep a quorum.
    struct Danger: Encodable, Sendable, Hashable {
        /// Its share of all keys, in percent.
        var percent: Double
        /// The token before its first one, in hexadecimal digits.
        var after: String
        /// Its last token.
        var through: String
        /// Names of its replicas that live.
        var alive: [String]
        /// How many are needed.
        var needed: Int
    }

    /// Whether nothing was begun.
    var dryRun: Bool
    /// The ring's epoch: that in force for a dry run, else the one that the change has begun with.
    var epoch: UInt32
    /// Copies of every key afterwards.
    var replicas: Int
    /// Every node before or after, by name.
    var nodes: [Node]
    /// Where too few replicas live; with any, the change is refused.
    var dangers: [Danger]
    /// Partitions of topics that get other replicas by it, or will have to move once it is over; absent when no node told.
    var partitionsToMove: Int?
    /// How it ended, when that was waited for: `done` or `superseded`.
    var outcome: String?

    /// Puts a report together; `figures` tell how much there is.
    init(_ plan: RingPlan, dryRun: Bool, figures: [NodeFigures]) {
        self.dryRun = dryRun
        epoch = plan.epoch.rawValue
        replicas = Int(plan.replicas)
        let amounts = Amounts(plan, figures)
        nodes = plan.shares.map { share in
            let copies = Double(share.copies) / 1_000_000
            return Node(
                name: share.name, id: "\(share.node)", beforePercent: Self.percent(share.before),
                afterPercent: Self.percent(share.after), copiesPercent: Self.percent(share.copies),
                copiesKeys: amounts.keys.map { UInt64(($0 * copies).rounded()) },
                copiesBytes: amounts.bytes.map { UInt64(($0 * copies).rounded()) })
        }.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
        let names = Dictionary(plan.shares.map { ($0.node, $0.name) }, uniquingKeysWith: { first, _ in first })
        dangers = plan.dangers.map { danger in
            Danger(
                percent: (danger.range.share * 10_000).rounded() / 100, after: Hex.fixed(danger.range.after),
                through: Hex.fixed(danger.range.through), alive: danger.alive.map { names[$0] ?? "\($0)" }.sorted(),
                needed: Int(danger.needed))
        }
    }

    private static func percent(_ millionths: UInt32) -> Double { (Double(millionths) / 1_000).rounded() / 10 }

    /// How much one copy of all keys is: what the members that answer hold, over the share of it that they hold.
    private struct Amounts {
        var keys: Double?
        var bytes: Double?

        init(_ plan: RingPlan, _ figures: [NodeFigures]) {
            var shares: Double = 0
            var keys: Double = 0
            var bytes: Double = 0
            for node in figures {
                guard case .success(let figures) = node.figures,
                    let share = plan.shares.first(where: { $0.node == node.member.id })?.before, share > 0
                else { continue }
                shares += Double(share) / 1_000_000
                keys += Double(figures["storage_keys_approximate"] ?? 0)
                bytes += Double(
                    (figures["storage_sqlite_bytes"] ?? 0) + (figures["storage_memtable_bytes"] ?? 0)
                        + (figures["storage_memtables_waiting_bytes"] ?? 0))
            }
            guard shares > 0 else { return }
            self.keys = keys / shares
            self.bytes = bytes / shares
        }
    }

    /// Stretches that are printed one by one; the rest is counted.
    private static let dangersShown = 10

    /// What a dry run ends with.
    var dryRunLine: String {
        "nothing was changed (dry run): there would be \(replicas) \(replicas == 1 ? "copy" : "copies") of every key"
    }

    /// The report for people.
    var lines: [String] {
        var table = TextTable([
            .init("NODE"), .init("HOLDS", right: true), .init("THEN", right: true), .init("COPIES", right: true),
            .init("KEYS, ABOUT", right: true), .init("BYTES, ABOUT", right: true),
        ])
        for node in nodes {
            let copies = node.copiesPercent > 0
            table.add([
                node.name, "\(Text.fixed(node.beforePercent, digits: 1)) %",
                "\(Text.fixed(node.afterPercent, digits: 1)) %",
                copies ? "\(Text.fixed(node.copiesPercent, digits: 1)) %" : "-",
                copies ? node.copiesKeys.map { Text.grouped(Double($0)) } ?? "?" : "-",
                copies ? node.copiesBytes.map { Text.size(bytes: $0) } ?? "?" : "-",
            ])
        }
        var lines = table.lines
        if let partitionsToMove, partitionsToMove > 0 {
            lines += [
                "",
                "\(partitionsToMove) \(partitionsToMove == 1 ? "partition" : "partitions") of topics move afterwards",
            ]
        }
        if !dangers.isEmpty {
            lines += ["", "REFUSED: these stretches of the ring have too few living replicas:"]
            for danger in dangers.prefix(Self.dangersShown) {
                let alive = danger.alive.isEmpty ? "nobody lives" : "\(danger.alive.joined(separator: ", ")) live"
                lines.append(
                    "  \(Text.fixed(danger.percent, digits: 2)) % of the keys: \(alive), \(danger.needed) are needed")
            }
            let rest = dangers.dropFirst(Self.dangersShown)
            if !rest.isEmpty {
                let percent = rest.reduce(0) { $0 + $1.percent }
                lines.append("  and \(rest.count) more with \(Text.fixed(percent, digits: 2)) % of the keys")
            }
        }
        return lines
    }
}
