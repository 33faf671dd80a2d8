import Fleet
import HTTPTypes
import Logging
import NIOCore
import StormoClient
import Synchronization
import Wire

/// Follows the topics of one stream, once for all its clients, while there are any: each event is encoded once into a
/// buffer that all clients share.
///
/// Clients are level with the feed, or not yet: somebody who resumes behind (or, coming from a gateway that is ahead,
/// before) the feed's position gets the records one by one until it is level.
final class StreamFeed: Sendable {
    /// What a join gives: the client, and from where it must be told what it missed.
    struct Membership: Sendable {
        /// What waits for it.
        let client: StreamClient
        /// Its place in the feed's list.
        let number: Int
        /// Where it stands.
        var position: StreamPosition
        /// Up to where it must read for itself; nil when it is level.
        let missedUntil: StreamPosition?
        /// Whether the position it gave cannot be resumed.
        let isReset: Bool
    }

    private struct Member {
        let client: StreamClient
        let channel: any Channel
        var isLevel: Bool
    }

    private struct State {
        /// Nil while the topics are not followed.
        var position: StreamPosition?
        var members: [Int: Member] = [:]
        var lastNumber = 0
        var recent: RecentIDs
        var isClosed = false
        var failure: ClientError?
        var lastLeftMs: Int64 = 0
        /// Wakes the feed when somebody joins, and those who join when it has begun.
        var sleepers: [CheckedContinuation<Void, Never>] = []

        mutating func wakeAll() -> [CheckedContinuation<Void, Never>] {
            defer { sleepers.removeAll() }
            return sleepers
        }
    }

    /// What it is called in logs.
    let name: String
    /// Its topics.
    let sources: [StreamSource]
    let client: StormoClient
    private let limits: GatewayLimits
    let metrics: GatewayMetrics
    private let logger: Logger
    private let state: Mutex<State>

    init(
        name: String, sources: [StreamSource], client: StormoClient, limits: GatewayLimits, metrics: GatewayMetrics,
        logger: Logger
    ) {
        self.name = name
        self.sources = sources
        self.client = client
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
        state = Mutex(State(recent: RecentIDs(capacity: limits.streamRecentEventsMax)))
    }

    // MARK: Clients

    /// Adds a client, at the present or behind the event whose id it gives. Waits for the feed to begin.
    func join(lastEventID: String?, channel: any Channel) async throws(Problem) -> Membership {
        let waiting = StreamClient(eventsMax: limits.streamQueueMax, bytesMax: limits.streamQueueBytesMax)
        let number = try enter(waiting, channel)
        // Whatever becomes of the answer, the end of the connection is the end of the membership.
        channel.closeFuture.whenComplete { [self] _ in
            leave(number)
            waiting.end()
        }
        while true {
            let outcome = state.withLock { state -> Result<Membership, Problem>? in
                if state.isClosed { return .failure(Problem(.closed)) }
                if let present = state.position {
                    return .success(place(&state, waiting, number, lastEventID, present))
                }
                return state.failure.map { .failure(Problem($0)) }
            }
            switch outcome {
            case .success(let membership): return membership
            case .failure(let problem):
                leave(number)
                throw problem
            case nil: await sleep { $0.position == nil && $0.failure == nil && !$0.isClosed }
            }
        }
    }

    private func enter(_ waiting: StreamClient, _ channel: any Channel) throws(Problem) -> Int {
        let (number, sleepers) = state.withLock { state -> (Int?, [CheckedContinuation<Void, Never>]) in
            guard state.members.count < limits.streamsMax else { return (nil, []) }
            state.lastNumber += 1
            state.failure = nil
            // Not level until it is placed: it must not get text from before.
            state.members[state.lastNumber] = Member(client: waiting, channel: channel, isLevel: false)
            return (state.lastNumber, state.wakeAll())
        }
        for sleeper in sleepers { sleeper.resume() }
        guard let number else {
            metrics.count(.streamsRefused)
            throw .overloaded("\(limits.streamsMax) streams are open already")
        }
        return number
    }

