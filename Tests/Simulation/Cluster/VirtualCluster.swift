import Membership
package import NodeCore
package import Wire

/// Whole nodes of the production core on virtual time, connected by messages that a test may delay, lose, repeat or
/// cut off. Nothing here waits: the clock jumps from one event to the next.
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

    private enum Event {
        /// A frame arrives. `from` is -1 for clients. `fromRun` is checked when the frame dies with its sender, `toRun`
        /// when it dies with its receiver; -1 stands for any run.
        case frame(to: Int, toRun: Int, from: Int, fromRun: Int, NodeInput)
        /// An end of a connection notices something about the other one.
        case notice(at: Int, run: Int, NodeInput)
        case answer(Answer)
        case plan(Int)
    }

    private struct RequestPlace: Hashable {
        let channel: ChannelID
        let request: RequestID
        let node: Int
    }

    let virtualNodes: [VirtualNode]
    /// The true time.
    package private(set) var nowMs = startMs
    /// Everything that clients have heard, in order, unless an observer hears it.
    package private(set) var answers: [Answer] = []
    /// Every message since it was last cleared, when tracing.
    package private(set) var trace: [String] = []
    /// What the nodes have told their operators.
    package private(set) var notes: [String] = []
    /// The bounds of all nodes.
    package let limits: CoreLimits
    /// How the network treats messages.
    package var weather = Weather()
    /// Time of a sync, in milliseconds.
    package var syncMs: ClosedRange<UInt64> = 1...2
    /// Whether a starting node hears of nodes that are down; after a whole cluster has stopped nobody can tell it.
    package var tellsOfTheDead = true
    /// Whether every message is written down.
    package var isTracing = false
    /// Whether lines of the trace begin with the time and messages show their ballots.
    var tracesDetails = false
    /// Who follows it.
    weak var observer: (any ClusterObserver)?
    /// What was counted.
    private(set) var counts = NetworkCounts()
    /// A digest of everything that has arrived anywhere, in order: equal runs have equal digests.
    private(set) var digest: UInt64 = 0

    private var queue = EventQueue<Event>()
    private var cuts = NodePairs()
    /// Both directions of those whose connection is up or being noticed.
    private var connections = NodePairs()
    /// When an end's last notice about another one arrives: notices stay in order.
    private var noticedMs: [Int: UInt64] = [:]
    private var requests: [RequestPlace: AskedRequest] = [:]
    private var spareOutputs: [NodeOutput] = []
    private var network: SplitMix64
    private var entropy: SplitMix64

    /// The true time at the start, in milliseconds.
    static let startMs: UInt64 = 1_000_000
    /// The wall clock of the true time 0, in milliseconds since 1970.
    static let wallOffsetMs: UInt64 = 1_700_000_000_000
    // Channels of clients have this bit and the client's number; those of nodes tell who asks and in which run.
    private static let clientBit: UInt64 = 1 << 63

    /// A cluster of nodes, at most 63, that all start at once. The first `founders` of them found it, all when it is nil.
    /// `seed` decides what the network does, `limits` bound every node.
    package init(count: Int, founders: Int? = nil, seed: UInt64 = 1, limits: CoreLimits = CoreLimits()) {
        network = SplitMix64(seed: seed)
        entropy = SplitMix64(seed: ~seed)
        var limits = limits
        limits.bootstrapExpect = founders ?? count
        self.limits = limits
        virtualNodes = (1...count).map { VirtualNode(id: NodeID(UInt64($0))) }
        for index in virtualNodes.indices { boot(index) }
    }

    /// The true time as a wall clock shows it, in milliseconds since 1970.
    package var wallMs: UInt64 { nowMs + Self.wallOffsetMs }

    /// A node's wall clock.
    func wallMs(of index: Int) -> UInt64 { time(index).wallMs }

    /// The nodes; nil for one that is down.
    package var nodes: [Node<MemoryStore>?] { virtualNodes.map(\.node) }

    /// What is on their disks.
    package var stores: [MemoryStore] { virtualNodes.map(\.store) }

    // MARK: Faults

    /// A node stops, and its disk forgets what was not synced, except the first `keeping` entries of it.
    package func crash(_ index: Int, keeping: Int = 0) {
        let virtual = virtualNodes[index]
        guard virtual.isUp else { return }
        note("n\(index + 1) crashes")
        counts.crashes += 1
        virtual.node = nil
        virtual.store = virtual.store.afterCrash(keeping: keeping)
        virtual.sync = nil
        virtual.pausedUntilMs = 0
        virtual.arrivals = []
        observer?.happened(.crashed(index))
        for other in virtualNodes.indices where other != index && connections.remove(both: index, other) {
            notice(other, .peerDown(virtual.identity.id))
        }
    }

    /// A node that was down starts again.
    package func restart(_ index: Int) {
        guard !virtualNodes[index].isUp else { return }
        note("n\(index + 1) \(virtualNodes[index].run == 0 ? "starts" : "restarts")")
        boot(index)
    }

    /// A node that was down has lost its database: it finds the facts about itself, and no register.
    func lose(_ index: Int) {
        let store = virtualNodes[index].store
        let keys = store.registers.keys.sorted()
        note("n\(index + 1) has lost its database")
        store.lose()
        observer?.happened(.lost(index, keys))
    }

    /// Rows of a node fail their checksum from now on.
    func damage(_ index: Int, _ keys: [Key]) {
        guard !keys.isEmpty else { return }
        note("n\(index + 1)'s rows of \(keys) are damaged")
        virtualNodes[index].store.damaged.formUnion(keys)
        observer?.happened(.lost(index, keys))
    }

    /// A node's wall clock differs from the true time from now on.
    package func setSkew(of index: Int, toMs milliseconds: Int64) { virtualNodes[index].skewMs = milliseconds }

    /// What the membership says of a node, to one node or to all living ones.
    package func announce(_ index: Int, _ state: MemberState, to listener: Int? = nil) {
        let member = NodeInput.member(MemberInfo(identity: virtualNodes[index].identity, state: state))
        for other in virtualNodes.indices where other != index && (listener ?? other) == other {
            arrive(other, member)
        }
    }

    /// Cuts messages in one direction; connections stay up, as with dropped packets.
    package func cut(_ from: Int, _ to: Int) { cuts.insert(from, to) }

    /// Ends the cut of one direction.
    func mend(_ from: Int, _ to: Int) {
        cuts.remove(from, to)
        connect(from, to)
    }

    /// Ends all cuts.
    package func heal() {
        cuts = NodePairs()
        for a in virtualNodes.indices { for b in virtualNodes.indices where a < b { connect(a, b) } }
    }

    /// The connection of two nodes breaks, and each notices; it comes back by `connect`.
    func disconnect(_ a: Int, _ b: Int) {
        guard connections.remove(both: a, b) else { return }
        notice(a, .peerDown(virtualNodes[b].identity.id))
        notice(b, .peerDown(virtualNodes[a].identity.id))
    }

    /// Two nodes that can reach each other and are not connected become so.
    func connect(_ a: Int, _ b: Int) {
        guard a != b, virtualNodes[a].isUp, virtualNodes[b].isUp, !cuts.contains(a, b), !cuts.contains(b, a),
            !connections.contains(a, b)
        else { return }
        connections.insert(a, b)
        connections.insert(b, a)
        notice(a, .peerUp(virtualNodes[b].identity.id))
        notice(b, .peerUp(virtualNodes[a].identity.id))
    }

    /// A node's process stands still for a while.
    func pause(_ index: Int, forMs milliseconds: UInt64) {
        virtualNodes[index].pausedUntilMs = max(virtualNodes[index].pausedUntilMs, nowMs + milliseconds)
    }

    // MARK: Clients

    /// Sends a client's request to a node; the answer comes under the client's number. `stampMs` is the time on the
    /// client's clock, `epoch` the ring that it knows.
    package func request(
        _ client: Int, to index: Int, _ message: Message, stampMs: UInt64? = nil, epoch: Epoch = Epoch(1)
    ) {
        let header = FrameHeader(
            type: message.type, requestID: RequestID(UInt32(client)),
            time: HybridTime(milliseconds: stampMs ?? nowMs + Self.wallOffsetMs - 200), epoch: epoch)
        trace("c\(client) → n\(index + 1) \(text(message))")
        guard !chance(weather.clientLoss) else { return }
        queue.push(
            .frame(
                to: index, toRun: virtualNodes[index].run, from: -1, fromRun: -1,
                .request(ChannelID(Self.clientBit | UInt64(client)), peer: .none, header, message)),
            atMs: nowMs + pick(weather.clientDelayMs))
    }

    /// What a client heard last.
    package func answer(of client: Int) -> Message? { answers.last { $0.client == client }?.message }

    // MARK: Time

    /// Runs until `condition` holds; says whether it did within `milliseconds`.
    @discardableResult
    package func run(forMs milliseconds: UInt64, until condition: () -> Bool = { false }) -> Bool {
        let end = nowMs + milliseconds
        while true {
            if condition() { return true }
            guard step(notBeyond: end) else { return condition() }
        }
    }

    /// The observer hears of `plan` after `milliseconds`.
    func plan(_ plan: Int, inMs milliseconds: UInt64) { queue.push(.plan(plan), atMs: nowMs + milliseconds) }

    /// Goes to the next time at which something happens and does what is due then; false when there is none up to `end`,
    /// where the clock stands then.
    private func step(notBeyond end: UInt64) -> Bool {
        var next = queue.nextMs ?? .max
        for virtual in virtualNodes { next = min(next, virtual.nextMs(after: nowMs) ?? .max) }
        guard next <= end else {
            nowMs = end
            return false
        }
        nowMs = max(nowMs, next)
        for (index, virtual) in virtualNodes.enumerated() where virtual.pausedUntilMs <= nowMs {
            let arrivals = virtual.arrivals
            virtual.arrivals = []
            for arrival in arrivals { arrive(index, arrival) }
        }
        while let event = queue.pop(dueBy: nowMs) { perform(event) }
        for (index, virtual) in virtualNodes.enumerated() where virtual.pausedUntilMs <= nowMs {
            if let sync = virtual.sync, sync.untilMs <= nowMs {
                virtual.sync = nil
                input(index, .durable(virtual.store.sync(through: sync.through)))
            }
            if virtual.tickedMs != nowMs, nowMs % VirtualNode.tickMs == virtual.tickPhaseMs {
                virtual.tickedMs = nowMs
                input(index, .tick)
            }
        }
        return true
    }

    private func perform(_ event: Event) {
        switch event {
        case .frame(let to, let toRun, let from, let fromRun, let arrival):
            let virtual = virtualNodes[to]
            guard virtual.isUp, toRun == -1 || toRun == virtual.run,
                fromRun == -1 || from < 0 || virtualNodes[from].run == fromRun && virtualNodes[from].isUp
            else { return }
            arrive(to, arrival)
        case .notice(let at, let run, let arrival):
            let virtual = virtualNodes[at]
            guard virtual.isUp, virtual.run == run else { return }
            arrive(at, arrival)
        case .answer(let answer): hear(answer)
        case .plan(let plan): observer?.due(plan)
        }
    }

    /// Hands a frame or a notice to a node, as soon as its process moves.
    private func arrive(_ index: Int, _ arrival: NodeInput) {
        let virtual = virtualNodes[index]
        guard virtual.isUp else { return }
        guard virtual.pausedUntilMs <= nowMs else { return virtual.arrivals.append(arrival) }
        if case .request(let channel, let peer, let header, let message) = arrival, observer != nil, peer != .none,
            header.requestID != .oneWay
        {
            let place = RequestPlace(channel: channel, request: header.requestID, node: index)
            let arrival = (virtual.node?.ring?.epoch ?? .none, time(index).wallMs)
            if requests[place]?.header == header {
                requests[place]?.arrivals.append(arrival)
            } else {
                requests[place] = AskedRequest(header: header, message: message, arrivals: [arrival])
            }
        }
        digest(index, arrival)
        input(index, arrival)
    }

    // MARK: Nodes

    private func boot(_ index: Int) {
        let virtual = virtualNodes[index]
        virtual.run += 1
        virtual.tickedMs = nowMs
        virtual.node = Node(
            identity: virtual.identity, clusterName: "test", limits: limits, store: virtual.store, time: time(index),
            randomSeed: entropy.next())
        observer?.happened(.started(index))
        perform(index, after: .start)
        for (other, peer) in virtualNodes.enumerated() where peer.run > 0 && (tellsOfTheDead || peer.isUp) {
            input(index, .member(MemberInfo(identity: peer.identity, state: peer.isUp ? .alive : .dead)))
            connect(other, index)
        }
        announce(index, .alive)
    }

    private func notice(_ index: Int, _ arrival: NodeInput) {
        let virtual = virtualNodes[index]
        guard virtual.isUp else { return }
        let about: NodeID
        switch arrival {
        case .peerUp(let node), .peerDown(let node): about = node
        default: return
        }
        let place = index * NodePairs.nodesMax + Int(about.rawValue)
        // What was noticed before comes first, also when notices were slower then.
        let atMs = max(nowMs + pick(weather.noticeMs), noticedMs[place] ?? 0)
        // Nor may it overtake one that is due at this very moment.
        guard atMs > nowMs || noticedMs[place] == nowMs else { return arrive(index, arrival) }
        noticedMs[place] = atMs
        queue.push(.notice(at: index, run: virtual.run, arrival), atMs: atMs)
    }

    private func time(_ index: Int) -> NodeTime {
        NodeTime(
            wallMs: UInt64(Int64(nowMs + Self.wallOffsetMs) + virtualNodes[index].skewMs), monotonicMs: nowMs)
    }

    /// Something happens to a node that is up.
    package func input(_ index: Int, _ arrival: NodeInput) {
        let virtual = virtualNodes[index]
        guard virtual.isUp else { return }
        let before = virtual.store.applied
        virtual.node?.handle(arrival, at: time(index))
        perform(index, after: before)
    }

    /// Does what a node's core has put out, and begins to sync what it has applied behind `before`.
    private func perform(_ index: Int, after before: JournalSequence) {
        let virtual = virtualNodes[index]
        if let observer, virtual.store.applied > before {
            for entry in virtual.store.entries(after: before) { observer.happened(.applied(index, entry)) }
        }
        var outputs = spareOutputs
        spareOutputs = []
        virtual.node?.outputs.exchange(with: &outputs)
        for output in outputs { perform(index, output) }
        outputs.removeAll(keepingCapacity: true)
        spareOutputs = outputs
        guard virtual.isUp, virtual.store.hasUnsynced else { return }
        if let sync = virtual.sync {
            // What comes in the same moment still gets into the group.
            if sync.sinceMs == nowMs { virtual.sync?.through = virtual.store.applied }
        } else {
            virtual.sync = (virtual.store.applied, nowMs, nowMs + pick(virtual.syncMs ?? syncMs))
        }
    }

    private func perform(_ index: Int, _ output: NodeOutput) {
        switch output {
        case .send(let node, let request, let message):
            let to = Int(node.rawValue) - 1
            // Greetings only compare epochs, and are said all the time.
            if message != .ringRequest { trace("n\(index + 1) → n\(to + 1) \(text(message))") }
            guard let header = header(index, message, request, answer: false) else { return }
            observer?.happened(.sent(by: index, to: node, message))
            let channel = ChannelID(UInt64(virtualNodes[index].run) << 32 | UInt64(index) << 16 | UInt64(to))
            transmit(
                from: index, to: to, toRun: weather.outlivesEnds ? -1 : virtualNodes[to].run,
                mayRepeat: message.isIdempotent,
                .request(channel, peer: virtualNodes[index].identity.id, header, message))
        case .reply(let channel, let request, let message):
            if channel.rawValue & Self.clientBit != 0 {
                trace("n\(index + 1) → c\(request.rawValue) \(text(message))")
                tell(Int(channel.rawValue & ~Self.clientBit), message)
            } else {
                let to = Int(channel.rawValue >> 16 & 0xFFFF)
                trace("n\(index + 1) → n\(to + 1) \(text(message))")
                guard let header = header(index, message, request, answer: true) else { return }
                if let observer,
                    let asked = requests[RequestPlace(channel: channel, request: request, node: index)]
                {
                    observer.happened(.replied(by: index, request: asked, reply: message))
                }
                // An answer belongs to the run that asked: the next run numbers its requests anew.
                transmit(
                    from: index, to: to, toRun: Int(channel.rawValue >> 32), mayRepeat: true,
                    .answer(from: virtualNodes[index].identity.id, header, message))
            }
        case .ring: break
        case .note(_, let text):
            notes.append(text)
            if tracesDetails { note("n\(index + 1) notes: \(text)") }
        }
    }

    // MARK: The network

    private func header(_ index: Int, _ message: Message, _ request: RequestID, answer: Bool) -> FrameHeader? {
        guard let stamp = virtualNodes[index].node?.stamp() else { return nil }
        return FrameHeader(
            type: message.type, flags: answer ? .answer : [], requestID: request, time: stamp.time, epoch: stamp.epoch)
    }

    private func transmit(from: Int, to: Int, toRun: Int, mayRepeat: Bool, _ arrival: NodeInput) {
        counts.sent += 1
        guard virtualNodes[to].isUp, !cuts.contains(from, to) else {
            counts.cut += 1
            return
        }
        guard !chance(weather.loss) else {
            counts.lost += 1
            return
        }
        let event = Event.frame(
            to: to, toRun: toRun, from: from, fromRun: weather.outlivesEnds ? -1 : virtualNodes[from].run, arrival)
        if chance(weather.lateness) {
            counts.late += 1
            queue.push(event, atMs: nowMs + pick(weather.lateMs))
        } else {
            queue.push(event, atMs: nowMs + pick(weather.delayMs))
        }
        guard mayRepeat else { return }
        if chance(weather.duplication) {
            counts.repeated += 1
            queue.push(event, atMs: nowMs + pick(weather.delayMs) * 5)
        }
        if chance(weather.lateCopies) {
            counts.repeatedLate += 1
            queue.push(event, atMs: nowMs + pick(weather.lateCopyMs))
        }
    }

    private func tell(_ client: Int, _ message: Message) {
        guard !chance(weather.clientLoss) else { return }
        let delayMs = pick(weather.clientDelayMs)
        let answer = Answer(client: client, message: message, atMs: nowMs + delayMs)
        if delayMs > 0 { queue.push(.answer(answer), atMs: answer.atMs) } else { hear(answer) }
    }

    private func hear(_ answer: Answer) {
        if let observer { observer.heard(answer) } else { answers.append(answer) }
    }

    private func pick(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound == range.upperBound ? range.lowerBound : UInt64.random(in: range, using: &network)
    }

    private func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &network) < probability
    }

    private func digest(_ index: Int, _ arrival: NodeInput) {
        let header: FrameHeader
        switch arrival {
        case .request(_, _, let frame, _), .answer(_, let frame, _): header = frame
        default: return
        }
        counts.delivered += 1
        for value in [
            nowMs, UInt64(index), header.time.rawValue, UInt64(header.type.rawValue), UInt64(header.epoch.rawValue),
            UInt64(header.requestID.rawValue),
        ] {
            digest = (digest ^ value) &* 0x9E37_79B9_7F4A_7C15
            digest ^= digest >> 29
        }
    }

    // MARK: The trace

    private func text(_ message: Message) -> String { Trace.text(message, withBallots: tracesDetails) }

    private func trace(_ line: @autoclosure () -> String) { if isTracing { note(line()) } }

    /// Writes a line into the trace.
    func note(_ line: @autoclosure () -> String) {
        if isTracing { trace.append(tracesDetails ? "\(nowMs) \(line())" : line()) }
    }

    /// Forgets the trace so far.
    package func clearTrace() { trace = [] }
}

