import HTTPTypes
import Hummingbird
import NIOCore
import StormoClient
import Synchronization
import Wire

/// The records of a topic as events for one client, who sets the pace: nothing waits here for a client that does not
/// read, so it may begin as far back as it likes and be as slow as it is.
struct TopicStream: Sendable {
    let services: GatewayServices
    let topic: String

    /// How long a browser waits before it connects again, in ms.
    private static let retryMs = 2_000

    private var limits: GatewayLimits { services.configuration.limits }

    /// Where a client's stream begins.
    struct Beginning: Sendable {
        /// The topic's life.
        let id: TopicID
        /// The next offset of every partition.
        let position: StreamPosition
        /// Whether the position that the client gave cannot be resumed.
        let isReset: Bool
    }

    /// Behind the event whose id the client gives, or else at a place in every partition. What has no position in the
    /// topic's present life is told from its first record on.
    func beginning(at place: OffsetQuery, lastEventID: String?) async throws -> Beginning {
        guard let info = try await services.client.topic(topic) else { throw TopicRoutes.unknown(topic) }
        let life = StreamPosition.life(of: [info.id])
        var place = place
        var isReset = false
        if let lastEventID, !lastEventID.isEmpty {
            let last = StreamPosition(lastEventID, topics: 1)
            if let last, last.life == life {
                let known = Array(last.offsets[0].prefix(info.partitions.count))
                let added = try await offsets(of: known.count..<info.partitions.count, .earliest)
                return Beginning(
                    id: info.id, position: StreamPosition(life: life, offsets: [known + added]), isReset: false)
            }
            isReset = true
            if last != nil { place = .earliest }
        }
        let offsets = try await offsets(of: 0..<info.partitions.count, place)
        return Beginning(
            id: info.id, position: StreamPosition(life: life, offsets: [offsets]), isReset: isReset)
    }

    private func offsets(of partitions: Range<Int>, _ place: OffsetQuery) async throws(ClientError) -> [Offset] {
        var offsets: [Offset] = []
        for partition in partitions {
            offsets.append(try await services.client.find(topic, partition: UInt32(partition), place).offset)
        }
        return offsets
    }

