import StormoClient
import Wire

/// What the members of a group were given of each partition, and when.
struct DeliveryLog: Sendable {
    /// Records of a partition that a member was given at once.
    struct Delivery: Sendable {
        /// The member.
        var member: Int
        /// The records' offsets.
        var offsets: Range<Offset>
        /// When, by a monotonic clock, in nanoseconds.
        var atNs: UInt64
    }

    /// A partition that changed hands.
    struct Move: Hashable, Sendable {
        var partition: UInt32
        var from: Int
        var to: Int
    }

    private var deliveries: [UInt32: [Delivery]] = [:]
    /// Behind the last record that anybody was given.
    private var ends: [UInt32: Offset] = [:]
    /// Partitions in which records were passed over.
    private(set) var skipped: Set<UInt32> = []
    /// Records that were given again.
    private(set) var repeated = 0

    /// A member was given records.
    mutating func delivered(_ partition: UInt32, _ delivery: Delivery) {
        let end = ends[partition] ?? 0
        if delivery.offsets.lowerBound > end { skipped.insert(partition) }
        repeated += Int(end - min(end, delivery.offsets.lowerBound))
        ends[partition] = max(end, delivery.offsets.upperBound)
        deliveries[partition, default: []].append(delivery)
    }

    /// Forgets all deliveries but the last of each partition.
    mutating func forget() { deliveries = deliveries.mapValues { Array($0.suffix(1)) } }

    /// The member that was given something of a partition last.
    func owner(_ partition: UInt32) -> Int? { deliveries[partition]?.last?.member }

    /// How often its present owner has been given something of a partition, one after the other.
    func run(_ partition: UInt32) -> Int {
        guard let all = deliveries[partition], let last = all.last else { return 0 }
        return all.reversed().prefix { $0.member == last.member }.count
    }

    /// How many deliveries of a partition there were.
    func count(_ partition: UInt32) -> Int { deliveries[partition]?.count ?? 0 }

    /// All changes of hands, by partition.
    var moves: [Move] {
        deliveries.sorted { $0.key < $1.key }.flatMap { partition, all in
            zip(all, all.dropFirst()).filter { $0.member != $1.member }
                .map { Move(partition: partition, from: $0.member, to: $1.member) }
        }
    }

    /// The longest time between two deliveries of a partition that ended within a time.
    func longestPause(_ partition: UInt32, since: UInt64 = 0, until: UInt64 = .max) -> Duration {
        let all = deliveries[partition] ?? []
        let pauses = zip(all, all.dropFirst()).filter { $1.atNs >= since && $1.atNs < until }
            .map { $1.atNs - min($0.atNs, $1.atNs) }
        return .nanoseconds(pauses.max() ?? 0)
    }

    /// How long after a moment a partition's first delivery came; nil when none did.
    func firstDelivery(_ partition: UInt32, since: UInt64) -> Duration? {
        deliveries[partition]?.first { $0.atNs >= since }.map { .nanoseconds($0.atNs - since) }
    }
}
