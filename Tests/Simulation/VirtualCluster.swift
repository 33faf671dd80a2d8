package import Membership
package import NodeCore
package import Wire

/// Whole nodes of the production core on virtual time, connected by messages that the test may delay, lose, repeat or
/// cut off.
package final class VirtualCluster {
    /// What a client heard.
    package struct Answer: Hashable {
        /// The client's number.
        package let client: Int
        /// The answer.
        package let message: Message
        /// When it came, in virtual milliseconds.
        package let atMs: UInt64
    }

    private struct Envelope {
        let atMs: UInt64
        let order: Int
        let from: Int
        let to: Int
        let runs: [Int]
        let input: NodeInput
    }

    /// The nodes; nil for one that is down.
    package private(set) var nodes: [Node<MemoryStore>?]
    /// What is on their disks.
    package private(set) var stores: [MemoryStore]
    /// The true time.
    package private(set) var nowMs: UInt64 = 1_000_000
    /// Everything that clients have heard, in order.
    package private(set) var answers: [Answer] = []
    /// Every message since it was last cleared, when tracing.
    package private(set) var trace: [String] = []
    /// What the nodes have told their operators.
    package private(set) var notes: [String] = []
    /// The bounds of all nodes.
    package let limits: CoreLimits

    /// Chance that a message between nodes is lost.
    package var loss = 0.0
    /// Chance that a message is delivered a second time, much later.
    package var duplication = 0.0
    /// Time of a message between nodes, in milliseconds.
    package var delayMs: ClosedRange<UInt64> = 1...3
    /// Time of a sync.
    package var syncMs: ClosedRange<UInt64> = 1...2
    /// How far a node's wall clock is from the true time.
    package var skewMs: [Int64]
    /// Whether a starting node hears of nodes that are down; after a whole cluster has stopped nobody can tell it.
    package var tellsOfTheDead = true
    /// Whether every message is written down.
    package var isTracing = false

    private var queue: [Envelope] = []
    private var syncAtMs: [UInt64?]
    private var runs: [Int]
    private var cut: Set<[Int]> = []
    private var nextOrder = 0
    private var random: SplitMix64
    private let identities: [PeerIdentity]

    /// A cluster of nodes that all start at once. The first `founders` of them found it, all when it is nil.
    package init(count: Int, founders: Int? = nil, seed: UInt64 = 1, limits: CoreLimits = CoreLimits()) {
        random = SplitMix64(seed: seed)
        var limits = limits
        limits.bootstrapExpect = founders ?? count
        self.limits = limits
        identities = (1...count).map {
            PeerIdentity(role: .node, id: NodeID(UInt64($0)), name: "n\($0)", incarnation: 1, address: "n\($0):1")
        }
        stores = (0..<count).map { _ in MemoryStore() }
        nodes = Array(repeating: nil, count: count)
        syncAtMs = Array(repeating: nil, count: count)
        runs = Array(repeating: 0, count: count)
        skewMs = Array(repeating: 0, count: count)
        for index in 0..<count { boot(index) }
    }

    // MARK: Faults

    /// A node stops, and its disk forgets what was not synced.
    package func crash(_ index: Int) {
        note("n\(index + 1) crashes")
        nodes[index] = nil
        stores[index] = stores[index].afterCrash()
        syncAtMs[index] = nil
        runs[index] += 1
        for other in nodes.indices where other != index { input(other, .peerDown(identities[index].id)) }
    }

    /// A node that was down starts again.
    package func restart(_ index: Int) {
        note("n\(index + 1) restarts")
        boot(index)
    }

    /// What the membership says to all living nodes.
    package func announce(_ index: Int, _ state: MemberState) {
        for other in nodes.indices where other != index {
            input(other, .member(MemberInfo(identity: identities[index], state: state)))
        }
    }

    /// Cuts messages in one direction; connections stay up, as with dropped packets.
    package func cut(_ from: Int, _ to: Int) { cut.insert([from, to]) }

    /// Ends all cuts.
    package func heal() { cut.removeAll() }

    // MARK: Clients

    /// Sends a client's request to a node; the answer comes under the client's number.
    package func request(_ client: Int, to index: Int, _ message: Message) {
        let header = FrameHeader(
            type: message.type, requestID: RequestID(UInt32(client)),
            time: HybridTime(milliseconds: nowMs + 1_700_000_000_000 - 200), epoch: Epoch(1))
        trace("c\(client) → n\(index + 1) \(Trace.text(message))")
        push(
            from: -client, to: index, atMs: nowMs,
            .request(ChannelID(UInt64(1_000_000 + client)), peer: .none, header, message))
    }

    /// What a client heard last.
    package func answer(of client: Int) -> Message? { answers.last { $0.client == client }?.message }

    // MARK: Time

    /// Runs until `condition` holds; says whether it did within `milliseconds`.
    @discardableResult
    package func run(forMs milliseconds: UInt64, until condition: () -> Bool = { false }) -> Bool {
        let end = nowMs + milliseconds
        while nowMs < end {
            if condition() { return true }
            step()
        }
        return condition()
    }

    /// One millisecond.
    private func step() {
        nowMs += 1
        while let next = queue.first, next.atMs <= nowMs {
            queue.removeFirst()
            guard nodes[next.to] != nil, next.runs == routeRuns(next.from, next.to) else { continue }
            input(next.to, next.input)
        }
        for index in nodes.indices {
            if let at = syncAtMs[index], at <= nowMs {
                syncAtMs[index] = nil
                input(index, .durable(stores[index].sync()))
            }
            if nowMs % 10 == 0 { input(index, .tick) }
        }
    }

    // MARK: The network

    private func boot(_ index: Int) {
        nodes[index] = Node(
            identity: identities[index], clusterName: "test", limits: limits, store: stores[index], time: time(index),
            randomSeed: random.next())
        perform(index)
        for (other, identity) in identities.enumerated() where tellsOfTheDead || nodes[other] != nil {
            input(index, .member(MemberInfo(identity: identity, state: nodes[other] == nil ? .dead : .alive)))
            guard other != index, nodes[other] != nil else { continue }
            input(index, .peerUp(identity.id))
            input(other, .peerUp(identities[index].id))
        }
        announce(index, .alive)
    }

    private func time(_ index: Int) -> NodeTime {
        NodeTime(wallMs: UInt64(Int64(nowMs + 1_700_000_000_000) + skewMs[index]), monotonicMs: nowMs)
    }

    private func input(_ index: Int, _ input: NodeInput) {
        guard nodes[index] != nil else { return }
        nodes[index]?.handle(input, at: time(index))
        perform(index)
    }

    private func perform(_ index: Int) {
        guard let outputs = nodes[index]?.outputs else { return }
        nodes[index]?.outputs = []
        for output in outputs {
            switch output {
            case .send(let node, let request, let message):
                let to = Int(node.rawValue) - 1
                // Greetings only compare epochs, and are said all the time.
                if message != .ringRequest { trace("n\(index + 1) → n\(to + 1) \(Trace.text(message))") }
                guard let header = header(index, message, request, answer: false) else { continue }
                deliver(
                    from: index, to: to,
                    .request(ChannelID(UInt64(index * 100 + to)), peer: identities[index].id, header, message))
            case .reply(let channel, let request, let message):
                if channel.rawValue >= 1_000_000 {
                    trace("n\(index + 1) → c\(request.rawValue) \(Trace.text(message))")
                    answers.append(Answer(client: Int(request.rawValue), message: message, atMs: nowMs))
                } else {
                    let to = Int(channel.rawValue) / 100
                    trace("n\(index + 1) → n\(to + 1) \(Trace.text(message))")
                    guard let header = header(index, message, request, answer: true) else { continue }
                    deliver(from: index, to: to, .answer(from: identities[index].id, header, message))
                }
            case .ring: break
            case .note(_, let text): notes.append(text)
            }
        }
        if stores[index].hasUnsynced, syncAtMs[index] == nil { syncAtMs[index] = nowMs + pick(syncMs) }
    }

    private func header(_ index: Int, _ message: Message, _ request: RequestID, answer: Bool) -> FrameHeader? {
        guard let stamp = nodes[index]?.stamp() else { return nil }
        return FrameHeader(
            type: message.type, flags: answer ? .answer : [], requestID: request, time: stamp.time, epoch: stamp.epoch)
    }

    private func deliver(from: Int, to: Int, _ input: NodeInput) {
        guard nodes[to] != nil, !cut.contains([from, to]), !chance(loss) else { return }
        push(from: from, to: to, atMs: nowMs + pick(delayMs), input)
        if chance(duplication) { push(from: from, to: to, atMs: nowMs + pick(delayMs) * 5, input) }
    }

    private func push(from: Int, to: Int, atMs: UInt64, _ input: NodeInput) {
        nextOrder += 1
        let envelope = Envelope(
            atMs: atMs, order: nextOrder, from: from, to: to, runs: routeRuns(from, to), input: input)
        let index = queue.firstIndex { ($0.atMs, $0.order) > (atMs, envelope.order) } ?? queue.endIndex
        queue.insert(envelope, at: index)
    }

    // A message of a connection dies with either end.
    private func routeRuns(_ from: Int, _ to: Int) -> [Int] { [from >= 0 ? runs[from] : 0, runs[to]] }

    private func pick(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) }
    private func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &random) < probability
    }

    private func trace(_ line: @autoclosure () -> String) { if isTracing { trace.append(line()) } }
    private func note(_ line: String) { if isTracing { trace.append(line) } }

    /// Forgets the trace so far.
    package func clearTrace() { trace = [] }
}
