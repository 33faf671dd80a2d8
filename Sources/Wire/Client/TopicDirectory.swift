import NIOCore
import Synchronization
import Wire

/// What the client knows of topics: which node is the primary of which partition. Descriptions are kept until one of
/// them proves wrong.
final class TopicDirectory: Sendable {
    private struct Known {
        var info: TopicInfo
        /// When it was told.
        var at: NIODeadline
    }

    private struct State {
        var topics: [String: Known] = [:]
        /// Questions on their way, so that a thousand callers ask once.
        var asking: [String: Task<Result<TopicInfo?, ClientError>, Never>] = [:]
    }

    private let engine: RouterEngine
    private let state = Mutex(State())

    init(engine: RouterEngine) { self.engine = engine }

    /// The topic of a name as last heard; asked for when nothing is known, made when it does not exist and `creating` is
    /// given. Offsets in it are those of a moment in the past.
    func info(_ name: String, creating configuration: TopicConfiguration? = nil) async throws(ClientError) -> TopicInfo?
    {
        if let known = state.withLock({ $0.topics[name] }) { return known.info }
        return try await askedNow(name, creating: configuration)
    }

    /// The topic of a name as a node tells it now. Callers at the same time share one question.
    func askedNow(_ name: String, creating configuration: TopicConfiguration? = nil) async throws(ClientError)
        -> TopicInfo?
    {
        let task = state.withLock { state in
            let key = configuration == nil ? name : "\(name)+"
            if let task = state.asking[key] { return task }
            let task = Task { await self.ask(name, creating: configuration, key: key) }
            state.asking[key] = task
            return task
        }
        return try await task.value.get()
    }

    /// A description led to a node that is not the primary, or to a topic that is gone: the next one asks again, unless
    /// it was told just now.
    func forget(_ info: TopicInfo) {
        let newsSince = NIODeadline.now() - .milliseconds(ClientLimits.topicNewsMs)
        state.withLock { state in
            guard let known = state.topics[info.name], known.info == info, known.at <= newsSince else { return }
            state.topics[info.name] = nil
        }
    }

    /// The topic of a name with every primary's word on its partitions, made when it does not exist and `creating` is
    /// given; nil when it does not exist.
    func topic(_ name: String, creating configuration: TopicConfiguration?) async throws(ClientError) -> TopicInfo? {
        guard !name.isEmpty else {
            throw .refused(.invalid, "a topic has a name of 1 to \(WireLimits.nameBytesMax) bytes")
        }
        if let configuration { return try await create(name, configuration) }
        guard let topic = try await topics(named: name).first(where: { $0.name == name }) else { return nil }
        keep(topic)
        return topic
    }

    /// All topics, or that of a name, in the order of their names: what every node says, put together.
    func topics(named name: String) async throws(ClientError) -> [TopicInfo] {
        let members = engine.cluster.withLock { $0?.ring?.members.map(\.id) } ?? []
        let engine = engine
        // A node that hangs costs one attempt: its partitions are then told without offsets.
        let answers = await withTaskGroup(of: (NodeID, [TopicInfo]?).self) { group in
            for member in members {
                group.addTask { (member, try? await Self.describe(name, at: .primary(member), engine)) }
            }
            var answers: [(NodeID, [TopicInfo])] = []
            for await (node, topics) in group { if let topics { answers.append((node, topics)) } }
            return answers
        }
        guard !answers.isEmpty else { return try await Self.describe(name, at: .anyNode, engine) }
        var merged: [String: (TopicInfo, [Bool])] = [:]
        for (node, topics) in answers {
            for topic in topics { Self.merge(topic, from: node, into: &merged[topic.name]) }
        }
        return merged.values.map(\.0).sorted { $0.name < $1.name }
    }

    /// Deletes a topic; nothing when it does not exist. Deleting twice does no harm, so it may be asked twice.
    func delete(_ name: String) async throws(ClientError) {
        guard !name.isEmpty else {
            throw .refused(.invalid, "a topic has a name of 1 to \(WireLimits.nameBytesMax) bytes")
        }
        state.withLock { $0.topics[name] = nil }
        do throws(ClientError) {
            guard
                case .deleted = try await engine.send(
                    .deleteTopic(DescribeTopics(name: name)), to: .anyNode, safety: .repeatable)
            else { throw Router.unexpectedAnswer }
        } catch {
            if case .refused(.unknownTopic, _) = error { return }
            throw error
        }
        state.withLock { $0.topics[name] = nil }
    }

