import Fleet
import Logging
import StormoClient
import Synchronization
import Wire

/// A cluster in memory: registers, locks and topics as one process sees them, with faults on demand.
final class MemoryCluster: FleetCluster {
    private struct State {
        var cells: [Key: Cell] = [:]
        var nextVersion: UInt64 = 1
        var topics: [String: [Record]] = [:]
        var followers: [String: [AsyncStream<PositionedRecord>.Continuation]] = [:]
        var fault: (@Sendable (Operation) -> Fault?)?
        var writes = 0
    }

    /// What is asked of the cluster, for faults to choose by.
    enum Operation: Sendable, Hashable {
        case get(String)
        case write(String)
        case scan(String)
        case publish(String)
    }

    /// How an operation goes wrong.
    enum Fault: Sendable {
        /// Not done.
        case fails(ClientError)
        /// Done, and the answer lost.
        case losesAnswer
    }

    private let state = Mutex(State())

    /// Sets or clears what goes wrong.
    func setFault(_ fault: (@Sendable (Operation) -> Fault?)?) {
        state.withLock { $0.fault = fault }
    }

    /// All records of a topic.
    func records(_ topic: String) -> [Record] { state.withLock { $0.topics[topic] ?? [] } }

    /// Keys that hold a value now, in order.
    func keys(prefix: String) -> [String] {
        state.withLock { state in
            state.cells.filter { if case .value = $0.value.content { true } else { false } }
                .map(\.key.description).filter { $0.hasPrefix(prefix) }.sorted()
        }
    }

    private func fault(_ operation: Operation) throws(ClientError) -> Bool {
        switch state.withLock({ $0.fault })?(operation) {
        case .fails(let error): throw error
        case .losesAnswer: return true
        case nil: return false
        }
    }

    func get(_ key: Key, consistency: Consistency) async throws(ClientError) -> VersionedValue? {
        _ = try fault(.get(key.description))
        return state.withLock { VersionedValue($0.cells[key]) }
    }

    @discardableResult
    func put(
        _ key: Key, _ value: [UInt8], ttlMs: UInt64?, consistency: Consistency
    ) async throws(ClientError) -> WriteAnswer {
        try await change(key, .value(value), if: .none)
    }

    func compareAndSet(
        _ key: Key, _ value: [UInt8], if condition: Condition, ttlMs: UInt64?
    ) async throws(ClientError) -> WriteAnswer {
        try await change(key, .value(value), if: condition)
    }

    func delete(_ key: Key, if condition: Condition) async throws(ClientError) -> WriteAnswer {
        try await change(key, .tombstone, if: condition)
    }

    private func change(
        _ key: Key, _ content: Cell.Content, if condition: Condition
    ) async throws(ClientError) -> WriteAnswer {
        let losesAnswer = try fault(.write(key.description))
        await Task.yield()
        let answer = state.withLock { state -> WriteAnswer in
            let current = VersionedValue(state.cells[key])
            let holds =
                switch condition {
                case .none: true
                case .absent: current == nil
                case .version(let version): current?.version == version
                }
            guard holds else {
                return WriteAnswer(applied: false, version: nil, expiryMs: nil, current: state.cells[key])
            }
            let version = Ballot(time: HybridTime(state.nextVersion), node: NodeID(1))
            state.nextVersion += 1
            state.writes += 1
            state.cells[key] = Cell(version: version, base: nil, content: content, expiryMs: nil)
            return WriteAnswer(applied: true, version: version, expiryMs: nil, current: nil)
        }
        if losesAnswer { throw .outcomeUnknown("the answer was lost") }
        return answer
    }

    func scan(prefix: [UInt8], after: [UInt8], limit: Int, keysOnly: Bool) async throws(ClientError) -> ScanAnswer {
        _ = try fault(.scan(String(decoding: prefix, as: UTF8.self)))
        return state.withLock { state in
            let last = Key(after)
            let items = state.cells
                .filter { key, cell in
                    if case .tombstone = cell.content { return false }
                    return key.bytes.starts(with: prefix) && (after.isEmpty || last < key)
                }
                .map { ScanItem(key: $0.key, cell: $0.value) }
                .sorted { $0.key < $1.key }
            let page = Array(items.prefix(limit))
            return ScanAnswer(items: page, resumeAfter: page.count < items.count ? page.last?.key.bytes : nil)
        }
    }

    func publish(_ topic: String, _ records: [Record]) async throws(ClientError) -> [RecordPosition] {
        let losesAnswer = try fault(.publish(topic))
        let positions = state.withLock { state in
            records.map { record in
                let offset = state.topics[topic]?.count ?? 0
                state.topics[topic, default: []].append(record)
                let position = RecordPosition(partition: 0, offset: Offset(offset))
                for follower in state.followers[topic] ?? [] {
                    follower.yield(PositionedRecord(position: position, record: record))
                }
                return position
            }
        }
        if losesAnswer { throw .outcomeUnknown("the answer was lost") }
        return positions
    }

    func acquire(_ name: String, owner: String, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer {
        try await change(StormoClient.lockKey(name), .value(Array(owner.utf8)), if: .absent)
    }

    func renew(_ name: String, token: Ballot, ttlMs: UInt64) async throws(ClientError) -> WriteAnswer {
        let key = StormoClient.lockKey(name)
        _ = try fault(.write(key.description))
        return state.withLock { state in
            let isHeld = VersionedValue(state.cells[key])?.version == token
            return WriteAnswer(applied: isHeld, version: isHeld ? token : nil, expiryMs: nil, current: state.cells[key])
        }
    }

    func release(_ name: String, token: Ballot) async throws(ClientError) -> WriteAnswer {
        try await change(StormoClient.lockKey(name), .tombstone, if: .version(token))
    }

    /// Takes a lock from whoever holds it, as its expiry would.
    func expireLock(_ name: String) {
        state.withLock { $0.cells[StormoClient.lockKey(name)] = nil }
    }

    func ensureTopic(_ name: String) async throws(ClientError) {}

    func follow(
        _ topic: String, logger: Logger, _ handle: @escaping @Sendable ([PositionedRecord]) async throws -> Void
    ) async throws {
        let (records, writer) = AsyncStream<PositionedRecord>.makeStream()
        state.withLock { $0.followers[topic, default: []].append(writer) }
        for await record in records { try await handle([record]) }
    }
}

/// A store over a cluster in memory with a clock of its own, one millisecond further at each look.
func memoryStore(
    _ cluster: MemoryCluster, publisher: String = "test", clock: TestClock = TestClock()
) -> FleetStore<MemoryCluster> {
    FleetStore(
        cluster: cluster, publisher: publisher, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        nowMs: { clock.next() })
}

/// A clock that moves when it is looked at.
final class TestClock: Sendable {
    private let ms: Mutex<Int64>

    init(_ ms: Int64 = 1_770_000_000_000) { self.ms = Mutex(ms) }

    func next() -> Int64 {
        ms.withLock { ms in
            ms += 1
            return ms
        }
    }

    func advance(_ by: Int64) { ms.withLock { $0 += by } }
}

/// Waits until something holds; false after `seconds`.
func eventually(within seconds: Double = 20, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while clock.now < end {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return try await condition()
}
