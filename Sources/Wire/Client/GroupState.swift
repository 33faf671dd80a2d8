public import Wire

/// A consumer group as a listing tells it.
public struct GroupSummary: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// The topics that it reads, in the order of their names.
    public let topics: [String]
    /// The members that hold partitions, in the order of their names.
    public let members: [String]

    /// Puts a summary together.
    public init(name: String, topics: [String], members: [String]) {
        self.name = name
        self.topics = topics
        self.members = members
    }
}

/// A consumer group with how far it is in every partition of the topics that it reads.
public struct GroupState: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// By topic and partition.
    public let partitions: [GroupPartition]
    /// Its members, in the order of their names: those that hold partitions, and those that live and wait for one.
    public let members: [String]

    /// Puts a state together; `living` are the members of which it is known otherwise.
    public init(name: String, partitions: [GroupPartition], living: [String] = []) {
        self.name = name
        self.partitions = partitions
        members = Set(partitions.compactMap { $0.holder?.member } + living).sorted()
    }

    /// Records that the group has not read, of the partitions where that is known.
    public var lagRecords: UInt64 { partitions.reduce(0) { $0 + ($1.lag?.records ?? 0) } }

    /// How long the oldest record waits that the group has not read, in milliseconds; 0 when there is none.
    public var lagMs: UInt64 { partitions.reduce(0) { max($0, $1.lag?.ms ?? 0) } }
}

/// How far a group is in one partition.
public struct GroupPartition: Hashable, Sendable {
    /// Who reads a partition for its group.
    public struct Holder: Hashable, Sendable {
        /// The member, in its own words.
        public let member: String
        /// When its lease ends unless it is renewed, in milliseconds since 1970.
        public let leaseEndMs: UInt64

        /// Puts the two together.
        public init(member: String, leaseEndMs: UInt64) {
            self.member = member
            self.leaseEndMs = leaseEndMs
        }
    }

    /// What a group has not read of a partition.
    public struct Lag: Hashable, Sendable {
        /// Offsets between the group's position and the end.
        public let records: UInt64
        /// How long ago the first of them was appended, in milliseconds; 0 when there is none.
        public let ms: UInt64

        /// Puts the two together.
        public init(records: UInt64, ms: UInt64) {
            self.records = records
            self.ms = ms
        }
    }

    /// The topic.
    public let topic: String
    /// The partition's index.
    public let partition: UInt32
    /// Who holds it; nil when nobody does, or not any more.
    public let holder: Holder?
    /// How often it has been taken, and its position set.
    public let token: UInt64
    /// Where the group goes on; nil before its first commit.
    public let committed: Offset?
    /// Where the partition ends; nil when its primary does not answer.
    public let end: Offset?
    /// What the group has not read; nil before its first commit and when the primary does not answer.
    public let lag: Lag?

    /// Puts a state together.
    public init(
        topic: String, partition: UInt32, holder: Holder?, token: UInt64, committed: Offset?, end: Offset?, lag: Lag?
    ) {
        self.topic = topic
        self.partition = partition
        self.holder = holder
        self.token = token
        self.committed = committed
        self.end = end
        self.lag = lag
    }
}

/// What came of deleting a group.
public enum GroupDeletion: Hashable, Sendable {
    /// It is gone; so many partitions had a position.
    case deleted(partitions: Int)
    /// These members read for it: nothing was deleted, or only a part when one of them has just begun.
    case inUse(members: [String])
}
