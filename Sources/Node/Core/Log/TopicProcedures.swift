import Wire

/// A piece of work on topics that takes several register operations.
struct ProcedureID: Hashable {
    let rawValue: UInt64
}

/// Creating or describing topics.
struct TopicProcedure {
    /// What is being waited for.
    enum Stage {
        /// The topic's register; `creating` when it may be made.
        case readTopic
        case createTopic
        /// Pages of topics, of all of them.
        case listTopics
        /// Pages of partitions.
        case listPartitions
        /// Registers of partitions that were missing.
        case createPartitions(left: Int)
    }

    let channel: ChannelID
    let request: RequestID
    /// Empty for all topics.
    let name: String
    /// How to make it, when it may be made.
    let creating: TopicConfiguration?
    var stage: Stage
    var topics: [TopicRegister] = []
    var partitions: [(id: PartitionID, configuration: PartitionConfiguration)] = []
    var hasCreatedPartitions = false
}

extension Node {
    /// Makes a topic, or finds the existing one.
    mutating func createTopic(_ request: CreateTopic, for channel: ChannelID, _ id: RequestID) {
        let isPlain = request.name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2E
                || byte == 0x5F || byte == 0x2D
        }
        guard !request.name.isEmpty, isPlain else {
            return refuse(
                channel, id, .invalid,
                "a topic's name is 1 to \(WireLimits.nameBytesMax) letters, digits, '.', '_' or '-', found '\(request.name)'"
            )
        }
        begin(
            TopicProcedure(
                channel: channel, request: id, name: request.name, creating: request.configuration, stage: .readTopic))
    }

    /// Tells about one topic, or all by an empty name.
    mutating func describeTopics(_ name: String, for channel: ChannelID, _ id: RequestID) {
        begin(
            TopicProcedure(
                channel: channel, request: id, name: name, creating: nil, stage: name.isEmpty ? .listTopics : .readTopic
            ))
    }

    private mutating func begin(_ procedure: TopicProcedure) {
        guard procedures.count < limits.operationsMax else {
            counters.overloaded += 1
            return refuse(
                procedure.channel, procedure.request, .overloaded,
                "too many requests about topics: try again after a pause")
        }
        nextProcedure += 1
        let id = ProcedureID(rawValue: nextProcedure)
        procedures[id] = procedure
        if procedure.name.isEmpty {
            list(TopicRegister.keyPrefix, after: [], id)
        } else {
            start(.read(.quorum), key: TopicRegister.key(procedure.name), for: .topic(id, step: 0))
        }
    }

    private mutating func list(_ prefix: [UInt8], after: [UInt8], _ id: ProcedureID) {
        let scan = ScanRequest(prefix: prefix, after: after, limit: UInt32(WireLimits.scanItemsMax), keysOnly: false)
        start(.scan(scan), key: Key(prefix), for: .topic(id, step: 0))
    }

    mutating func topicStepDone(_ id: ProcedureID, _ step: Int, _ result: OperationResult) {
        guard let procedure = procedures[id] else { return }
        if case .failed(let code, let detail) = result {
            procedures[id] = nil
            // Making a topic again is harmless: the same name finds what has been made.
            return refuse(procedure.channel, procedure.request, code == .outcomeUnknown ? .notReady : code, detail)
        }
        switch (procedure.stage, result) {
        case (.readTopic, .read(let accepted)): topicRead(id, accepted?.cell)
        case (.createTopic, .written(let answer)): topicCreated(id, answer)
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
            partitionsListed(id)
        case (.createPartitions(let left), .written):
            procedures[id]?.stage = .createPartitions(left: left - 1)
            if left == 1 { listPartitions(id) }
        default: break
        }
    }

    private mutating func topicRead(_ id: ProcedureID, _ cell: Cell?) {
        guard let procedure = procedures[id] else { return }
        if let cell, case .value(let bytes) = cell.content, let topic = TopicRegister(bytes) {
            procedures[id]?.topics = [topic]
            return listPartitions(id)
        }
        guard let configuration = procedure.creating else {
            procedures[id] = nil
            return reply(procedure.channel, procedure.request, .topics(Topics(topics: [])))
        }
        // Unique by time and node; the random seed keeps it so when a clock was set back between two runs.
        var writer = ByteWriter(capacity: 16)
        writer.ballot(Ballot(time: clock.now(physicalMs: time.wallMs), node: identity.id))
        let topicID = TopicID(XXH64.hash(writer.bytes, seed: random.next()))
        let topic = TopicRegister(name: procedure.name, id: topicID, configuration: configuration)
        procedures[id]?.topics = [topic]
        procedures[id]?.stage = .createTopic
        start(
            .write(.put(value: topic.encoded, ttlMs: nil, condition: .absent), .serial),
            key: TopicRegister.key(procedure.name),
            for: .topic(id, step: 0))
    }

    private mutating func topicCreated(_ id: ProcedureID, _ answer: WriteAnswer) {
        if !answer.applied, let cell = answer.current, case .value(let bytes) = cell.content,
            let topic = TopicRegister(bytes)
        {
            // Somebody else was faster; theirs is the topic.
            procedures[id]?.topics = [topic]
        }
        listPartitions(id)
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
                epoch: 0, primary: replicas[0], replicas: replicas,
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
