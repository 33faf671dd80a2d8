import NodeCore
import Wire

/// Clients publish to topics and read them, as the client library does.
extension Simulator {
    /// Makes the topics, with all well; says whether they are there.
    func createTopics() -> Bool {
        guard let plan = scenario.logs else { return true }
        for (index, topic) in plan.topics.enumerated() {
            let client = LogClients.numbers.lowerBound + index
            cluster.request(
                client, to: 0, .createTopic(CreateTopic(name: topic.name, configuration: topic.configuration)))
            guard cluster.run(forMs: 5_000, until: { cluster.answer(of: client) != nil }),
                case .topics(let topics)? = cluster.answer(of: client), let made = topics.topics.first
            else {
                fail("founding", "no topic after 5 s without faults: \(String(describing: cluster.answer(of: client)))")
                return false
            }
            for index in 0..<topic.configuration.partitions {
                logs.partitions.append(PartitionID(topic: made.id, index: index))
                logs.histories.append(PartitionHistory())
            }
        }
        return true
    }

    func startLogClients() {
        guard let plan = scenario.logs else { return }
        logs.dice = Dice(seed: scenario.seed, Scenario.logDice, .max)
        for (index, planned) in plan.producers.enumerated() {
            let dice = Dice(seed: scenario.seed, Scenario.logDice, UInt64(index) << 1)
            logs.producers.append(SimulatedProducer(plan: planned, dice: dice, left: planned.batches))
            self.plan(.log(.produce(index)), inMs: UInt64(index))
        }
        for (index, fault) in plan.faults.enumerated() { self.plan(.log(.fault(index)), inMs: fault.atMs) }
        for (index, planned) in plan.consumers.enumerated() {
            let dice = Dice(seed: scenario.seed, Scenario.logDice, UInt64(index) << 1 | 1)
            logs.consumers.append(SimulatedConsumer(plan: planned, dice: dice))
            self.plan(.log(.consume(index)), inMs: UInt64(index))
        }
    }

    func go(_ step: LogStep) {
        switch step {
        case .produce(let index): produce(index)
        case .consume(let index): if isStormy { consume(index) }
        case .giveUp(let request): giveUpLog(request)
        case .fault(let index): begin(logFault: index)
        case .suspect(let node): suspect(node)
        case .mend(let node): mendLog(node)
        }
    }

    func logAnswered(_ answer: VirtualCluster.Answer) {
        let index = answer.client - LogClients.numbers.lowerBound
        guard logs.requests.indices.contains(index) else { return }
        let isWaitedFor = !logs.requests[index].isAnswered
        logs.requests[index].isAnswered = true
        switch logs.requests[index].sender {
        case .producer(let producer, let batch):
            produced(answer.message, batch, producer, isWaitedFor, by: logs.requests[index].node)
        case .consumer(let consumer, let from, let floors):
            fetched(answer.message, from: from, floors, consumer, isWaitedFor)
        case .checker: logs.checkerHeard[index] = answer.message
        }
    }

    private func giveUpLog(_ index: Int) {
        guard !logs.requests[index].isAnswered else { return }
        logs.requests[index].isAnswered = true
        switch logs.requests[index].sender {
        case .producer(let producer, let batch):
            logs.batches[batch].isCertain = false
            retry(producer, .doubt)
        case .consumer(let consumer, _, _):
            logs.consumers[consumer].primary = nil
            readOn(consumer)
        case .checker: break
        }
    }

    // MARK: Finding the primary

    /// The newest configuration of a partition that any node has accepted.
    func configuration(of partition: Int) -> PartitionConfiguration? {
        let key = PartitionConfiguration.key(logs.partitions[partition])
        let newest = cluster.virtualNodes.compactMap { $0.store.registers[key]?.accepted }
            .max { $0.ballot < $1.ballot }
        guard case .value(let bytes)? = newest?.cell.content else { return nil }
        return PartitionConfiguration(bytes)
    }

    /// Whom a client takes for the primary: mostly the one, now and then any node.
    private func guess(_ partition: Int) -> Int {
        let any = logs.dice.pick(0...cluster.virtualNodes.count - 1)
        guard !logs.dice.chance(0.1), let primary = configuration(of: partition)?.primary else { return any }
        return Int(primary.rawValue) - 1
    }

