/// What an experiment has found.
package struct MembershipFigures: Hashable, Sendable {
    /// Members of the cluster.
    package let members: Int
    /// Messages lost out of a thousand.
    package let lossPerMille: UInt64
    /// From the start of all members at once until all knew all, in milliseconds; nil for longer than was waited.
    package var joinMs: UInt64?
    /// Members times seconds of the quiet time.
    package var nodeSeconds: UInt64 = 0
    /// Living members declared dead before the split, by each who declared it.
    package var falseDeaths: UInt64 = 0
    /// Members times seconds of the time before the split.
    package var watchedNodeSeconds: UInt64 = 0
    /// Living members suspected in the quiet time, by each who suspected it on its own account.
    package var suspicions: UInt64 = 0
    /// Suspicions and deaths refuted in the quiet time.
    package var refutations: UInt64 = 0
    /// Messages sent in the quiet time.
    package var messages: UInt64 = 0
    /// Bytes sent in the quiet time, with the frames' headers.
    package var bytes: UInt64 = 0
    /// Members that were killed: their connections closed.
    package var killed: [Detection] = []
    /// Members that fell silent.
    package var silent: [Detection] = []
    /// Whether there was a split.
    package var wasSplit = false
    /// From the end of the split until all members knew all again, in milliseconds; nil for longer than was waited.
    package var healMs: UInt64?
    /// Living members declared dead after the split had ended.
    package var buriedByHealing: UInt64 = 0

    /// The columns of the table. Times are in milliseconds; rates are for each node and hour, or second.
    package static let header = [
        "nodes", "loss %", "join", "killed: first", "all (max)", "silent: first", "all (max)   ", "suspected/h",
        "refuted/h", "buried alive (node h)", "messages/s", "bytes/s", "healed", "buried by healing",
    ]

    /// The line of the table.
    package var row: [String] {
        [
            "\(members)", Self.decimal(lossPerMille, 10), Self.text(joinMs), Self.median(killed.map(\.firstMs)),
            Self.medianAndMaximum(killed.map(\.allMs)), Self.median(silent.map(\.firstMs)),
            Self.medianAndMaximum(silent.map(\.allMs)), perHour(suspicions), perHour(refutations),
            "\(falseDeaths) (\(Self.decimal(watchedNodeSeconds, 3_600)))", Self.decimal(messages, nodeSeconds),
            "\(nodeSeconds == 0 ? 0 : bytes / nodeSeconds)", wasSplit ? Self.text(healMs) : "-",
            "\(buriedByHealing)",
        ]
    }

    private func perHour(_ count: UInt64) -> String { Self.decimal(count * 3_600, nodeSeconds) }

    /// A quotient with one digit behind the point, rounded down.
    private static func decimal(_ value: UInt64, _ divisor: UInt64) -> String {
        guard divisor > 0 else { return "-" }
        let tenths = value * 10 / divisor
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private static func text(_ valueMs: UInt64?) -> String { valueMs.map { "\($0)" } ?? "never" }

    /// Never counts as longest.
    private static func sorted(_ values: [UInt64?]) -> [UInt64?] { values.sorted { $0 ?? .max < $1 ?? .max } }

    private static func median(_ values: [UInt64?]) -> String {
        values.isEmpty ? "-" : text(sorted(values)[values.count / 2])
    }

    private static func medianAndMaximum(_ values: [UInt64?]) -> String {
        values.isEmpty ? "-" : "\(median(values)) (\(text(sorted(values).last ?? nil)))"
    }
}
