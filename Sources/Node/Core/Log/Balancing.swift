import Wire

/// One node looks every now and then where the replicas of all partitions are, and says where they should be; the primaries
/// move them there. It is nobody's right: whoever does it, each change is a compare-and-set of the partition's register.
struct Balancing {
    /// What is being waited for.
    enum Step {
        /// A page of topics.
        case topics
        /// A page of partitions.
        case partitions
        /// A target that was written, for the partition's primary to hear of.
        case target(PartitionID, primary: NodeID)
    }

    /// A partition that was found.
    struct Found {
        var id: PartitionID
        var configuration: PartitionConfiguration
        var version: Ballot
    }

    /// When the next look begins.
    var nextMs: UInt64 = 0
    /// Whether one is under way.
    var isLooking = false
    /// Copies that each topic should have.
    var factors: [TopicID: Int] = [:]
    /// The partitions so far.
    var found: [Found] = []
}

extension Node {
    /// Begins a look when it is this node's turn.
    mutating func tickBalancing() {
        guard let ring, limits.balanceIntervalMs > 0, !balancing.isLooking, time.monotonicMs >= balancing.nextMs else {
            return
        }
        let isFirst = balancing.nextMs == 0
        balancing.nextMs = time.monotonicMs + limits.balanceIntervalMs
        // Not at once: nodes that start together come and go.
        guard !isFirst else { return }
        let first = ring.members.first { $0.id == identity.id || state(of: $0.id) == .alive }
        guard first?.id == identity.id, operations.count < limits.operationsMax / 2 else { return }
        balancing.isLooking = true
        balancing.factors = [:]
        balancing.found = []
        listForBalance(TopicRegister.keyPrefix, after: [], .topics)
    }

    private mutating func listForBalance(_ prefix: [UInt8], after: [UInt8], _ step: Balancing.Step) {
        let scan = ScanRequest(prefix: prefix, after: after, limit: UInt32(WireLimits.scanItemsMax), keysOnly: false)
        start(.scan(scan), key: Key(prefix), for: .balance(step))
    }

    mutating func balanceStepDone(_ step: Balancing.Step, _ result: OperationResult) {
        switch (step, result) {
        case (.topics, .scanned(let page)):
            for item in page.items {
                guard case .value(let bytes) = item.cell.content, let topic = TopicRegister(bytes) else { continue }
                balancing.factors[topic.id] = Int(topic.configuration.replicationFactor)
            }
            if let after = page.resumeAfter { return listForBalance(TopicRegister.keyPrefix, after: after, .topics) }
            listForBalance(PartitionConfiguration.keyPrefix(nil), after: [], .partitions)
        case (.partitions, .scanned(let page)):
            for item in page.items {
                guard case .value(let bytes) = item.cell.content,
                    let id = PartitionConfiguration.partition(of: item.key),
                    let configuration = PartitionConfiguration(bytes), balancing.factors[id.topic] != nil
                else { continue }
                balancing.found.append(
                    Balancing.Found(id: id, configuration: configuration, version: item.cell.version))
            }
            if let after = page.resumeAfter {
                return listForBalance(PartitionConfiguration.keyPrefix(nil), after: after, .partitions)
            }
            setTargets()
        case (.target(let id, let primary), .written(let answer)):
            if answer.applied { tell(primary, of: id) }
        default:
            // Too few nodes answered: another time.
            if case .target = step { return }
            balancing.isLooking = false
        }
    }

    /// Tells a primary that its partition should move.
    private mutating func tell(_ primary: NodeID, of id: PartitionID) {
        let news = Reconfigured(partition: id)
        if primary == identity.id { return receive(news) }
        outputs.append(.send(primary, .oneWay, .reconfigured(news)))
    }

    private mutating func setTargets() {
        balancing.isLooking = false
        let found = balancing.found
        balancing.found = []
        let present = found.map { entry in
            PartitionPlacement.Present(
                id: entry.id, replicas: entry.configuration.wanted, factor: balancing.factors[entry.id.topic] ?? 1)
        }
        let moving = found.filter { !$0.configuration.target.isEmpty }
        let movesMax = limits.partitionMovesMax - min(limits.partitionMovesMax, moving.count)
        // Their primaries may not have heard of it: the news was lost, or there was another primary then.
        for entry in moving { tell(entry.configuration.primary, of: entry.id) }
        let changes = PartitionPlacement.changes(of: present, over: places, movesMax: movesMax)
        for change in changes {
            guard let entry = found.first(where: { $0.id == change.id }) else { continue }
            var configuration = entry.configuration
            configuration.target = change.replicas == configuration.replicas ? [] : change.replicas
            counters.targetsSet += 1
            start(
                .write(.put(value: configuration.encoded, ttlMs: nil, condition: .version(entry.version)), .serial),
                key: PartitionConfiguration.key(change.id),
                for: .balance(.target(change.id, primary: configuration.primary)))
        }
    }

    /// The nodes that may have replicas: those that are in the ring and stay in it.
    private var places: [PartitionPlacement.Place] {
        guard let ring else { return [] }
        return ring.members.filter { ring.next?.member($0.id) != nil || ring.next == nil }.map {
            PartitionPlacement.Place(node: $0.id, zone: $0.zone)
        }
    }
}
