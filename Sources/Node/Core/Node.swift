import DequeModule
import Membership
package import Wire

/// A node of the cluster as a value: inputs and the time come in, outputs go out. It does no I/O and has no clock,
/// randomness, tasks or locks of its own; the same code runs in production and in simulation.
///
/// This file is the map: what it holds and where each input goes. What is done with it stands beside:
///
/// | folder | what |
/// |---|---|
/// | `Register/` | keys: acceptor rules, the coordinator of operations, listings |
/// | `Log/` | topics: partitions, primaries, secondaries |
/// | `Ring/` | the founding of the first ring, its changes, copying |
/// | `Watch/` | watches of prefixes |
/// | `Repair/` | what replicas missed, and how it reaches them |
/// | `Journal/` | what is remembered, and what waits for it |
package struct Node<Store: NodeStore> {
    /// This node as its peers know it.
    package let identity: PeerIdentity
    /// The cluster's name.
    package let clusterName: String
    /// Bounds and times.
    package let limits: CoreLimits
    /// Where the state is kept.
    package var store: Store
    /// What was counted since the start.
    package internal(set) var counters = CoreCounters()
    /// The ring in force.
    package internal(set) var ring: Ring?
    /// The cluster's clock as this node has it.
    package internal(set) var clock: HybridClock
    /// What is to be done; the shell takes it after each input.
    package var outputs: [NodeOutput] = []

    var time = NodeTime(wallMs: 0, monotonicMs: 0)
    let startedMs: UInt64
    var random: SplitMix64
    var gate = DurabilityGate()
    var ownAnswers: Deque<(RequestID, Message)> = []
    var members: [MemberInfo] = []
    var reachable: [NodeID] = []

    // Register/
    var ceiling: BallotCeiling
    var operations = OperationTable()
    var queues: [Key: KeyQueue] = [:]
    var promisedPaths = PromisedPaths()
    var collisions = Collisions()
    /// Operations that are answered and wait for their last replicas.
    var lingering = 0
    /// Keys whose queue may go on, while `isServingQueues`.
    var queuesToServe: Deque<Key> = []
    var isServingQueues = false

    // Log/
    var partitions: [PartitionID: Partition] = [:]
    var partitionOrder: [PartitionID] = []
    /// Place in the order where the next tick goes on.
    var nextTickedPartition = 0
    var procedures: [ProcedureID: TopicProcedure] = [:]
    var nextProcedure: UInt64 = 0
    var topicReviews = TopicReviews()
    var catchUpBudget = ByteBudget()
    var compacting = Compacting()
    var balancing = Balancing()
    /// Set when the node is about to stop.
    var isLeaving = false

    // Watch/
    var watches: [[UInt8]: Watch] = [:]
    var nextWatchTickMs: UInt64 = 0
    var subscriptions = Subscriptions()

    // Ring/
    var founding = Founding()
    var spreading = RingSpreading()
    var changing = RingChanging()
    var copying = Copying()
    /// Stretches for which this node does not answer as a replica.
    var muted: [TokenRange] = []

    // Repair/
    var hints = HintTable()
    var comparing: Comparing
    var serving = TreeServing()
    var promiseFloor: PromiseFloor
    var mending = Mending()
    /// Set while this node has to learn again what it has lost.
    var amnesia: Amnesia?
    /// The stretches that it was a replica of, with their other replicas.
    var recalling = Copying()

    // Whether the last tick found a disk that takes no writes.
    private var isReadOnly = false

    /// A node over what its store has found on disk. `randomSeed` spreads the pauses of colliding proposers.
    package init(
        identity: PeerIdentity, clusterName: String, limits: CoreLimits, store: Store, time: NodeTime,
        randomSeed: UInt64
    ) {
        self.identity = identity
        self.clusterName = clusterName
        self.limits = limits
        self.store = store
        self.time = time
        startedMs = time.monotonicMs
        random = SplitMix64(seed: randomSeed)
        comparing = Comparing(
            startedMs: time.monotonicMs, intervalMs: limits.repairIntervalMs, seed: randomSeed)
        ceiling = BallotCeiling(recovered: store.fact(.ballotCeiling))
        promiseFloor = PromiseFloor(recovered: store.fact(.promiseFloor))
        clock = HybridClock(driftMaxMs: limits.clockDriftMaxMs)
        reachable = [identity.id]
        if let bytes = store.fact(.ring) {
            ring = Self.decodeRing(bytes)
            if ring == nil {
                founding.isBarred = true
                note(
                    .error,
                    "\(identity.name) cannot read the ring that it has stored: it was written by another version; it will be asked for"
                )
            }
        }
        beginAmnesia()
        if let ring {
            outputs.append(.ring(ring))
            beginCopying()
        }
        recoverPartitions()
    }

    /// Takes an input in. What is to be done stands in `outputs` afterwards.
    package mutating func handle(_ input: NodeInput, at time: NodeTime) {
        self.time = time
        switch input {
        case .request(let channel, let peer, let header, let message):
            receive(message, header, from: peer, on: channel)
        case .answer(let node, let header, let message):
            guard clock.merge(header.time, physicalMs: time.wallMs) else {
                counters.clockDriftRefused += 1
                break
            }
            compareEpochs(header, with: node)
            answered(header.requestID, by: node, message, sentMs: header.time.milliseconds)
        case .peerUp(let node):
            if !reachable.contains(node) { reachable.append(node) }
            peerCameUp(node)
        case .peerDown(let node):
            reachable.removeAll { $0 == node }
            peerWentDown(node)
        case .member(let member):
            if let index = members.firstIndex(where: { $0.identity.id == member.identity.id }) {
                members[index] = member
            } else {
                members.append(member)
                members.sort { $0.identity.id < $1.identity.id }
            }
        case .forgotten(let node):
            members.removeAll { $0.identity.id == node }
        case .channelClosed(let channel):
            forgetWaiters(of: channel)
            forgetWatchers(of: channel)
            forgetTrees(of: channel)
        case .durable(let sequence):
            gate.advance(to: sequence)
            ceiling.durable(upTo: sequence)
            resumeHeld()
        case .leaving:
            isLeaving = true
        case .tick:
            tick()
        }
        settle()
    }

    /// Lets go what has become durable, and feeds this node's own answers back, until nothing moves any more.
    private mutating func settle() {
        while true {
            if let release = gate.next() {
                switch release {
                case .output(let output): outputs.append(output)
                case .own(let request, let message): ownAnswers.append((request, message))
                case .log(let partition, let generation, let end):
                    logDurable(partition, generation: generation, end: end)
                case .hinted(let id): hinted(id)
                }
            } else if let (request, message) = ownAnswers.popFirst() {
                answered(request, by: identity.id, message, sentMs: clock.latest.milliseconds)
            } else {
                return
            }
        }
    }

    private mutating func tick() {
        resumeHeld()
        tickDisk()
        tickOperations()
        tickPartitions()
        tickCompaction()
        tickBalancing()
        tickFounding()
        tickSpreading()
        tickCopying()
        tickChanging()
        tickSubscriptions()
        tickWatches()
        tickHints()
        tickTrees()
        tickComparing()
        tickMending()
        tickAmnesia()
    }

    /// Operators hear when the disk takes no more writes, and when it takes them again.
    private mutating func tickDisk() {
        let reason = store.readOnlyReason
        guard isReadOnly != (reason != nil) else { return }
        isReadOnly.toggle()
        if let reason {
            note(.error, "\(identity.name) takes no writes until its disk does: \(reason)")
        } else {
            note(.info, "\(identity.name) takes writes again")
        }
    }

    private mutating func receive(_ message: Message, _ header: FrameHeader, from peer: NodeID, on channel: ChannelID) {
        guard clock.merge(header.time, physicalMs: time.wallMs) else {
            counters.clockDriftRefused += 1
            let ahead = header.time.milliseconds - time.wallMs
            return refuse(
                channel, header.requestID, .clockDrift,
                "the sender's clock is \(ahead) ms ahead of \(identity.name)'s, more than \(limits.clockDriftMaxMs) ms: set one of the two right"
            )
        }
        guard header.time.milliseconds + limits.operationAgeMaxMs >= time.wallMs || Mutation.noRefusalByAge.isOn else {
            counters.tooOldRefused += 1
            return refuse(
                channel, header.requestID, .tooOld,
                "the request was sent more than \(limits.operationAgeMaxMs) ms ago by \(identity.name)'s clock")
        }
        guard peer != .none || !message.isBetweenNodes else {
            return refuse(
                channel, header.requestID, .invalid,
                "a \(message.type) passes between nodes only: ask a coordinator for the key or topic instead")
        }
        compareEpochs(header, with: peer)
        switch message {
        case .clusterRequest:
            reply(channel, header.requestID, .clusterState(clusterState))
        case .readRequest(let request):
            guard !request.key.isLocal else { return refuseLocal(channel, header.requestID) }
            start(.read(request.consistency), key: request.key, for: .client(channel, header.requestID))
        case .writeRequest(let request):
            guard !request.key.isLocal else { return refuseLocal(channel, header.requestID) }
            start(
                .write(request.change, request.consistency), key: request.key, for: .client(channel, header.requestID))
        case .scanRequest(let request):
            start(.scan(request), key: Key(request.prefix), for: .client(channel, header.requestID))
        case .prepare, .accept, .replicaRead, .replicaScan:
            guard acceptEpoch(header, channel) else { return }
            answerAsReplica(message, of: peer, to: channel, header.requestID)
        case .subscribe, .collect:
            guard acceptEpoch(header, channel) else { return }
            answerAsReplica(message, of: peer, to: channel, header.requestID)
        case .changedKeys(let changed):
            receive(changed)
        case .watchRequest(let request):
            watch(request, for: channel, header.requestID)
        case .rangeRequest:
            guard Mutation.copyBeforeJointEpoch.isOn || acceptEpoch(header, channel) else { return }
            answerAsReplica(message, of: peer, to: channel, header.requestID)
        case .treeRequest(let request):
            guard acceptEpoch(header, channel) else { return }
            makeTree(request, for: channel, header.requestID)
        case .repairRequest(let request):
            repair(request, for: channel, header.requestID)
        case .changeRing(let request):
            changeRing(request, for: channel, header.requestID)
        case .ringRequest:
            tellRing(header, to: channel, header.requestID)
        case .ringState(let state):
            receive(state, from: peer)
        case .held(let held):
            receive(held, from: peer)
        case .createTopic(let request):
            createTopic(request, for: channel, header.requestID)
        case .describeTopics(let request):
            describeTopics(request.name, for: channel, header.requestID)
        case .produce(let request):
            produce(request, for: channel, header.requestID)
        case .fetch(let request):
            fetch(request, for: channel, header.requestID)
        case .deleteTopic(let request):
            deleteTopic(request.name, for: channel, header.requestID)
        case .alterTopic(let request):
            alterTopic(request, for: channel, header.requestID)
        case .electPrimary(let request):
            electPrimary(request, for: channel, header.requestID)
        case .offsetRequest(let request):
            findOffset(request, for: channel, header.requestID)
        case .reconfigured(let reconfigured):
            receive(reconfigured)
        case .append(let append):
            receive(append, from: peer)
        case .appended(let appended):
            receive(appended, from: peer)
        case .found(let found):
            receive(found, from: peer)
        case .founded(let founded):
            receive(founded, from: peer)
        default:
            refuse(channel, header.requestID, .invalid, "a \(message.type) is not a request that a node takes here")
        }
    }

    /// A register message of another epoch is not taken: an accept never runs in another epoch than its prepare.
    private mutating func acceptEpoch(_ header: FrameHeader, _ channel: ChannelID) -> Bool {
        let epoch = ring?.epoch ?? .none
        guard header.epoch == epoch || Mutation.epochForgotten.isOn, ring != nil else {
            counters.staleEpochRefused += 1
            refuse(
                channel, header.requestID, ring == nil ? .noRing : .staleEpoch,
                "the request is of ring epoch \(header.epoch), \(identity.name) is at \(epoch)")
            return false
        }
        return true
    }

    /// The time and ring epoch for a frame that is being sent.
    package mutating func stamp() -> (time: HybridTime, epoch: Epoch) {
        (clock.now(physicalMs: time.wallMs), ring?.epoch ?? .none)
    }

    /// Partitions of which something is kept in memory.
    package var partitionCount: Int { partitions.count }

    // MARK: What every part uses

    mutating func reply(_ channel: ChannelID, _ request: RequestID, _ message: Message) {
        guard request != .oneWay else { return }
        outputs.append(.reply(channel, request, message))
    }

    mutating func refuse(_ channel: ChannelID, _ request: RequestID, _ code: ErrorCode, _ detail: String) {
        reply(channel, request, .error(ErrorMessage(code: code, detail: detail)))
    }

    mutating func note(_ level: NoteLevel, _ text: String) { outputs.append(.note(level, text)) }

    func isReachable(_ node: NodeID) -> Bool { reachable.contains(node) }

    func name(of node: NodeID) -> String {
        if node == identity.id { return identity.name }
        return ring?.member(node)?.name ?? members.first { $0.identity.id == node }?.identity.name ?? node.description
    }

    private mutating func refuseLocal(_ channel: ChannelID, _ request: RequestID) {
        refuse(channel, request, .invalid, "keys that begin with two bytes of 0 are each node's own")
    }

    private var clusterState: ClusterState {
        ClusterState(name: clusterName, answeredBy: identity.id, ring: ring, members: members)
    }

    /// The ring of a stored fact; nil when it cannot be read.
    package static func decodeRing(_ bytes: [UInt8]) -> Ring? {
        bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try? Ring(from: &reader)
        }
    }
}

extension Message {
    /// Whether it is part of the agreement between nodes: from anybody else it could take promises or cut logs.
    fileprivate var isBetweenNodes: Bool {
        switch self {
        case .prepare, .accept, .replicaRead, .replicaScan, .append, .appended, .reconfigured, .found, .founded,
            .ringRequest,
            .ringState, .held, .rangeRequest, .treeRequest, .collect, .subscribe, .changedKeys:
            true
        default: false
        }
    }
}