    /// Changes how a topic is kept; partitions can be added.
    func alter(_ name: String, _ configuration: TopicConfiguration) async throws(ClientError) -> TopicInfo {
        let request = Message.alterTopic(CreateTopic(name: name, configuration: configuration))
        guard case .topics(let answer) = try await engine.send(request, to: .anyNode, safety: .repeatable),
            let topic = answer.topics.first(where: { $0.name == name })
        else { throw Router.unexpectedAnswer }
        keep(topic)
        return topic
    }

    private func ask(_ name: String, creating configuration: TopicConfiguration?, key: String) async -> Result<
        TopicInfo?, ClientError
    > {
        let result: Result<TopicInfo?, ClientError>
        do throws(ClientError) {
            var found = try await Self.describe(name, at: .anyNode, engine).first { $0.name == name }
            if found == nil, let configuration { found = try await create(name, configuration) }
            if let found { keep(found) }
            result = .success(found)
        } catch {
            result = .failure(error)
        }
        state.withLock { $0.asking[key] = nil }
        return result
    }

    private func create(_ name: String, _ configuration: TopicConfiguration) async throws(ClientError) -> TopicInfo {
        let request = Message.createTopic(CreateTopic(name: name, configuration: configuration))
        // Asks for a topic to exist: asking twice makes one.
        guard case .topics(let answer) = try await engine.send(request, to: .anyNode, safety: .repeatable),
            let topic = answer.topics.first(where: { $0.name == name })
        else { throw Router.unexpectedAnswer }
        keep(topic)
        return topic
    }

    private func keep(_ topic: TopicInfo) {
        state.withLock { state in
            if state.topics.count >= ClientLimits.topicsMax { state.topics = [:] }
            state.topics[topic.name] = Known(info: topic, at: .now())
        }
    }

    private static func describe(_ name: String, at route: Route, _ engine: RouterEngine) async throws(ClientError)
        -> [TopicInfo]
    {
        do throws(ClientError) {
            guard
                case .topics(let answer) = try await engine.send(
                    .describeTopics(DescribeTopics(name: name)), to: route, safety: .repeatable)
            else { throw Router.unexpectedAnswer }
            return answer.topics
        } catch {
            if case .refused(.unknownTopic, _) = error { return [] }
            throw error
        }
    }

    /// Takes the word of the highest epoch for each partition, and among equals that of the primary itself, who alone
    /// knows the offsets.
    private static func merge(_ topic: TopicInfo, from node: NodeID, into known: inout (TopicInfo, [Bool])?) {
        let own = topic.partitions.map { $0.primary == node }
        guard var (info, fromPrimary) = known, info.id >= topic.id else {
            known = (topic, own)
            return
        }
        guard info.id == topic.id else { return }
        for (index, partition) in topic.partitions.enumerated() {
            if index >= info.partitions.count {
                info.partitions.append(partition)
                fromPrimary.append(own[index])
            } else if (partition.epoch, own[index] ? 1 : 0) > (info.partitions[index].epoch, fromPrimary[index] ? 1 : 0)
            {
                info.partitions[index] = partition
                fromPrimary[index] = own[index]
            }
        }
        known = (info, fromPrimary)
    }
}

extension ClientError {
    /// Whether a write may or may not have been done.
    var isOutcomeUnknown: Bool { if case .outcomeUnknown = self { true } else { false } }

    /// Whether another primary, or the same one a moment later, may do it: nothing was done so far.
    var asksForPrimary: Bool {
        switch self {
        case .unreachable, .overloaded: true
        case .refused(let code, _):
            switch code {
            case .notPrimary, .notReady, .staleEpoch, .noRing, .draining, .readOnly, .unknownTopic, .notWhole,
                .clockDrift,
                .tooOld:
                true
            default: false
            }
        default: false
        }
    }

    /// Whether the partition has no primary at present, or another one than was asked, as while one takes over from
    /// another: that is over soon. What may last, such as too much to do, is none of it.
    var missesPrimary: Bool {
        switch self {
        case .unreachable: true
        case .refused(let code, _): [.notPrimary, .notReady, .staleEpoch, .draining].contains(code)
        default: false
        }
    }
}