    private func send(_ message: Message, to node: Int, _ sender: LogRequest.Sender, patienceMs: UInt64) -> Int {
        let index = logs.requests.count
        logs.requests.append(LogRequest(sender: sender, node: node))
        plan(.log(.giveUp(index)), inMs: patienceMs)
        cluster.request(
            LogClients.numbers.lowerBound + index, to: node, message,
            epoch: cluster.virtualNodes[node].node?.ring?.epoch ?? .none)
        return index
    }

    // MARK: Publishing

    /// Begins a batch, or sends it once more.
    private func produce(_ index: Int) {
        guard logs.producers[index].request == nil else { return }
        if logs.producers[index].batch == nil {
            guard logs.producers[index].left > 0 else { return }
            logs.producers[index].left -= 1
            beginBatch(index)
        }
        guard let batch = logs.producers[index].batch else { return }
        let plan = logs.producers[index].plan
        let node = logs.producers[index].primary ?? guess(plan.partition)
        logs.producers[index].primary = node
        logs.producers[index].request = send(
            .produce(Produce(partition: logs.partitions[plan.partition], batch: batch.content)), to: node,
            .producer(index, batch: batch.number), patienceMs: plan.patienceMs)
    }

    private func beginBatch(_ index: Int) {
        let plan = logs.producers[index].plan
        let count = logs.producers[index].dice.pick(1...plan.recordsMax)
        let number = logs.batches.count
        logs.batches.append(
            PublishedBatch(
                number: number, producer: index, partition: plan.partition, count: count,
                floor: logs.histories[plan.partition].end))
        logs.producers[index].isInDoubt = false
        // A producer at fault leaves numbers out: the log must not take them.
        if logs.producers[index].producerID != 0, logs.producers[index].dice.chance(plan.skips) {
            logs.producers[index].sequence += 1
        }
        logs.producers[index].batch = content(index, number).map { (number, $0, cluster.nowMs) }
    }

    /// The records of a batch under the producer's present number.
    private func content(_ index: Int, _ number: Int) -> RecordBatch? {
        let plan = logs.producers[index].plan
        if plan.isNumbered, logs.producers[index].producerID == 0 {
            logs.producerIDs += 1
            logs.producers[index].producerID = logs.producerIDs
            logs.producers[index].sequence = 0
        }
        let records = (0..<logs.batches[number].count).map { place in
            let filler = plan.bytesMax == 0 ? 0 : (number * 7 + place) % plan.bytesMax
            return Record(
                RecordLabel(batch: number, place: place), keys: plan.keys, filler: filler, timestampMs: cluster.wallMs)
        }
        return try? RecordBatch(
            records: records, producerID: logs.producers[index].producerID, sequence: logs.producers[index].sequence)
    }

    private enum Refusal {
        case doubt
        case certain
        /// Its producer is not known to the log.
        case gap
    }

    private func produced(_ answer: Message, _ number: Int, _ index: Int, _ isWaitedFor: Bool, by node: Int) {
        switch answer {
        case .produced(let body):
            acknowledged(number, at: body.baseOffset, by: node)
            guard isWaitedFor else { return }
            finish(index)
        case .error(let error):
            let refusal: Refusal =
                switch error.code {
                case .outcomeUnknown: .doubt
                case .sequenceGap: .gap
                default: .certain
                }
            if refusal == .doubt { logs.batches[number].isCertain = false }
            guard isWaitedFor else { return }
            retry(index, refusal)
        default: fail("answers", "a publish is answered with a \(answer.type)")
        }
    }

    private func acknowledged(_ number: Int, at base: Offset, by node: Int) {
        let batch = logs.batches[number]
        statistics.add(.outcomes, "kept")
        let problem = logs.histories[batch.partition].acknowledged(batch, at: base)
        if let problem {
            return fail(problem.check, "\(logs.partitions[batch.partition]): \(problem.detail)")
        }
        let isNew = batch.outcome == .unknown
        logs.batches[number].outcome = .kept(base)
        guard isNew else { return }
        if let content = logs.producers[batch.producer].batch, content.number == number {
            happened(.acknowledged(logs.partitions[batch.partition], base, content.content, by: node))
        }
        changeAnswered()
    }

    /// The batch is in the log.
    private func finish(_ index: Int) {
        logs.producers[index].request = nil
        if let batch = logs.producers[index].batch?.content, batch.producerID != 0 {
            logs.producers[index].sequence += UInt64(batch.count)
        }
        next(index)
    }

    private func next(_ index: Int) {
        logs.producers[index].batch = nil
        let thinkMaxMs = logs.producers[index].plan.thinkMaxMs
        let thinkMs = logs.producers[index].dice.pick(0...thinkMaxMs)
        plan(.log(.produce(index)), inMs: thinkMs)
    }

