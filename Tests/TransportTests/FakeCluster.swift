import Logging
import NIOCore
import Synchronization
import Testing
import Wire
import WireTransport

@testable import StormoClient

/// Nodes that share one memory: enough of a cluster for the client's tests, over real sockets. What a node does with a
/// request can be replaced by a script.
final class FakeCluster: Sendable {
    let store = FakeStore()
    private let listed = Mutex<[FakeNode]>([])

    var nodes: [FakeNode] { listed.withLock { $0 } }

    /// Starts nodes with ids 1, 2, … that form a ring.
    static func start(_ count: Int) async throws -> FakeCluster {
        let cluster = FakeCluster()
        for index in 1...count {
            let node = FakeNode(id: NodeID(UInt64(index)), store: cluster.store)
            try await node.listen()
            cluster.listed.withLock { $0.append(node) }
        }
        cluster.setRing(epoch: 1, cluster.nodes)
        return cluster
    }

    /// One more node, which is no member of the ring.
    func addNode() async throws -> FakeNode {
        let node = FakeNode(id: NodeID(UInt64(nodes.count + 1)), store: store)
        try await node.listen()
        listed.withLock { $0.append(node) }
        return node
    }

    /// Founds, or changes, the ring; with `next` it is joint.
    func setRing(epoch: UInt32, _ members: [FakeNode], next: [FakeNode]? = nil) {
        func layout(_ members: [FakeNode]) -> RingLayout {
            RingLayout(
                replicationFactor: 3,
                members: members.map {
                    RingMember(id: $0.id, name: $0.name, address: $0.address, zone: "", virtualNodes: 16)
                })
        }
        let ring = Ring(
            clusterID: ClusterID(high: 1, low: 1), epoch: Epoch(epoch), layout: layout(members),
            next: next.map(layout))
        store.state.withLock { $0.ring = ring }
    }

    var ring: Ring? { store.state.withLock { $0.ring } }

    func node(_ id: NodeID) -> FakeNode? { nodes.first { $0.id == id } }

    /// A running client of this cluster, for the time of `body`.
    func withClient<T>(
        _ change: (inout ClientConfiguration) -> Void = { _ in }, _ body: (StormoClient) async throws -> T
    ) async throws -> T {
        var configuration = ClientConfiguration(
            seeds: nodes.map(\.address), clusterName: "test", secret: Array("secret".utf8), role: .agent, name: "client"
        )
        configuration.reconnectPauseMs = 5...50
        // Tests share two busy cores: only what is about time is short.
        configuration.operationTimeoutMs = 10_000
        change(&configuration)
        let client = StormoClient(configuration: configuration, logger: quiet)
        let running = Task { try await client.run() }
        do {
            try await client.waitUntilReady(timeoutMs: 5_000)
            await eventually("all nodes are connected, and those asked first that may be") {
                client.figure("client_connects_total") >= nodes.count(where: \.isUp)
                    && client.figure("client_admissions_total") >= nodes.count { $0.isUp && $0.isClockRight }
            }
            let result = try await body(client)
            running.cancel()
            _ = try await running.value
            return result
        } catch {
            running.cancel()
            _ = try? await running.value
            throw error
        }
    }

    func stop() async { for node in nodes { await node.stop() } }
}

extension StormoClient {
    /// One of the client's figures.
    func figure(_ name: String) -> Int { Int(statistics.first { $0.name == name }?.value ?? 0) }
}

/// A logger that says nothing.
let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// What all fake nodes share.
final class FakeStore: Sendable {
    struct State {
        var ring: Ring?
        var cells: [Key: Cell] = [:]
        var writes = 0
        var topics: [String: TopicInfo] = [:]
        var logs: [PartitionID: [RecordBatch]] = [:]
        var firstOffsets: [PartitionID: Offset] = [:]
        /// The last batch of each producer.
        var producers: [PartitionID: [UInt64: ProducerPosition]] = [:]
        var epochs: [PartitionID: LogEpoch] = [:]
        /// How long ago batches that are published were appended.
        var appendedMsAgo: UInt64 = 0
        var doubted: [NodeID] = []
        /// Nodes that have left: id, name, address.
        var gone: [(NodeID, String, String)] = []
    }

    let state = Mutex(State())