    /// Answers a request with the topic's records from `beginning` on; refused when too many are followed.
    func response(to call: Call, from beginning: Beginning) throws(Problem) -> Response {
        let followed = beginning.position.offsets[0].count
        guard services.topicStreams.enter(most: limits.topicStreamPartitionsMax, by: followed) else {
            services.metrics.count(.streamsRefused)
            throw .overloaded(
                "\(limits.topicStreamPartitionsMax) partitions are followed: try again later, or at another gateway")
        }
        let hasGone = StreamEnd()
        let place = Place(count: services.topicStreams, followed: followed)
        // Whatever becomes of the answer, the end of the connection is the end of its place.
        call.channel.closeFuture.whenComplete { _ in
            hasGone.set()
            place.leave()
        }
        let body = ResponseBody { writer in
            defer { place.leave() }
            try await call.request.body.consumeWithInboundCloseHandler { _ in
                try await tell(from: beginning, until: hasGone, to: &writer)
            } onInboundClosed: {
                hasGone.set()
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"], body: body)
    }

    /// What a stream takes of the partitions that may be followed; given back once.
    private final class Place: Sendable {
        private let count: WatcherCount
        private let followed: Mutex<Int>

        init(count: WatcherCount, followed: Int) {
            self.count = count
            self.followed = Mutex(followed)
        }

        func leave() {
            let followed = followed.withLock { followed in
                defer { followed = 0 }
                return followed
            }
            count.leave(by: followed)
        }
    }

    // MARK: Telling

    private enum Step: Sendable {
        case records(UInt32, FetchedRecords)
        /// Retention has passed the position.
        case passed(UInt32, first: Offset)
        /// The cluster is away.
        case again(UInt32)
        /// Time to see whether anybody still listens, and how many partitions there are now (0 when that was not asked).
        case pause(partitions: Int)
        /// This life of the topic is over.
        case ended
    }

    private func tell(
        from beginning: Beginning, until hasGone: StreamEnd, to writer: inout any ResponseBodyWriter
    ) async throws {
        var position = beginning.position
        var text = ServerSentEvent.opening(id: position.text, retryMs: Self.retryMs)
        if beginning.isReset { reset("{}", at: position, to: &text) }
        try await writer.write(ByteBuffer(bytes: text))
        try await withThrowingTaskGroup(of: Step.self) { group in
            defer { group.cancelAll() }
            func follow(_ partition: UInt32) {
                let offset = position[0, partition]
                group.addTask { await read(partition, from: offset, beginning.id) }
            }
            for partition in position.offsets[0].indices { follow(UInt32(partition)) }
            var pauses: UInt64 = 0
            var silentMs: UInt64 = 0
            group.addTask { await pause(beginning.id, looks: false) }
            while let step = try await group.next() {
                guard !hasGone.isSet, !services.isDraining else { return }
                var text: [UInt8] = []
                switch step {
                case .records(let partition, let fetched):
                    append(fetched, partition, &position, to: &text)
                    follow(partition)
                case .passed(let partition, let first):
                    position[0, partition] = max(first, position[0, partition])
                    reset("{\"partition\":\(partition),\"first_offset\":\(first)}", at: position, to: &text)
                    follow(partition)
                case .again(let partition): follow(partition)
                case .pause(let partitions):
                    // A partition that was added since: everything in it is new.
                    for partition in position.offsets[0].count..<max(partitions, position.offsets[0].count) {
                        position[0, UInt32(partition)] = 0
                        follow(UInt32(partition))
                    }
                    pauses += 1
                    silentMs += limits.watchPauseMs
                    if silentMs >= limits.streamCommentMs { text = ServerSentEvent.comment }
                    let looks = pauses % limits.topicStreamReviewPauses == 0
                    group.addTask { await pause(beginning.id, looks: looks) }
                case .ended: return
                }
                guard !text.isEmpty else { continue }
                silentMs = 0
                try await writer.write(ByteBuffer(bytes: text))
            }
        }
    }

    private func append(
        _ fetched: FetchedRecords, _ partition: UInt32, _ position: inout StreamPosition, to text: inout [UInt8]
    ) {
        services.metrics.count(.streamEvents, by: UInt64(fetched.records.count))
        for record in fetched.records {
            position[0, partition] = record.position.offset + 1
            var json = JSONWriter(capacity: record.record.value.count + 256)
            RecordDocument.write(record, to: &json)
            ServerSentEvent.append(id: position.text, name: "record", json: json.bytes, to: &text)
        }
        position[0, partition] = fetched.nextOffset
    }

    private func reset(_ json: String, at position: StreamPosition, to text: inout [UInt8]) {
        services.metrics.count(.streamResets)
        ServerSentEvent.append(id: position.text, name: "reset", json: Array(json.utf8), to: &text)
    }

    private func read(_ partition: UInt32, from offset: Offset, _ life: TopicID) async -> Step {
        do throws(ClientError) {
            let fetched = try await services.client.fetch(
                topic, partition: partition, offset: offset, bytesMax: limits.topicStreamBytesMax,
                waitMs: limits.topicStreamWaitMs, life: life)
            return .records(partition, fetched)
        } catch {
            switch error {
            case .refused(.unknownTopic, _), .refused(.partitionOutOfRange, _), .closed: return .ended
            case .refused(.offsetOutOfRange, _):
                if let first = try? await services.client.find(topic, partition: partition, .earliest).offset {
                    return .passed(partition, first: first)
                }
            default: break
            }
            try? await Task.sleep(for: .milliseconds(limits.watchPauseMs))
            return .again(partition)
        }
    }

    private func pause(_ life: TopicID, looks: Bool) async -> Step {
        try? await Task.sleep(for: .milliseconds(limits.watchPauseMs))
        // What cannot be asked now is asked again later.
        guard looks, let found = try? await services.client.topic(topic) else { return .pause(partitions: 0) }
        return found.id == life ? .pause(partitions: found.partitions.count) : .ended
    }
}
