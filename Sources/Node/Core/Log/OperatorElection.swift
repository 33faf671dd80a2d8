import Wire

/// An operator names the node that should be a partition's primary. A member of the in-sync set gets the reign in the
/// orderly way. Any other replica may lack what was acknowledged: it gets the reign only by a word of its own, and that is
/// the one way in which the in-sync set becomes something else than a primary has seen to.
extension Node {
    /// Takes the word.
    mutating func electPrimary(_ request: ElectPrimary, for channel: ChannelID, _ id: RequestID) {
        guard request.node == identity.id else {
            return refuse(
                channel, id, .invalid,
                "\(identity.name) was asked to make node \(request.node) a primary: ask that node, which knows its log")
        }
        begin(.elect(request), request.topic, channel, id)
    }

    /// The topic exists: reads the partition's configuration.
    mutating func readElection(_ id: ProcedureID, of topic: TopicRegister, _ request: ElectPrimary) {
        guard request.partition < topic.configuration.partitions else {
            return endElection(
                id, .partitionOutOfRange,
                "topic '\(topic.name)' has \(topic.configuration.partitions) partitions, not partition \(request.partition)"
            )
        }
        procedures[id]?.stage = .readElection
        let partition = PartitionID(topic: topic.id, index: request.partition)
        start(.read(.quorum), key: PartitionConfiguration.key(partition), for: .topic(id, step: 0))
    }

    /// The configuration as it is: says what it should be.
    mutating func electionRead(_ id: ProcedureID, _ cell: Cell?) {
        guard let procedure = procedures[id], case .elect(let request) = procedure.aim,
            let topic = procedure.topics.first
        else { return }
        let partition = PartitionID(topic: topic.id, index: request.partition)
        guard let cell, case .value(let bytes) = cell.content, let present = PartitionConfiguration(bytes) else {
            return endElection(id, .notReady, "partition \(partition) is not made yet: try again after a pause")
        }
        guard present.wanted.contains(identity.id), present.replicas.contains(identity.id) else {
            let names = present.wanted.map { name(of: $0) }.joined(separator: ", ")
            return endElection(
                id, .invalid, "\(identity.name) has no replica of partition \(partition) that stays: \(names) have")
        }
        guard store.readOnlyReason == nil, !isLeaving else {
            return endElection(
                id, .invalid, "\(identity.name) takes no writes: \(store.readOnlyReason ?? "it goes down")")
        }
        let own = ownMember(touch(partition), present)
        let log = partitions[partition]?.log
        forgetIfForeign(partition)
        var answer = Elected(
            unclean: false, epoch: present.epoch, firstOffset: log?.facts.firstOffset ?? 0, endOffset: log?.end ?? 0)
        var wanted = present
        if present.inSync.contains(own) {
            // The primary gives the reign to whom it is meant for, when what is under way is answered.
            wanted.target = [identity.id] + present.wanted.filter { $0 != identity.id }
            if wanted.target == present.replicas { wanted.target = [] }
        } else {
            guard request.unclean else {
                let names = present.inSync.map { name(of: $0.node) }.joined(separator: ", ")
                return endElection(
                    id, .notInSync,
                    "\(identity.name) is not in the in-sync set (\(names)) of partition \(partition): its log ends at offset \(answer.endOffset), and what was acknowledged behind that would be lost for good"
                )
            }
            answer.unclean = true
            wanted.primary = identity.id
            wanted.inSync = [own]
        }
        guard wanted != present else { return electionWritten(id, answer, present) }
        procedures[id]?.stage = .writeElection(answer, wanted)
        start(
            .write(.put(value: wanted.encoded, ttlMs: nil, condition: .version(cell.version)), .serial),
            key: PartitionConfiguration.key(partition), for: .topic(id, step: 0))
    }

    /// It is said. Those whom it concerns hear of it; this node begins its reign by the next epoch, as always.
    mutating func electionWritten(_ id: ProcedureID, _ answer: Elected, _ configuration: PartitionConfiguration) {
        guard let procedure = procedures.removeValue(forKey: id), case .elect(let request) = procedure.aim,
            let topic = procedure.topics.first
        else { return }
        let partition = PartitionID(topic: topic.id, index: request.partition)
        if answer.unclean {
            counters.uncleanElections += 1
            note(
                .warning,
                "\(identity.name) takes partition \(partition) by an operator's word, with offsets from \(answer.firstOffset) up to \(answer.endOffset): what was acknowledged behind them is lost"
            )
            // A reign that ended without this node's knowledge.
            stepDown(partition, because: "an operator has begun a new one")
        }
        let news = Reconfigured(partition: partition)
        for node in configuration.replicas where node != identity.id {
            outputs.append(.send(node, .oneWay, .reconfigured(news)))
        }
        receive(news)
        reply(procedure.channel, procedure.request, .elected(answer))
    }

    private mutating func endElection(_ id: ProcedureID, _ code: ErrorCode, _ detail: String) {
        guard let procedure = procedures.removeValue(forKey: id) else { return }
        refuse(procedure.channel, procedure.request, code, detail)
    }
}