    /// Makes a topic whose partitions are spread over the ring's nodes.
    @discardableResult
    func makeTopic(_ name: String, partitions: UInt32) -> TopicInfo {
        state.withLock { state in
            if let topic = state.topics[name] { return topic }
            let ids = state.ring?.members.map(\.id) ?? []
            let topic = TopicInfo(
                name: name, id: TopicID(UInt64(state.topics.count + 1 + state.writes) << 20),
                configuration: TopicConfiguration(partitions: partitions),
                partitions: (0..<partitions).map { index in
                    PartitionInfo(
                        index: index, epoch: 1, primary: ids[Int(index) % ids.count], replicas: ids, inSync: ids,
                        firstOffset: 0,
                        highWatermark: 0, bytes: 0)
                })
            state.topics[name] = topic
            return topic
        }
    }

    func records(_ partition: PartitionID) throws -> [Record] {
        try state.withLock { try $0.logs[partition, default: []].flatMap { try $0.records() } }
    }
}

/// One fake node.
final class FakeNode: ConnectionDelegate {
    /// What a script does with a request.
    enum Reply {
        case answer(Message)
        /// Never answers.
        case silence
        /// Cuts the connection.
        case drop
        /// Does the request and cuts the connection before answering.
        case doAndDrop
    }

    typealias Script = @Sendable (Message) -> Reply?

    let id: NodeID
    let name: String
    let store: FakeStore

    private struct State {
        var script: Script?
        var listener: Listener?
        var port = 0
        var received: [Message] = []
        var reads = 0
        var aheadMs: UInt64 = 0
        var connections: [Connection] = []
        var hold: (@Sendable (@escaping @Sendable () -> Void) -> Void)?
        /// The ring that this node knows, when it is not the one of all.
        var ring: Ring?
    }

    private let state = Mutex(State())

    init(id: NodeID, store: FakeStore) {
        self.id = id
        name = "n\(id.rawValue)"
        self.store = store
    }

    var address: String { "127.0.0.1:\(state.withLock { $0.port })" }
    var isUp: Bool { state.withLock { $0.listener != nil } }
    /// The requests that came, questions for the cluster aside.
    var received: [Message] { state.withLock { $0.received } }
    var reads: Int { state.withLock { $0.reads } }

    func script(_ script: Script?) { state.withLock { $0.script = script } }
    /// Gives the answer to every request, the cluster's state aside, to `hold`, to be let go by calling it.
    func hold(_ hold: (@Sendable (@escaping @Sendable () -> Void) -> Void)?) { state.withLock { $0.hold = hold } }
    var isClockRight: Bool { state.withLock { $0.aheadMs == 0 } }
    func setClock(aheadMs: UInt64) { state.withLock { $0.aheadMs = aheadMs } }
    func setKnownRing(_ ring: Ring?) { state.withLock { $0.ring = ring } }
    var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Tells all who are connected something that they did not ask for.
    func announce(_ message: Message) {
        testLoop.execute {
            for connection in self.state.withLock({ $0.connections }) {
                connection.send(message, requestID: .oneWay, answer: false)
                connection.flush()
            }
        }
    }

    func forgetReceived() { state.withLock { $0.received = [] } }

    func listen(secret: String = "secret", clusterName: String = "test") async throws {
        var configuration = TransportConfiguration(
            clusterName: clusterName, secret: Array(secret.utf8),
            identity: PeerIdentity(role: .node, id: id, name: name, incarnation: 1, address: ""))
        configuration.closeTimeoutMs = 50
        let listener = try await Listener.bind(
            host: "127.0.0.1", port: state.withLock { $0.port }, configuration: configuration, delegate: self,
            eventLoop: testLoop)
        state.withLock { state in
            state.listener = listener
            state.port = listener.port
        }
    }

    func stop() async {
        let listener = state.withLock { state in
            defer { state.listener = nil }
            return state.listener
        }
        await listener?.close()
    }

    // MARK: ConnectionDelegate

    func stamp() -> (time: HybridTime, epoch: Epoch) {
        let aheadMs = state.withLock { $0.aheadMs }
        return (
            HybridTime(milliseconds: ClientClock.physicalMs() + aheadMs),
            knownRing?.epoch ?? .none
        )
    }
    private var knownRing: Ring? { state.withLock { $0.ring } ?? store.state.withLock { $0.ring } }
    var clusterID: ClusterID { store.state.withLock { $0.ring?.clusterID ?? .none } }
    func admit(_ hello: Hello) -> ErrorMessage? { nil }
    func connectionOpened(_ connection: Connection) { state.withLock { $0.connections.append(connection) } }
    func connectionReadCompleted(_ connection: Connection) { state.withLock { $0.reads += 1 } }
    func connectionClosed(_ connection: Connection, reason: CloseReason) {
        state.withLock { $0.connections.removeAll { $0 === connection } }
    }

