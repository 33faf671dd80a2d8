package import Logging
package import StormoClient
package import Wire

/// What the fleet's programs use of a cluster. ``StormoClient`` is the one of production; tests have one in memory.
package protocol FleetCluster: Sendable {
    /// The value of a key; nil when there is none.
    func get(_ key: Key, consistency: Consistency) async throws(ClientError) -> VersionedValue?
    /// Sets a key whatever it holds.
    @discardableResult
    func put(
        _ key: Key, _ value: [UInt8], ttlMs: UInt64?, consistency: Consistency
    ) async throws(ClientError) -> WriteAnswer
    /// Sets a key when `condition` holds of it.
    func compareAndSet(
        _ key: Key, _ value: [UInt8], if condition: Condition, ttlMs: UInt64?
    ) async throws(ClientError) -> WriteAnswer
    /// Deletes a key, when `condition` holds of it.
    @discardableResult
    func delete(_ key: Key, if condition: Condition) async throws(ClientError) -> WriteAnswer
    /// A page of the keys that begin with `prefix`, in key order.
    func scan(prefix: [UInt8], after: [UInt8], limit: Int, keysOnly: Bool) async throws(ClientError) -> ScanAnswer
    /// Appends records to a topic.
    @discardableResult
    func publish(_ topic: String, _ records: [Record]) async throws(ClientError) -> [RecordPosition]
    /// Takes a lock.
    func acquire(_ name: String, owner: String, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer
    /// Extends a lock.
    func renew(_ name: String, token: Ballot, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer
    /// Gives a lock back.
    func release(_ name: String, token: Ballot) async throws(ClientError) -> WriteAnswer
    /// Makes a topic when it does not exist.
    func ensureTopic(_ name: String) async throws(ClientError)
    /// Hands over every record that comes to a topic from now on, one partition's at a time and in order, until the
    /// task is cancelled.
    func follow(
        _ topic: String, logger: Logger, _ handle: @escaping @Sendable ([PositionedRecord]) async throws -> Void
    ) async throws
}

extension StormoClient: FleetCluster {
    /// See `FleetCluster`: the topic is made with the defaults.
    package func ensureTopic(_ name: String) async throws(ClientError) {
        _ = try await topic(name, creating: TopicConfiguration())
    }

    /// See `FleetCluster`: reads from the end on, without a group.
    package func follow(
        _ topic: String, logger: Logger, _ handle: @escaping @Sendable ([PositionedRecord]) async throws -> Void
    ) async throws {
        try await TopicTail(client: self, topic: topic, logger: logger).run(start: .latest) { records, _ in
            try await handle(records)
        }
    }
}

/// A value read from the cluster and the version a compare-and-set on it must name.
package struct Versioned<Value: Sendable>: Sendable {
    /// The value.
    package var value: Value
    /// Its version.
    package var version: Ballot

    /// Pairs the two.
    package init(_ value: Value, version: Ballot) {
        self.value = value
        self.version = version
    }
}

extension Versioned: Equatable where Value: Equatable {}
extension Versioned: Hashable where Value: Hashable {}

/// What became of a replacement by compare-and-set.
package enum Replacement<Value: Sendable>: Sendable {
    /// It was made.
    case applied(Versioned<Value>)
    /// Somebody else was first; this is what is there, nil when nothing is.
    case refused(Versioned<Value>?)
}
