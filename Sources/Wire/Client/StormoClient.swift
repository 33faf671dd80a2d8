public import Logging
public import Wire

/// A client of the cluster: it finds the nodes by a seed list, keeps the ring, sends every operation to the node that
/// coordinates it, pipelines what is waiting on one connection per node, and tries again only where that is safe.
///
/// Thread-safe; one per process is enough. `run()` must be running for operations to be answered.
public final class StormoClient: Sendable {
    let router: Router

    /// The settings it was made with.
    public let configuration: ClientConfiguration

    /// Makes a client; nothing is connected before `run()`.
    public init(configuration: ClientConfiguration, logger: Logger) {
        self.configuration = configuration
        router = Router(configuration: configuration, logger: logger)
    }

    /// Connects and keeps connected until the task is cancelled (then all operations in flight end with `closed`).
    public func run() async throws { try await router.run() }

    /// Returns when the client has a ring and a live node, or throws `unreachable` after `timeoutMs`, saying what every
    /// seed answered.
    public func waitUntilReady(timeoutMs: UInt64) async throws(ClientError) {
        try await router.waitUntilReady(timeoutMs: timeoutMs)
    }

    // MARK: Keys

    /// The value of a key; nil when there is none (never written, deleted, expired).
    public func get(_ key: Key, consistency: Consistency = .quorum) async throws(ClientError) -> VersionedValue? {
        guard
            case .readAnswer(let answer) = try await router.send(
                .readRequest(ReadRequest(key: key, consistency: consistency)), to: .key(key), safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return VersionedValue(answer.cell)
    }

    /// The own copy of one node (`consistency: .local`), tombstones included, for tests and debugging.
    public func localCopy(_ key: Key, at node: NodeID) async throws(ClientError) -> Cell? {
        guard
            case .readAnswer(let answer) = try await router.send(
                .readRequest(ReadRequest(key: key, consistency: .local)), to: .node(node), safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return answer.cell
    }

    /// Sets a key whatever it holds. `ttlMs` is 1 s to ten years.
    @discardableResult
    public func put(
        _ key: Key, _ value: [UInt8], ttlMs: UInt64? = nil, consistency: Consistency = .quorum
    ) async throws(ClientError) -> WriteAnswer {
        try await write(key, .put(value: value, ttlMs: ttlMs, condition: .none), consistency: consistency)
    }

    /// Sets a key when `condition` holds of it. A refused answer carries what is there.
    public func compareAndSet(
        _ key: Key, _ value: [UInt8], if condition: Condition, ttlMs: UInt64? = nil
    ) async throws(ClientError) -> WriteAnswer {
        try await write(key, .put(value: value, ttlMs: ttlMs, condition: condition), consistency: .serial)
    }

    /// Deletes a key, when `condition` holds of it.
    @discardableResult
    public func delete(_ key: Key, if condition: Condition = .none) async throws(ClientError) -> WriteAnswer {
        try await write(key, .delete(condition: condition), consistency: .quorum)
    }

    /// Any change of a register; the calls above are the usual ones.
    public func write(
        _ key: Key, _ change: RegisterChange, consistency: Consistency
    ) async throws(ClientError) -> WriteAnswer {
        guard
            case .writeAnswer(let answer) = try await router.send(
                .writeRequest(WriteRequest(key: key, consistency: consistency, change: change)), to: .key(key),
                safety: .once)
        else { throw Router.unexpectedAnswer }
        return answer
    }

    /// A page of the keys that begin with `prefix`, in key order. Pass `resumeAfter` of one page as `after` of the next.
    public func scan(
        prefix: [UInt8], after: [UInt8] = [], limit: Int = 100, keysOnly: Bool = false
    ) async throws(ClientError) -> ScanAnswer {
        let request = ScanRequest(
            prefix: prefix, after: after, limit: UInt32(max(1, min(limit, WireLimits.scanItemsMax))), keysOnly: keysOnly
        )
        guard
            case .scanAnswer(let answer) = try await router.send(
                .scanRequest(request), to: .anyNode, safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return answer
    }

    /// All keys that begin with `prefix`, page by page, up to `max` of them.
    public func scanAll(prefix: String, max: Int = 100_000, keysOnly: Bool = false) async throws(ClientError)
        -> [ScanItem]
    {
        try await scanAll(prefix: Array(prefix.utf8), max: max, keysOnly: keysOnly)
    }

    /// As above, for a prefix of bytes: keys of the system begin with one that is 0.
    func scanAll(prefix: [UInt8], max: Int, keysOnly: Bool = false) async throws(ClientError) -> [ScanItem] {
        var items: [ScanItem] = []
        var after: [UInt8] = []
        while items.count < max {
            let page = try await scan(
                prefix: prefix, after: after, limit: WireLimits.scanItemsMax, keysOnly: keysOnly)
            items += page.items
            guard let next = page.resumeAfter else { break }
            after = next
        }
        return items
    }

    // MARK: Locks

    /// The key under which the lock of a name is kept.
    public static func lockKey(_ name: String) -> Key { .system("lock/\(name)") }

    /// Takes the lock `name` for `owner`. Not applied: somebody holds it (`Lease(current.value)` says who), also when
    /// that is `owner` itself. The fencing token of an acquired lock is `version`.
    ///
    /// Count the lease from *before* this call by a monotonic clock, and stop `clockDriftMaxMs` before its end.
    public func acquire(_ name: String, owner: String, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer {
        try await write(Self.lockKey(name), .acquire(owner: owner, ttlMs: ttlMs), consistency: .serial)
    }

    /// Extends a lock by its token. Not applied: it is no longer held under this token.
    public func renew(_ name: String, token: Ballot, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer {
        try await write(Self.lockKey(name), .renew(token: token, ttlMs: ttlMs), consistency: .serial)
    }

    /// Gives a lock back by its token. Not applied: it is no longer held under this token.
    public func release(_ name: String, token: Ballot) async throws(ClientError) -> WriteAnswer {
        try await write(Self.lockKey(name), .release(token: token), consistency: .serial)
    }

    // MARK: Topics

    /// The topic of a name; made with `configuration` when it does not exist and `configuration` is given, nil
    /// otherwise.
    public func topic(_ name: String, creating configuration: TopicConfiguration? = nil) async throws(ClientError)
        -> TopicInfo?
    {
        try await router.topic(name, creating: configuration)
    }

    /// All topics, with the offsets that every primary tells of its partitions.
    public func topics() async throws(ClientError) -> [TopicInfo] { try await router.topics() }

    /// Changes how a topic is kept. Partitions can be added, never taken away: records with a key go by the new number from
    /// then on.
    public func alterTopic(_ name: String, _ configuration: TopicConfiguration) async throws(ClientError) -> TopicInfo {
        try await router.alterTopic(name, configuration)
    }

    /// Deletes a topic with all its records, and what groups remember of it; nothing when it does not exist.
    public func deleteTopic(_ name: String) async throws(ClientError) {
        try await router.deleteTopic(name)
        await GroupDirectory(client: self).forgetFormerLives(of: name)
    }

    /// Appends records to a topic (made on first use), each to the partition of its key's hash, those without a key
    /// spread over all. Batches what other callers publish at the same time. Returns when all are durable on the
    /// in-sync replicas, with each record's place, in the order given.
    ///
    /// A batch whose answer was lost is sent again until `publishTimeoutMs` is over, and kept once. Then the publish ends in
    /// `outcomeUnknown`, and publishing again may give a duplicate.
    @discardableResult
    public func publish(_ topic: String, _ records: [Record]) async throws(ClientError) -> [RecordPosition] {
        try await router.publish(topic, records, creating: TopicConfiguration())
    }

    /// The same for a topic that exists; throws `refused(.unknownTopic)` when it does not.
    @discardableResult
    public func publish(toExisting topic: String, _ records: [Record]) async throws(ClientError) -> [RecordPosition] {
        try await router.publish(topic, records, creating: nil)
    }

    /// Records of one partition from `offset` on, waiting up to `waitMs` when there are none yet: at most `bytesMax` as
    /// they are packed, and eight times that when they are unpacked, but at least one batch. `Offset.max` asks for the
    /// present end. With `life`, a topic that was made anew under the name is refused as unknown.
    public func fetch(
        _ topic: String, partition: UInt32, offset: Offset, bytesMax: Int = 1 << 20, waitMs: UInt32 = 0,
        life: TopicID? = nil
    ) async throws(ClientError) -> FetchedRecords {
        try await router.fetch(
            topic, partition: partition, offset: offset, bytesMax: bytesMax, waitMs: waitMs, life: life)
    }

    /// Where something is in one partition: its first record, its end, a time, or so many records before the end.
    public func find(_ topic: String, partition: UInt32, _ query: OffsetQuery) async throws(ClientError) -> OffsetAnswer
    {
        try await router.find(topic, partition: partition, query)
    }

    // MARK: The cluster

    /// The ring and the members as last heard; nil before the first answer.
    public var cluster: ClusterState? { router.cluster }

    /// The figures of one node.
    public func statistics(of node: NodeID) async throws(ClientError) -> NodeStatistics {
        guard case .stats(let stats) = try await router.send(.statsRequest, to: .node(node), safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return stats
    }

    /// This client's own counters.
    public var statistics: [NodeStatistics.Item] { router.statistics }
}

/// A value and its version.
public struct VersionedValue: Hashable, Sendable {
    /// The bytes.
    public let value: [UInt8]
    /// What a compare-and-set compares with.
    public let version: Ballot
    /// When it expires, in milliseconds since 1970; nil for never.
    public let expiryMs: UInt64?

    /// The live value of a cell; nil for a tombstone.
    public init?(_ cell: Cell?) {
        guard let cell, case .value(let value) = cell.content else { return nil }
        self.value = value
        version = cell.version
        expiryMs = cell.expiryMs
    }
}

/// Where a record stands.
public struct RecordPosition: Hashable, Sendable {
    /// The partition.
    public let partition: UInt32
    /// The offset.
    public let offset: Offset

    /// Pairs the two.
    public init(partition: UInt32, offset: Offset) {
        self.partition = partition
        self.offset = offset
    }
}

/// A record with its place.
public struct PositionedRecord: Hashable, Sendable {
    /// Where it stands.
    public let position: RecordPosition
    /// The record.
    public let record: Record

    /// Pairs the two.
    public init(position: RecordPosition, record: Record) {
        self.position = position
        self.record = record
    }
}

/// What a fetch gave.
public struct FetchedRecords: Sendable {
    /// In order of offset, none below the one that was asked for.
    public let records: [PositionedRecord]
    /// Where the next fetch goes on.
    public let nextOffset: Offset
    /// Everything below it may be read.
    public let highWatermark: Offset
    /// First offset left.
    public let firstOffset: Offset

    /// Puts a result together.
    public init(records: [PositionedRecord], nextOffset: Offset, highWatermark: Offset, firstOffset: Offset) {
        self.records = records
        self.nextOffset = nextOffset
        self.highWatermark = highWatermark
        self.firstOffset = firstOffset
    }
}