    private func place(
        _ state: inout State, _ waiting: StreamClient, _ number: Int, _ lastEventID: String?, _ present: StreamPosition
    ) -> Membership {
        let last = lastEventID.flatMap { StreamPosition($0, topics: sources.count) }
        let resumed = last.flatMap {
            $0.life == present.life && $0.distance(to: present) <= limits.streamResumeRecordsMax ? $0 : nil
        }
        let isReset = lastEventID?.isEmpty == false && resumed == nil
        if isReset { metrics.count(.streamResets) }
        let position = resumed ?? present
        let isLevel = position.isLevel(with: present)
        state.members[number]?.isLevel = isLevel
        return Membership(
            client: waiting, number: number, position: position, missedUntil: isLevel ? nil : present,
            isReset: isReset)
    }

    /// Removes a client.
    func leave(_ number: Int) {
        state.withLock { state in
            state.members[number] = nil
            if state.members.isEmpty { state.lastLeftMs = WallClock.steadyMs() }
        }
    }

    /// Makes a client level when it stands where the feed stands; it then gets the shared text from here on. False when
    /// records wait for it that came meanwhile, or when it is ahead.
    func level(_ number: Int, at position: StreamPosition) -> Bool {
        state.withLock { state in
            guard let present = state.position, position.isLevel(with: present) else { return false }
            state.members[number]?.isLevel = true
            return true
        }
    }

    /// How many clients there are.
    var clientCount: Int { state.withLock { $0.members.count } }

    /// Ends all clients' streams and takes no more.
    func close() {
        let (members, sleepers) = state.withLock { state in
            state.isClosed = true
            return (Array(state.members.values), state.wakeAll())
        }
        for member in members { member.client.end() }
        for sleeper in sleepers { sleeper.resume() }
    }

