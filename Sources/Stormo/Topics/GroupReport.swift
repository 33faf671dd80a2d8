import StormoClient
import Wire

/// What `stormo group describe` tells.
struct GroupReport: Encodable, Sendable, Hashable {
    /// How far the group is in a partition.
    struct Partition: Encodable, Sendable, Hashable {
        /// The topic.
        var topic: String
        /// Its index.
        var partition: UInt32
        /// Who reads it; absent when nobody does.
        var member: String?
        /// When the member's lease ends unless it is renewed.
        var leaseEndsAt: String?
        /// Where the group goes on; absent before its first commit.
        var committedOffset: UInt64?
        /// Behind the last record; absent when the primary does not answer.
        var nextOffset: UInt64?
        /// Records not read.
        var lag: UInt64?
        /// How long the oldest of them waits.
        var lagSeconds: Double?
    }

    /// Its name.
    var name: String
    /// The members that read.
    var members: [String]
    /// Records not read, in all.
    var lag: UInt64
    /// How long the oldest of them waits.
    var lagSeconds: Double
    /// By topic and index.
    var partitions: [Partition]

    /// Puts a report together.
    init(_ group: GroupState) {
        name = group.name
        members = group.members
        lag = group.lagRecords
        lagSeconds = Double(group.lagMs) / 1_000
        partitions = group.partitions.map { partition in
            Partition(
                topic: partition.topic, partition: partition.partition, member: partition.holder?.member,
                leaseEndsAt: partition.holder.map { Timestamp.rfc3339(milliseconds: $0.leaseEndMs) },
                committedOffset: partition.committed, nextOffset: partition.end, lag: partition.lag?.records,
                lagSeconds: partition.lag.map { Double($0.ms) / 1_000 })
        }
    }

    /// The report for people.
    var lines: [String] {
        var table = TextTable([
            .init("TOPIC"), .init("PARTITION", right: true), .init("COMMITTED", right: true), .init("END", right: true),
            .init("LAG", right: true), .init("BEHIND", right: true), .init("MEMBER"),
        ])
        func text(_ number: UInt64?) -> String { number.map { "\($0)" } ?? "-" }
        for partition in partitions {
            table.add([
                partition.topic, "\(partition.partition)", text(partition.committedOffset), text(partition.nextOffset),
                text(partition.lag), partition.lagSeconds.map { Text.duration(ms: UInt64($0 * 1_000)) } ?? "-",
                partition.member ?? "",
            ])
        }
        let behind =
            lag == 0 ? "nothing unread" : "\(lag) records unread, for \(Text.duration(ms: UInt64(lagSeconds * 1_000)))"
        return ["group \(name): \(members.count) members, \(behind)", ""] + table.lines
    }
}
