import Wire

/// A piece of work on topics that takes several register operations.
struct ProcedureID: Hashable {
    let rawValue: UInt64
}

/// Creating, changing, deleting or describing topics, and naming primaries.
struct TopicProcedure {
    /// What it is for.
    enum Aim {
        case describe
        /// To make the topic unless it exists.
        case create(TopicConfiguration)
        /// To add partitions, and to keep the records in another way.
        case alter(TopicConfiguration)
        case delete
        /// To make this node a partition's primary.
        case elect(ElectPrimary)
    }

    /// What is being waited for.
    enum Stage {
        /// The topic's register.
        case readTopic
        /// Its first value, or another one.
        case writeTopic
        /// Its end.
        case deleteTopic
        /// Pages of topics, of all of them.
        case listTopics
        /// Pages of partitions.
        case listPartitions
        /// Registers of partitions that were missing.
        case createPartitions(left: Int)
        /// Registers of partitions that go.
        case deletePartitions(left: Int)
        /// The register of the partition that gets another primary.
        case readElection
        /// Its next value.
        case writeElection(Elected, PartitionConfiguration)
    }

    let channel: ChannelID
    let request: RequestID
    /// Empty for all topics.
    let name: String
    let aim: Aim
    var stage: Stage
    var topics: [TopicRegister] = []
    var partitions: [(id: PartitionID, configuration: PartitionConfiguration)] = []
    var hasCreatedPartitions = false
    /// How often somebody else has changed the topic in between.
    var collisions = 0

    /// How many of them are borne.
    static let collisionsMax = 8

    var isDelete: Bool { if case .delete = aim { true } else { false } }
}

extension Node {
    /// Makes a topic, or finds the existing one.
    mutating func createTopic(_ request: CreateTopic, for channel: ChannelID, _ id: RequestID) {
        begin(.create(request.configuration), request.name, channel, id)
    }

    /// Changes how a topic is kept.
    mutating func alterTopic(_ request: CreateTopic, for channel: ChannelID, _ id: RequestID) {
        begin(.alter(request.configuration), request.name, channel, id)
    }

    /// Deletes a topic with all its records.
    mutating func deleteTopic(_ name: String, for channel: ChannelID, _ id: RequestID) {
        begin(.delete, name, channel, id)
    }

    /// Tells about one topic, or all by an empty name.
    mutating func describeTopics(_ name: String, for channel: ChannelID, _ id: RequestID) {
        begin(.describe, name, channel, id)
    }

    mutating func begin(_ aim: TopicProcedure.Aim, _ name: String, _ channel: ChannelID, _ request: RequestID) {
        let isListing: Bool = if case .describe = aim { name.isEmpty } else { false }
        guard isListing || TopicInfo.isName(name) else {
            return refuse(
                channel, request, .invalid,
                "a topic's name is 1 to \(WireLimits.nameBytesMax) letters, digits, '.', '_' or '-', found '\(name)'")
        }
        guard procedures.count < limits.operationsMax else {
            counters.overloaded += 1
            return refuse(channel, request, .overloaded, "too many requests about topics: try again after a pause")
        }
        nextProcedure += 1
        let id = ProcedureID(rawValue: nextProcedure)
        procedures[id] = TopicProcedure(
            channel: channel, request: request, name: name, aim: aim, stage: isListing ? .listTopics : .readTopic)
        if isListing { list(TopicRegister.keyPrefix, after: [], id) } else { readTopic(id) }
    }

    private mutating func readTopic(_ id: ProcedureID) {
        guard let name = procedures[id]?.name else { return }
        procedures[id]?.stage = .readTopic
        start(.read(.quorum), key: TopicRegister.key(name), for: .topic(id, step: 0))
    }

    private mutating func list(_ prefix: [UInt8], after: [UInt8], _ id: ProcedureID) {
        let scan = ScanRequest(prefix: prefix, after: after, limit: UInt32(WireLimits.scanItemsMax), keysOnly: false)
        start(.scan(scan), key: Key(prefix), for: .topic(id, step: 0))
    }