    /// An attempt has failed: tries again as the client library does, or gives up.
    private func retry(_ index: Int, _ refusal: Refusal) {
        logs.producers[index].request = nil
        logs.producers[index].primary = nil
        guard let batch = logs.producers[index].batch else { return }
        let plan = logs.producers[index].plan
        let sinceMs = cluster.nowMs - batch.sinceMs
        switch refusal {
        case .doubt: logs.producers[index].isInDoubt = true
        case .gap where !logs.producers[index].isInDoubt:
            logs.producers[index].producerID = 0
            let content = content(index, batch.number) ?? batch.content
            logs.producers[index].batch?.content = content
        case .gap: return abandon(index)
        case .certain: break
        }
        let isInDoubt = logs.producers[index].isInDoubt
        // Who does not number its batches must not send one again that may be in the log.
        if isInDoubt ? !plan.isNumbered || sinceMs > plan.deadlineMs : sinceMs > scenario.limits.operationTimeoutMs {
            return abandon(index)
        }
        self.plan(.log(.produce(index)), inMs: logs.producers[index].dice.pick(1...30))
    }

    private func abandon(_ index: Int) {
        guard let batch = logs.producers[index].batch else { return }
        let isCertain = logs.batches[batch.number].isCertain
        if logs.batches[batch.number].outcome == .unknown {
            if isCertain { logs.batches[batch.number].outcome = .refused }
            statistics.add(.outcomes, isCertain ? "failed" : "unknown")
        }
        if logs.producers[index].isInDoubt { logs.producers[index].producerID = 0 }
        next(index)
    }

    // MARK: Reading

    private func consume(_ index: Int) {
        guard logs.consumers[index].request == nil else { return }
        let plan = logs.consumers[index].plan
        if logs.consumers[index].dice.chance(plan.goesBack) {
            let position = logs.consumers[index].position
            logs.consumers[index].position = logs.consumers[index].dice.pick(0...position)
        }
        // Now and then by news that are not the newest.
        if logs.consumers[index].dice.chance(0.2) { logs.consumers[index].primary = nil }
        let node = logs.consumers[index].primary ?? guess(plan.partition)
        logs.consumers[index].primary = node
        let from = logs.consumers[index].position
        let fetch = Fetch(
            partition: logs.partitions[plan.partition], offset: from, bytesMax: plan.bytesMax, waitMs: plan.waitMs)
        logs.consumers[index].request = send(
            .fetch(fetch), to: node,
            .consumer(index, from: from, floors: logs.histories[plan.partition].floors),
            patienceMs: plan.patienceMs + UInt64(plan.waitMs))
    }

    private func readOn(_ index: Int) {
        logs.consumers[index].request = nil
        let thinkMaxMs = logs.consumers[index].plan.thinkMaxMs
        plan(.log(.consume(index)), inMs: logs.consumers[index].dice.pick(1...thinkMaxMs))
    }

    private func fetched(
        _ answer: Message, from: Offset, _ floors: PartitionHistory.Floors, _ index: Int, _ isWaitedFor: Bool
    ) {
        let partition = logs.consumers[index].plan.partition
        guard case .fetched(let body) = answer else {
            guard isWaitedFor else { return }
            logs.consumers[index].primary = nil
            return readOn(index)
        }
        statistics.add(.outcomes, "found")
        let problem = logs.histories[partition].fetched(body, from: from, floors: floors)
        if let problem {
            fail(problem.check, "\(logs.partitions[partition]): \(problem.detail)")
        }
        guard isWaitedFor else { return }
        take(body, from: from, index)
        readOn(index)
    }

    private func take(_ body: Fetched, from: Offset, _ index: Int) {
        guard body.epoch >= logs.consumers[index].epoch || ignoresEpochs else {
            logs.consumers[index].primary = nil
            return
        }
        if body.highWatermark < logs.consumers[index].watermark {
            fail(
                "watermark",
                "consumer \(index) was told \(logs.consumers[index].watermark), and now \(body.highWatermark) by epoch \(body.epoch)"
            )
        }
        logs.consumers[index].epoch = max(logs.consumers[index].epoch, body.epoch)
        logs.consumers[index].watermark = body.highWatermark
        logs.consumers[index].position = max(from, body.firstOffset, body.batches.last?.endOffset ?? 0)
    }

    private var ignoresEpochs: Bool {
        #if MUTANTS
            Mutation.broken == .readerIgnoresEpoch
        #else
            false
        #endif
    }
}