extension Array {
    /// Exchanges the contents of two arrays.
    fileprivate mutating func exchange(with other: inout [Element]) { swap(&self, &other) }
}

/// A set of ordered pairs of nodes, by index.
private struct NodePairs {
    private var bits = [UInt64](repeating: 0, count: nodesMax)

    static let nodesMax = 64

    func contains(_ a: Int, _ b: Int) -> Bool { bits[a] & 1 << UInt64(b) != 0 }
    mutating func insert(_ a: Int, _ b: Int) { bits[a] |= 1 << UInt64(b) }
    mutating func remove(_ a: Int, _ b: Int) { bits[a] &= ~(1 << UInt64(b)) }

    /// Removes both directions; says whether they were there.
    mutating func remove(both a: Int, _ b: Int) -> Bool {
        defer {
            remove(a, b)
            remove(b, a)
        }
        return contains(a, b)
    }
}

/// What a network counted.
struct NetworkCounts: Sendable {
    var sent = 0
    var delivered = 0
    var lost = 0
    var cut = 0
    var late = 0
    var repeated = 0
    var repeatedLate = 0
    var crashes = 0
}

extension Message {
    /// Whether the rules between nodes allow for a second delivery. What is passed on for a client comes once: the
    /// connection sees to that.
    fileprivate var isIdempotent: Bool {
        switch self {
        case .readRequest, .writeRequest, .scanRequest, .createTopic, .deleteTopic, .produce, .changeRing,
            .forgetMember:
            false
        default: true
        }
    }
}