    func connection(_ connection: Connection, received frame: Frame) {
        let script = state.withLock { state in
            if frame.message != .clusterRequest { state.received.append(frame.message) }
            return state.script
        }
        switch script?(frame.message) {
        case .answer(let message): connection.send(message, requestID: frame.header.requestID, answer: true)
        case .silence: break
        case .drop: connection.close(.local("script"))
        case .doAndDrop:
            _ = answer(frame.message)
            connection.close(.local("script"))
        case nil:
            if frame.message != .clusterRequest, let hold = state.withLock({ $0.hold }) {
                let (answer, id) = (answer(frame.message), frame.header.requestID)
                return hold {
                    testLoop.execute {
                        connection.send(answer, requestID: id, answer: true)
                        connection.flush()
                    }
                }
            }
            if case .fetch(let fetch) = frame.message {
                return poll(fetch, connection, frame.header.requestID, fetch.waitMs)
            }
            connection.send(answer(frame.message), requestID: frame.header.requestID, answer: true)
        }
    }

    /// Answers a fetch when there is something, or after its wait.
    private func poll(_ fetch: Fetch, _ connection: Connection, _ id: RequestID, _ leftMs: UInt32) {
        let answer = fetched(fetch)
        if case .fetched(let content) = answer, content.batches.isEmpty, fetch.offset != .max, leftMs > 5 {
            connection.eventLoop.scheduleTask(in: .milliseconds(5)) { self.poll(fetch, connection, id, leftMs - 5) }
            return
        }
        connection.send(answer, requestID: id, answer: true)
        connection.flush()
    }

    // MARK: What a node does

    func answer(_ message: Message) -> Message {
        switch message {
        case .clusterRequest:
            let ring = knownRing
            let (doubted, gone) = store.state.withLock { ($0.doubted, $0.gone) }
            let members = ((ring?.members ?? []).map { ($0.id, $0.name, $0.address) } + gone).map { id, name, address in
                MemberInfo(
                    identity: PeerIdentity(role: .node, id: id, name: name, incarnation: 1, address: address),
                    state: gone.contains { $0.0 == id } ? .left : doubted.contains(id) ? .suspect : .alive)
            }
            return .clusterState(ClusterState(name: "test", answeredBy: id, ring: ring, members: members))
        case .statsRequest: return .stats(NodeStatistics(items: [.init(name: "id", value: id.rawValue)]))
        case .readRequest(let request):
            return .readAnswer(ReadAnswer(cell: store.state.withLock { $0.cells[request.key] }))
        case .writeRequest(let request): return write(request)
        case .scanRequest(let request):
            return store.state.withLock { state in
                let items = state.cells.filter {
                    $0.key.bytes.starts(with: request.prefix) && $0.key > Key(request.after)
                }
                .map { ScanItem(key: $0.key, cell: $0.value) }.sorted { $0.key < $1.key }
                let page = Array(items.prefix(Int(request.limit)))
                return .scanAnswer(
                    ScanAnswer(items: page, resumeAfter: page.count < items.count ? page.last?.key.bytes : nil))
            }
        case .createTopic(let request):
            return .topics(
                Topics(topics: [store.makeTopic(request.name, partitions: request.configuration.partitions)]))
        case .describeTopics(let request):
            return store.state.withLock { state in
                let topics = state.topics.values.filter { request.name.isEmpty || $0.name == request.name }.sorted {
                    $0.name < $1.name
                }
                return .topics(Topics(topics: topics.map { described($0, state) }))
            }
        case .deleteTopic(let request):
            let had = store.state.withLock { $0.topics.removeValue(forKey: request.name) }
            return had == nil ? refusal(.unknownTopic) : .deleted
        case .produce(let request): return produced(request)
        case .fetch(let request): return fetched(request)
        case .offsetRequest(let request): return found(request)
        case .alterTopic(let request): return altered(request)
        default: return refusal(.invalid)
        }
    }

    func refusal(_ code: ErrorCode) -> Message { .error(ErrorMessage(code: code, detail: "\(code) by \(name)")) }

    /// Only the primary of a partition knows its offsets.
    private func described(_ topic: TopicInfo, _ state: FakeStore.State) -> TopicInfo {
        var topic = topic
        for index in topic.partitions.indices where topic.partitions[index].primary == id {
            topic.partitions[index].highWatermark =
                state.logs[PartitionID(topic: topic.id, index: UInt32(index))]?.last?.endOffset ?? 0
        }
        return topic
    }

