public import Logging
public import Wire

/// Where a reader begins that has no position yet.
public enum StartPosition: Sendable, Hashable {
    /// At the first record left.
    case earliest
    /// Behind the last record.
    case latest
}

/// Reads all partitions of a topic as a member of a group: each partition is read by one member at a time (its lease is
/// a register of the group and partition), and goes on from the last commit when another member takes it over. Delivery
/// is at least once, in order within a partition.
public struct GroupConsumer: Sendable {
    /// The client to read through.
    public let client: StormoClient
    /// The topic; waited for when it does not exist yet.
    public let topic: String
    /// The group's name.
    public let group: String
    /// Where a partition begins that the group has never committed.
    public let start: StartPosition
    /// What becomes of records that cannot be handled; nil to try for ever.
    public let deadLetters: DeadLetterPolicy?
    /// Where it tells what it does.
    public let logger: Logger

    /// A member of a group; nothing happens before `run`.
    public init(
        client: StormoClient, topic: String, group: String, start: StartPosition = .earliest,
        deadLetters: DeadLetterPolicy? = nil, logger: Logger
    ) {
        self.client = client
        self.topic = topic
        self.group = group
        self.start = start
        self.deadLetters = deadLetters
        self.logger = logger
    }

    /// Reads until the task is cancelled. `handle` gets the records of one partition in order (partitions run
    /// concurrently); their offsets are committed after it returns. When it throws, the same records come again after a
    /// growing pause; with `deadLetters` one by one, and those that fail too often are put aside. Members share the
    /// partitions evenly; one that comes or goes only moves what has to move. Unreachable clusters are waited for. On
    /// cancellation the leases are given back.
    public func run(_ handle: @escaping @Sendable ([PositionedRecord]) async throws -> Void) async throws {
        try await GroupReader(consumer: self).run(handle)
    }
}

/// Reads all partitions of a topic without a group: every tail gets every record.
public struct TopicTail: Sendable {
    /// The client to read through.
    public let client: StormoClient
    /// The topic; waited for when it does not exist yet.
    public let topic: String
    /// Where it tells what it does.
    public let logger: Logger

    /// A tail; nothing happens before `run`.
    public init(client: StormoClient, topic: String, logger: Logger) {
        self.client = client
        self.topic = topic
        self.logger = logger
    }

    /// Reads until the task is cancelled, from `positions` (next offset by partition) and for partitions not named
    /// there from `start`. `handle` is called for one partition's records at a time, in order, with the position behind
    /// them. Unreachable clusters are waited for.
    public func run(
        from positions: [UInt32: Offset] = [:], start: StartPosition = .latest,
        _ handle: @escaping @Sendable (_ records: [PositionedRecord], _ next: RecordPosition) async throws -> Void
    ) async throws {
        try await TailReader(tail: self).run(from: positions, start: start, handle)
    }
}