    mutating func topicStepDone(_ id: ProcedureID, _ step: Int, _ result: OperationResult) {
        guard let procedure = procedures[id] else { return }
        if case .failed(let code, let detail) = result {
            procedures[id] = nil
            // Asking again is harmless: what has been made or deleted is found so.
            return refuse(procedure.channel, procedure.request, code == .outcomeUnknown ? .notReady : code, detail)
        }
        switch (procedure.stage, result) {
        case (.readTopic, .read(let accepted)): topicRead(id, accepted?.cell)
        case (.writeTopic, .written(let answer)): topicWritten(id, answer)
        case (.deleteTopic, .written(let answer)):
            // Somebody else has changed it meanwhile: what is to be deleted is looked at again.
            if answer.applied { listPartitions(id) } else { collide(id) }
        case (.listTopics, .scanned(let page)):
            procedures[id]?.topics += page.items.compactMap { item in
                if case .value(let bytes) = item.cell.content { TopicRegister(bytes) } else { nil }
            }
            if let after = page.resumeAfter { return list(TopicRegister.keyPrefix, after: after, id) }
            listPartitions(id)
        case (.listPartitions, .scanned(let page)):
            for item in page.items {
                guard case .value(let bytes) = item.cell.content,
                    let partition = PartitionConfiguration.partition(of: item.key),
                    let configuration = PartitionConfiguration(bytes)
                else { continue }
                procedures[id]?.partitions.append((partition, configuration))
            }
            if let after = page.resumeAfter { return list(partitionPrefix(id), after: after, id) }
            if procedure.isDelete { deletePartitions(id) } else { partitionsListed(id) }
        case (.createPartitions(let left), .written):
            procedures[id]?.stage = .createPartitions(left: left - 1)
            if left == 1 { listPartitions(id) }
        case (.deletePartitions(let left), .written):
            procedures[id]?.stage = .deletePartitions(left: left - 1)
            if left == 1 { partitionsDeleted(id) }
        case (.readElection, .read(let accepted)): electionRead(id, accepted?.cell)
        case (.writeElection(let answer, let configuration), .written(let written)):
            if written.applied { electionWritten(id, answer, configuration) } else { collide(id) }
        default: break
        }
    }

    private mutating func topicRead(_ id: ProcedureID, _ cell: Cell?) {
        guard let procedure = procedures[id] else { return }
        var found: TopicRegister?
        if let cell, case .value(let bytes) = cell.content { found = TopicRegister(bytes) }
        if let found { procedures[id]?.topics = [found] }
        switch (procedure.aim, found, cell?.version) {
        case (.describe, _?, _), (.create, _?, _): listPartitions(id)
        case (.describe, nil, _):
            procedures[id] = nil
            reply(procedure.channel, procedure.request, .topics(Topics(topics: [])))
        case (.create(let configuration), nil, _):
            let topic = TopicRegister(name: procedure.name, id: freshTopicID(), configuration: configuration)
            write(topic, if: .absent, id)
        case (.alter(let configuration), let found?, let version?):
            guard configuration.partitions >= found.configuration.partitions else {
                procedures[id] = nil
                return refuse(
                    procedure.channel, procedure.request, .invalid,
                    "topic '\(found.name)' has \(found.configuration.partitions) partitions; they can become more, not \(configuration.partitions)"
                )
            }
            guard configuration != found.configuration else { return listPartitions(id) }
            write(
                TopicRegister(name: found.name, id: found.id, configuration: configuration), if: .version(version), id)
        case (.delete, _?, let version?):
            procedures[id]?.stage = .deleteTopic
            start(
                .write(.delete(condition: .version(version)), .serial), key: TopicRegister.key(procedure.name),
                for: .topic(id, step: 0))
        case (.elect(let request), let found?, _): readElection(id, of: found, request)
        case (.delete, nil, _):
            procedures[id] = nil
            reply(procedure.channel, procedure.request, .deleted)
        default:
            procedures[id] = nil
            refuse(procedure.channel, procedure.request, .unknownTopic, "there is no topic '\(procedure.name)'")
        }
    }

    private mutating func freshTopicID() -> TopicID {
        // Unique by time and node; the random seed keeps it so when a clock was set back between two runs.
        var writer = ByteWriter(capacity: 16)
        writer.ballot(Ballot(time: clock.now(physicalMs: time.wallMs), node: identity.id))
        return TopicID(XXH64.hash(writer.bytes, seed: random.next()))
    }

    private mutating func write(_ topic: TopicRegister, if condition: Condition, _ id: ProcedureID) {
        procedures[id]?.topics = [topic]
        procedures[id]?.stage = .writeTopic
        start(
            .write(.put(value: topic.encoded, ttlMs: nil, condition: condition), .serial),
            key: TopicRegister.key(topic.name), for: .topic(id, step: 0))
    }

    private mutating func topicWritten(_ id: ProcedureID, _ answer: WriteAnswer) {
        guard !answer.applied else { return listPartitions(id) }
        guard case .create? = procedures[id]?.aim else { return collide(id) }
        if let cell = answer.current, case .value(let bytes) = cell.content, let topic = TopicRegister(bytes) {
            // Somebody else was faster; theirs is the topic.
            procedures[id]?.topics = [topic]
        }
        listPartitions(id)
    }

    mutating func collide(_ id: ProcedureID) {
        guard let procedure = procedures[id] else { return }
        guard procedure.collisions < TopicProcedure.collisionsMax else {
            procedures[id] = nil
            return refuse(
                procedure.channel, procedure.request, .notReady,
                "topic '\(procedure.name)' is being changed by others: try again after a pause")
        }
        procedures[id]?.collisions += 1
        readTopic(id)
    }

