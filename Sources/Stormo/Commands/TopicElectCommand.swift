import ArgumentParser
import StormoClient
import Wire

extension TopicCommand {
    struct Elect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a node the primary of a partition.",
            discussion: """
                A node in the in-sync set takes the reign in good order: nothing is lost. It may get it only when the \
                present primary has had it for half a minute, and may lose it again when reigns are evened out.

                Any other node lacks records that were acknowledged, or may lack some, and is refused. --unclean makes \
                it primary all the same: whatever was acknowledged behind the end of its log is lost for good, on all \
                replicas. It is for a partition whose in-sync replicas have all lost their logs, and nothing else.

                Waits until the node is primary; interrupting the command does not take it back.
                """)

        /// How long the node may take to become primary, in milliseconds: longer than primaries are left their reign.
        private static let waitMs: Int64 = 60_000
        /// How often it is asked for, in milliseconds.
        private static let pollMs: Int64 = 250

        @Argument(help: "The topic.") var topic: String
        @Argument(help: "The partition.") var partition: UInt32
        @Option(help: "The node, by name, id or address.") var node: String
        @Flag(help: "Also without what was acknowledged: that is lost.") var unclean = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let name = try TopicCommand.name(topic)
            let (partition, node, unclean) = (partition, node, unclean)
            let session = try ClientSession(CommandContext(flags), name: "topic")
            let report = try await session.run { client in
                guard let cluster = client.cluster, let node = try RepairCommand.nodes(of: cluster, named: node).first
                else { throw ClientError.unreachable("no node has told its cluster yet") }
                let answer: Elected
                do throws(ClientError) {
                    answer = try await client.electPrimary(
                        name, partition: partition, node: node.id, unclean: unclean)
                } catch {
                    guard case .refused(.notInSync, let detail) = error else { throw error }
                    throw Refused(description: "\(detail); say --unclean when that is to be")
                }
                var report = ElectionReport(name, partition, node, answer)
                var display = ProgressDisplay(everyMs: Self.waitMs)
                defer { display.clear() }
                let end = ContinuousClock.now + .milliseconds(Self.waitMs)
                while ContinuousClock.now < end {
                    let found = try await client.topic(name)?.partitions.first { $0.index == partition }
                    if let found, report.isDone(by: found, node.id) { return report }
                    display.show("waiting until \(node.name) is primary")
                    try await Task.sleep(for: .milliseconds(Self.pollMs))
                }
                throw Refused(
                    description:
                        "\(node.name) is named, and not primary yet: 'stormo topic describe \(name)' tells when it is")
            }
            format.tell(report, lines: report.lines)
        }
    }
}

/// What `stormo topic elect` tells.
struct ElectionReport: Encodable, Sendable, Hashable {
    /// The topic.
    var topic: String
    /// The partition.
    var partition: UInt32
    /// Its primary.
    var node: String
    /// Whether records may be lost.
    var unclean: Bool
    /// The epoch of its reign.
    var epoch: LogEpoch
    /// The first offset of its log.
    var firstOffset: UInt64
    /// The offset behind the last record that it had: what was acknowledged from there on is lost when `unclean`.
    var endOffset: UInt64

    /// Puts a report together.
    init(_ topic: String, _ partition: UInt32, _ node: RingMember, _ answer: Elected) {
        self.topic = topic
        self.partition = partition
        self.node = node.name
        unclean = answer.unclean
        epoch = answer.epoch
        firstOffset = answer.firstOffset
        endOffset = answer.endOffset
    }

    /// Whether the partition is as it was asked for; notes its epoch then.
    mutating func isDone(by found: PartitionInfo, _ node: NodeID) -> Bool {
        guard found.primary == node, found.epoch > epoch || (!unclean && found.epoch == epoch && epoch > 0),
            found.inSync.contains(node)
        else { return false }
        epoch = found.epoch
        return true
    }

    /// The report for people.
    var lines: [String] {
        var lines = ["\(node) is primary of partition \(partition) of \(topic) in epoch \(epoch)"]
        if unclean {
            let had = firstOffset == endOffset ? "no records" : "offsets \(firstOffset) to \(endOffset - 1)"
            lines += [
                "its log had \(had): whatever was acknowledged from offset \(endOffset) on is lost, and the other replicas cut it off",
                "groups that were further on wait until new records have come so far: 'stormo group seek' sets them back",
            ]
        }
        return lines
    }
}