    private func sleep(while condition: @escaping @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard condition(state) else { return true }
                state.sleepers.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    // MARK: The topics

    /// Follows the topics whenever there are clients, until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await withTaskCancellationHandler {
                await sleep { $0.members.isEmpty && !$0.isClosed }
            } onCancel: {
                close()
            }
            guard !Task.isCancelled, !state.withLock(\.isClosed) else { break }
            do throws(ClientError) {
                let start = try await presentPosition()
                begin(at: start)
                await follow(from: start)
            } catch {
                logger.warning("cannot follow the topics", metadata: ["stream": "\(name)", "error": "\(error)"])
                fail(error)
            }
        }
        close()
    }

    /// The end of every partition of the topics that exist.
    private func presentPosition() async throws(ClientError) -> StreamPosition {
        var lives: [TopicID?] = []
        var offsets: [[Offset]] = []
        for source in sources {
            let ends = try await TopicEnds.of(source.topic, by: client)
            lives.append(ends.id)
            offsets.append(ends.offsets)
        }
        return StreamPosition(life: StreamPosition.life(of: lives), offsets: offsets)
    }

    func begin(at position: StreamPosition) {
        let sleepers = state.withLock { state in
            state.position = position
            state.failure = nil
            return state.wakeAll()
        }
        for sleeper in sleepers { sleeper.resume() }
    }

    private func fail(_ error: ClientError) {
        let (members, sleepers) = state.withLock { state in
            state.position = nil
            state.failure = error
            defer { state.members.removeAll() }
            return (Array(state.members.values), state.wakeAll())
        }
        for member in members { member.client.end() }
        for sleeper in sleepers { sleeper.resume() }
    }

    /// Tells what the topics bring until nobody listens any more, or until a topic cannot be followed: then all streams
    /// end, and whoever comes back is told what it missed.
    private func follow(from start: StreamPosition) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, source) in sources.enumerated() {
                group.addTask { [self] in await tail(index, source, start.offsets[index]) }
            }
            group.addTask { [self] in await comment() }
            group.addTask { [self] in await watch() }
            // The first to end, ends all.
            await group.next()
            group.cancelAll()
        }
        let members = state.withLock { state -> [Member] in
            // Without a position the feed ended for want of clients; whoever has come since, waits for it to begin
            // anew.
            guard state.position != nil else { return [] }
            state.position = nil
            defer { state.members.removeAll() }
            return Array(state.members.values)
        }
        for member in members { member.client.end() }
    }

    private func tail(_ index: Int, _ source: StreamSource, _ offsets: [Offset]) async {
        let tail = TopicTail(client: client, topic: source.topic, logger: logger)
        let positions = TopicEnds(id: nil, offsets: offsets).positions
        do {
            // Partitions that are not there yet begin with their first record.
            try await tail.run(from: positions, start: .earliest) { [self] records, next in
                publish(index, source, records, next)
            }
        } catch {
            if !Task.isCancelled {
                logger.warning(
                    "a topic cannot be followed", metadata: ["topic": "\(source.topic)", "error": "\(error)"])
            }
        }
    }

    private func comment() async {
        let comment = ByteBuffer(bytes: ServerSentEvent.comment)
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(limits.streamCommentMs))
            let members = state.withLock { $0.members }
            for (number, member) in members { give(number, member, comment, events: 0) }
        }
    }

    /// Returns when nobody has listened for a while.
    private func watch() async {
        let pause = max(50, limits.streamLingerMs / 4)
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(pause))
            let now = WallClock.steadyMs()
            let isIdle = state.withLock { state in
                guard state.members.isEmpty, now - state.lastLeftMs >= Int64(limits.streamLingerMs) else {
                    return false
                }
                state.position = nil
                return true
            }
            if isIdle { return }
        }
    }

    /// Tells records of one partition to everybody.
    func publish(_ topic: Int, _ source: StreamSource, _ records: [PositionedRecord], _ next: RecordPosition) {
        // Told under the lock: all clients get all partitions' events in one order, which their ids count on.
        let dropped = state.withLock { state -> [(Int, Member)] in
            guard var position = state.position else { return [] }
            var told: [StreamRecord] = []
            var text: [UInt8] = []
            let hasLevel = state.members.values.contains { $0.isLevel }
            let hasOthers = state.members.values.contains { !$0.isLevel }
            for record in records where record.position.offset >= position[topic, record.position.partition] {
                position[topic, record.position.partition] = record.position.offset + 1
                if let id = source.identity(record.record), !state.recent.insert("\(topic):\(id)") { continue }
                guard hasLevel || hasOthers,
                    let event = source.told(.init(offset: record.position.offset, value: record.record.value))
                else { continue }
                told.append(event)
                if hasLevel {
                    ServerSentEvent.append(id: position.text, name: event.name, json: event.json, to: &text)
                }
            }
            position[topic, next.partition] = max(next.offset, position[topic, next.partition])
            state.position = position
            metrics.count(.streamEvents, by: UInt64(told.count))
            let buffer = ByteBuffer(bytes: text)
            let batch = StreamBatch(topic: topic, partition: next.partition, records: told, next: next.offset)
            var dropped: [(Int, Member)] = []
            for (number, member) in state.members {
                let isTaken =
                    member.isLevel
                    ? text.isEmpty || member.client.offer(buffer, events: told.count) : member.client.offer(batch)
                if !isTaken { dropped.append((number, member)) }
            }
            return dropped
        }
        for (number, member) in dropped { drop(number, member) }
    }

    private func give(_ number: Int, _ member: Member, _ text: ByteBuffer, events: Int) {
        if !member.client.offer(text, events: events) { drop(number, member) }
    }

    /// Cuts off a client that does not read.
    private func drop(_ number: Int, _ member: Member) {
        metrics.count(.streamClientsDropped)
        leave(number)
        member.channel.close(promise: nil)
    }
}