    private func partitionPrefix(_ id: ProcedureID) -> [UInt8] {
        let only = procedures[id].flatMap { $0.name.isEmpty ? nil : $0.topics.first?.id }
        return PartitionConfiguration.keyPrefix(only)
    }

    private mutating func listPartitions(_ id: ProcedureID) {
        procedures[id]?.stage = .listPartitions
        procedures[id]?.partitions = []
        list(partitionPrefix(id), after: [], id)
    }

    private mutating func partitionsListed(_ id: ProcedureID) {
        guard let procedure = procedures[id] else { return }
        // Whoever finds a topic half made finishes it, also when it was only asked about: by a description that lacks
        // partitions, clients would map keys to the wrong ones, and its maker may be dead.
        if !procedure.name.isEmpty, !procedure.hasCreatedPartitions, let topic = procedure.topics.first {
            let present = procedure.partitions.map(\.id.index)
            let missing = (0..<topic.configuration.partitions).filter { !present.contains($0) }
            if !missing.isEmpty { return createPartitions(id, topic, missing) }
        }
        procedures[id] = nil
        let byTopic = Dictionary(grouping: procedure.partitions) { $0.id.topic }
        reply(
            procedure.channel, procedure.request,
            .topics(Topics(topics: procedure.topics.map { describe($0, byTopic[$0.id] ?? []) })))
    }

    // MARK: Deleting

    /// The topic is gone. Its partitions' registers go too; a node that dies meanwhile leaves the rest to the primaries,
    /// who look at the topic every now and then.
    private mutating func deletePartitions(_ id: ProcedureID) {
        guard let procedure = procedures[id] else { return }
        procedures[id]?.stage = .deletePartitions(left: procedure.partitions.count)
        guard !procedure.partitions.isEmpty else { return partitionsDeleted(id) }
        for entry in procedure.partitions {
            start(
                .write(.delete(condition: .none), .serial), key: PartitionConfiguration.key(entry.id),
                for: .topic(id, step: Int(entry.id.index)))
        }
    }

    private mutating func partitionsDeleted(_ id: ProcedureID) {
        guard let procedure = procedures.removeValue(forKey: id) else { return }
        for entry in procedure.partitions {
            let news = Reconfigured(partition: entry.id)
            for node in entry.configuration.replicas {
                if node == identity.id {
                    receive(news)
                } else {
                    outputs.append(.send(node, .oneWay, .reconfigured(news)))
                }
            }
        }
        reply(procedure.channel, procedure.request, .deleted)
    }

    // MARK: Making partitions

    /// Places the partitions: replicas follow the partition's token on the ring, and the first one, the nominated
    /// primary, goes round among them.
    private mutating func createPartitions(_ id: ProcedureID, _ topic: TopicRegister, _ missing: [UInt32]) {
        guard let ring else { return }
        procedures[id]?.stage = .createPartitions(left: missing.count)
        procedures[id]?.hasCreatedPartitions = true
        for index in missing {
            let partition = PartitionID(topic: topic.id, index: index)
            var order = ring.members.map(\.id)
            let wanted = min(Int(topic.configuration.replicationFactor), order.count)
            let turn = Int((topic.id.rawValue &+ UInt64(index)) % UInt64(order.count))
            order = Array(order[turn...] + order[..<turn])
            let replicas = Array(order.prefix(wanted))
            let minInSync =
                topic.configuration.minInSync > 0 ? min(Int(topic.configuration.minInSync), wanted) : wanted / 2 + 1
            let configuration = PartitionConfiguration(
                topic: topic.name, epoch: 0, primary: replicas.first { !isGone($0) } ?? replicas[0], replicas: replicas,
                inSync: replicas.map { LogMember.first($0, of: partition) },
                minInSync: minInSync)
            start(
                .write(.put(value: configuration.encoded, ttlMs: nil, condition: .absent), .serial),
                key: PartitionConfiguration.key(partition), for: .topic(id, step: Int(index)))
        }
    }

    private func describe(_ topic: TopicRegister, _ entries: [(id: PartitionID, configuration: PartitionConfiguration)])
        -> TopicInfo
    {
        let infos = entries.map { entry in
            let own = partitions[entry.id]
            let primary = own?.primary
            return PartitionInfo(
                index: entry.id.index, epoch: entry.configuration.epoch, primary: entry.configuration.primary,
                replicas: entry.configuration.replicas, inSync: entry.configuration.inSync.map(\.node),
                firstOffset: primary == nil ? 0 : own?.log?.facts.firstOffset ?? 0,
                highWatermark: primary?.highWatermark ?? 0,
                bytes: primary == nil ? 0 : own?.log?.bytes ?? 0)
        }
        return TopicInfo(
            name: topic.name, id: topic.id, configuration: topic.configuration,
            partitions: infos.sorted { $0.index < $1.index })
    }
}