    private func write(_ request: WriteRequest) -> Message {
        store.state.withLock { state in
            let current = state.cells[request.key]
            let isThere = if case .value? = current?.content { true } else { false }
            func holds(_ condition: Condition) -> Bool {
                switch condition {
                case .none: true
                case .absent: !isThere
                case .version(let version): isThere && current?.version == version
                }
            }
            let content: Cell.Content
            switch request.change {
            case .put(let value, _, let condition):
                guard holds(condition) else { break }
                content = .value(value)
                return done(request.key, content, &state)
            case .delete(let condition):
                guard holds(condition) else { break }
                return done(request.key, .tombstone, &state)
            default: return refusal(.invalid)
            }
            return .writeAnswer(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: current))
        }
    }

    private func done(_ key: Key, _ content: Cell.Content, _ state: inout FakeStore.State) -> Message {
        state.writes += 1
        let version = Ballot(time: HybridTime(UInt64(state.writes)), node: id)
        state.cells[key] = Cell(version: version, base: nil, content: content, expiryMs: nil)
        return .writeAnswer(WriteAnswer(applied: true, version: version, expiryMs: nil, current: nil))
    }

    private func isPrimary(_ partition: PartitionID, _ state: FakeStore.State) -> Message? {
        guard let topic = state.topics.values.first(where: { $0.id == partition.topic }) else {
            return refusal(.unknownTopic)
        }
        return topic.partitions[Int(partition.index)].primary == id ? nil : refusal(.notPrimary)
    }

    private func produced(_ request: Produce) -> Message {
        store.state.withLock { state in
            if let refusal = isPrimary(request.partition, state) { return refusal }
            var batch = request.batch
            if batch.producerID != 0 {
                let last = state.producers[request.partition]?[batch.producerID]
                if let last, last.sequence == batch.sequence { return .produced(Produced(baseOffset: last.baseOffset)) }
                let next = last.map { $0.sequence + UInt64($0.count) } ?? 0
                guard batch.sequence == next else { return refusal(.sequenceGap) }
            }
            batch.baseOffset = state.logs[request.partition]?.last?.endOffset ?? 0
            batch.epoch = 1
            batch.appendedMs = ClientClock.physicalMs() - state.appendedMsAgo
            state.logs[request.partition, default: []].append(batch)
            state.producers[request.partition, default: [:]][batch.producerID] = ProducerPosition(of: batch)
            return .produced(Produced(baseOffset: batch.baseOffset))
        }
    }

    private func found(_ request: OffsetRequest) -> Message {
        store.state.withLock { state in
            if let refusal = isPrimary(request.partition, state) { return refusal }
            let log = state.logs[request.partition] ?? []
            let first = state.firstOffsets[request.partition] ?? 0
            let end = max(first, log.last?.endOffset ?? 0)
            let offset: Offset =
                switch request.query {
                case .earliest: first
                case .latest: end
                case .offset(let wanted): min(max(first, wanted), end)
                case .last(let count): max(first, end - min(end, count))
                case .time(let ms): log.first { $0.appendedMs >= ms }?.baseOffset ?? end
                }
            return .offsetAnswer(
                OffsetAnswer(
                    epoch: state.epochs[request.partition] ?? 1, offset: offset, highWatermark: end, firstOffset: first,
                    appendedMs: log.first { $0.endOffset > offset }?.appendedMs ?? 0))
        }
    }

    private func altered(_ request: CreateTopic) -> Message {
        store.state.withLock { state in
            guard var topic = state.topics[request.name] else { return refusal(.unknownTopic) }
            guard request.configuration.partitions >= topic.configuration.partitions else { return refusal(.invalid) }
            topic.configuration = request.configuration
            for index in UInt32(topic.partitions.count)..<request.configuration.partitions {
                topic.partitions.append(
                    PartitionInfo(
                        index: index, epoch: 1, primary: id, replicas: [id], inSync: [id], firstOffset: 0,
                        highWatermark: 0, bytes: 0))
            }
            state.topics[request.name] = topic
            return .topics(Topics(topics: [described(topic, state)]))
        }
    }

    private func fetched(_ request: Fetch) -> Message {
        store.state.withLock { state in
            if let refusal = isPrimary(request.partition, state) { return refusal }
            let log = state.logs[request.partition] ?? []
            let first = state.firstOffsets[request.partition] ?? 0
            let isGone = request.offset < first
            let batches = isGone ? [] : log.filter { $0.endOffset > request.offset }.prefix(3)
            return .fetched(
                Fetched(
                    epoch: state.epochs[request.partition] ?? 1, highWatermark: log.last?.endOffset ?? 0,
                    firstOffset: first,
                    batches: Array(batches)))
        }
    }
}

/// The error that something of the client's ends with; nil when it does not.
func failure<T>(_ body: () async throws(ClientError) -> T) async -> ClientError? {
    do throws(ClientError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
