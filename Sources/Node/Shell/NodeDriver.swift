import Logging
import Membership
import NIOCore
import NodeCore
import NodeStorage
import Wire
import WireTransport

/// Drives a node's core and membership: hands them what arrives, does what they say. It decides nothing. Confined to the
/// node's event loop, where all of its connections live, so a request enters, is decided and leaves without a hop.
final class NodeDriver: ConnectionDelegate, @unchecked Sendable {
    let eventLoop: any EventLoop
    private let logger: Logger
    private let storage: StorageEngine
    private let transport: TransportConfiguration
    private let directory: String
    private var identity: NodeIdentity
    private var core: Node<StorageEngine>
    private var swim: Swim
    private var wake: Scheduled<Void>?
    private var ticker: RepeatedTask?
    private var traffic = Traffic()
    private var isDraining = false
    private var isStopped = false

    // Incoming connections by number.
    private var channels: [ChannelID: Connection] = [:]
    private var channelIDs: [ObjectIdentifier: ChannelID] = [:]
    private var nextChannel: UInt64 = 0

    // Outgoing connections: bulk by node, control by address.
    private var bulkLinks: [NodeID: PeerLink] = [:]
    private var bulk: [NodeID: Connection] = [:]
    private var controlLinks: [String: PeerLink] = [:]
    private var hasJoined = false
    private var refusals: [String: ErrorMessage] = [:]
    private var failedHandshakes = LogPause()

    private var spareOutputs: [NodeOutput] = []

    // Connections that were written to since the last flush.
    private var unflushed: [Connection] = []

    /// Where others connect to; given once it listens.
    weak var listener: Listener?

    /// Called once when the node cannot go on.
    var onFailure: ((NodeError) -> Void)?

    init(
        eventLoop: any EventLoop, configuration: NodeConfiguration, transport: TransportConfiguration,
        identity: NodeIdentity,
        storage: StorageEngine, knownPeers: [String], logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.transport = transport
        self.identity = identity
        self.storage = storage
        self.logger = logger
        directory = configuration.storage.directory
        var random = SystemRandomNumberGenerator()
        core = Node(
            identity: transport.identity, clusterName: configuration.clusterName, limits: configuration.core,
            store: storage,
            time: SystemClock.now, randomSeed: random.next())
        swim = Swim(
            local: transport.identity, configuration: configuration.membership, seeds: configuration.seeds,
            knownPeers: knownPeers,
            randomSeed: random.next())
    }

    // MARK: Life

    /// Begins to work.
    func start() {
        eventLoop.assertInEventLoop()
        core.handle(.member(MemberInfo(identity: transport.identity, state: .alive)), at: SystemClock.now)
        handle(.tick)
        gossip(.tick)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(10), delay: .milliseconds(10)) {
            [weak self] _ in
            self?.handle(.tick)
        }
    }

    /// Says goodbye to the members and to the clients, who then ask it nothing new and close when all is answered.
    func leave() {
        eventLoop.assertInEventLoop()
        isDraining = true
        // Whoever is to lead next is named before anybody has to find out.
        handle(.leaving)
        handle(.tick)
        gossip(.leave)
        for link in controlLinks.values { link.connection?.flush() }
        for connection in channels.values where connection.purpose == .client {
            connection.send(.error(goingDown), requestID: .oneWay, answer: false)
            connection.flush()
        }
    }

    /// What of the database was found damaged; nil while all is well.
    var damage: String? { storage.damage }

    private var goingDown: ErrorMessage {
        ErrorMessage(code: .draining, detail: "\(transport.identity.name) is going down: ask another node")
    }

    /// Whether clients are still connected.
    var hasClients: Bool { channels.values.contains { $0.purpose == .client } }

    /// Whether requests are being worked on.
    var isBusy: Bool { core.isBusy || core.leadsWithOthers }

    /// Stops all timers and links; nothing is handled afterwards.
    func stop() {
        eventLoop.assertInEventLoop()
        isStopped = true
        ticker?.cancel()
        wake?.cancel()
        for link in bulkLinks.values { link.stop() }
        for link in controlLinks.values { link.stop() }
    }

    /// The journal has everything up to `sequence`.
    func durable(_ sequence: JournalSequence) { handle(.durable(sequence)) }

    // MARK: The core

    private func handle(_ input: NodeInput) {
        guard !isStopped else { return }
        core.handle(input, at: SystemClock.now)
        perform()
        finishTurn()
    }

    /// Does what the core has said. Frames are only encoded here; they leave with the end of the turn.
    private func perform() {
        // Two buffers in turn: clearing one that is still being looked at would allocate a new one for every frame.
        var outputs: [NodeOutput] = []
        swap(&outputs, &spareOutputs)
        while !core.outputs.isEmpty {
            outputs.removeAll(keepingCapacity: true)
            swap(&outputs, &core.outputs)
            for output in outputs {
                switch output {
                case .send(let node, let request, let message):
                    guard let connection = bulk[node] else { continue }
                    send(message, request, answer: false, on: connection)
                case .reply(let channel, let request, let message):
                    guard let connection = channels[channel] else { continue }
                    send(message, request, answer: true, on: connection)
                case .ring(let ring): join(ring)
                case .note(let level, let text): note(level, text)
                }
            }
        }
        outputs.removeAll(keepingCapacity: true)
        swap(&outputs, &spareOutputs)
    }

    private func send(_ message: Message, _ request: RequestID, answer: Bool, on connection: Connection) {
        connection.send(message, requestID: request, answer: answer)
        if !unflushed.contains(where: { $0 === connection }) { unflushed.append(connection) }
    }

    /// The end of a turn of the loop: one journal job and one write for each connection, whatever has gathered.
    private func finishTurn() {
        storage.commit()
        for connection in unflushed { connection.flush() }
        unflushed.removeAll(keepingCapacity: true)
    }

    private func note(_ level: NoteLevel, _ text: String) {
        switch level {
        case .info: logger.info("\(text)")
        case .warning: logger.warning("\(text)")
        case .error: logger.error("\(text)")
        }
    }

    private func join(_ ring: Ring) {
        do throws(StorageOpenError) { try identity.join(ring.clusterID, in: directory) } catch {
            onFailure?(.storage(error))
        }
        for member in ring.allMembers { linkBulk(to: member.id, at: member.address) }
    }

    // MARK: Membership

    private func gossip(_ input: Swim.Input) { _ = refusal(of: input) }

    /// Gives an input to the membership and does what it says. Returns why a member is not forgotten, when that was asked.
    private func refusal(of input: Swim.Input) -> ForgetRefusal? {
        guard !isStopped else { return nil }
        var found: ForgetRefusal?
        for output in swim.handle(input, nowMs: SystemClock.now.monotonicMs) {
            switch output {
            case .send(let address, let bytes): sendGossip(bytes, to: address)
            case .changed(let member, let former): changed(member, from: former)
            case .conflict(let line): logger.error("\(line)")
            case .forgotten(let member): forgotten(member)
            case .forgetRefused(_, let refusal):
                logger.warning("\(refusal)")
                found = refusal
            case .wakeAt(let atMs): scheduleWake(atMs)
            }
        }
        return found
    }

    /// An operator's word that a member is gone for good.
    private func forget(_ request: ForgetMember) -> Message {
        func refused(_ code: ErrorCode, _ detail: String) -> Message {
            .error(ErrorMessage(code: code, detail: detail))
        }
        let named = swim.members.filter {
            let identity = $0.identity
            return identity.name == request.node || identity.address == request.node
                || identity.id.description == request.node
        }
        // One that came back under the name of one that is gone is not meant.
        guard let member = named.first(where: { !$0.isPresent }) ?? named.first else {
            return refused(.invalid, "nobody here is called '\(request.node)': look at the members and their ids")
        }
        guard core.ring?.member(member.identity.id) == nil else {
            return refused(
                .ringRefused,
                "\(member.identity.name) is a node of the ring: remove it from there, or replace it, first")
        }
        if let refusal = refusal(of: .forget(member.identity.id)) { return refused(.ringRefused, "\(refusal)") }
        return .done
    }

    private func scheduleWake(_ atMs: UInt64) {
        wake?.cancel()
        let nowMs = SystemClock.now.monotonicMs
        let delay = TimeAmount.milliseconds(Int64(atMs > nowMs ? atMs - nowMs : 0))
        wake = eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in self?.gossip(.tick) }
    }

    private func sendGossip(_ bytes: [UInt8], to address: String) {
        let link =
            controlLinks[address]
            ?? {
                let link = PeerLink(
                    address: address, purpose: .control, configuration: transport, delegate: self, eventLoop: eventLoop)
                controlLinks[address] = link
                link.start()
                return link
            }()
        guard let connection = link.connection else { return }
        connection.send(.gossip(bytes), requestID: .oneWay, answer: false)
        connection.flush()
    }

    private func changed(_ member: MembershipMember, from former: MemberState?) {
        let name = member.identity.name
        if member.identity.id != transport.identity.id, former != member.state {
            switch member.state {
            case .alive where member.flaps > 0:
                logger.info("\(name) at \(member.identity.address) is alive again; times it was away: \(member.flaps)")
            case .alive: logger.info("\(name) at \(member.identity.address) is alive")
            case .suspect: logger.info("\(name) does not answer")
            case .dead: logger.warning("\(name) is dead")
            case .left: logger.info("\(name) has left")
            }
        }
        if member.identity.role == .node, member.identity.id != transport.identity.id {
            if former == nil || member.state == .alive { linkBulk(to: member.identity.id, at: member.identity.address) }
            rememberPeers()
        }
        handle(.member(MemberInfo(identity: member.identity, state: member.state)))
    }

    /// Keeps no link to a member that is no more, nor its address.
    private func forgotten(_ member: MembershipMember) {
        let identity = member.identity
        logger.info("\(identity.name) (\(identity.id)) at \(identity.address), \(member.state), is forgotten")
        bulkLinks.removeValue(forKey: identity.id)?.stop()
        // Another member may have its address now.
        if !swim.members.contains(where: { $0.identity.address == identity.address }) {
            controlLinks.removeValue(forKey: identity.address)?.stop()
        }
        rememberPeers()
        handle(.forgotten(identity.id))
    }

    /// Keeps the other nodes' addresses, so that a restart finds them when the seeds are gone: the living before the
    /// dead, and not those that left.
    private func rememberPeers() {
        let others = swim.members.filter { $0.identity.role == .node && $0.identity.id != transport.identity.id }
        let known = others.filter(\.isPresent) + others.filter { $0.state == .dead }
        let bytes = KnownPeers.encode(known.prefix(WireLimits.ringMembersMax).map(\.identity.address))
        guard storage.fact(.peers) != bytes else { return }
        _ = storage.apply(.fact(.peers, bytes))
    }

    // MARK: Connections

    private func linkBulk(to node: NodeID, at address: String) {
        guard node != transport.identity.id else { return }
        if let link = bulkLinks[node] {
            guard link.address != address else { return link.tryNow() }
            link.stop()
        }
        let link = PeerLink(
            address: address, purpose: .bulk, configuration: transport, delegate: self, eventLoop: eventLoop)
        bulkLinks[node] = link
        link.start()
    }

    func stamp() -> (time: HybridTime, epoch: Epoch) { core.stamp() }

    var clusterID: ClusterID { core.ring?.clusterID ?? identity.clusterID ?? .none }

    /// Refuses a node that would stand in for one that is there already.
    func admit(_ hello: Hello) -> ErrorMessage? {
        let peer = hello.identity
        guard peer.role == .node else { return isDraining ? goingDown : nil }
        let present = swim.members.filter { $0.identity.role == .node && $0.isPresent }
        let twin = present.first { member in
            let known = member.identity
            return known.id == peer.id ? known.address != peer.address : known.name == peer.name
        }
        guard let twin else { return nil }
        let detail =
            twin.identity.id == peer.id
            ? "a node of this id (\(peer.id)) runs already, at \(twin.identity.address): the data directory was copied or is used twice; stop one of the two, or start this one with another --name and --data"
            : "a node named '\(peer.name)' runs already, at \(twin.identity.address); stop it, or start this one with another --name and --data"
        return ErrorMessage(code: .duplicateNode, detail: detail)
    }

    func connectionOpened(_ connection: Connection) {
        traffic.opened(connection)
        switch (connection.purpose, connection.isOutgoing) {
        case (.control, let isOutgoing):
            refusals[connection.remoteAddress] = nil
            hasJoined = true
            let dialled = isOutgoing ? controlLinks.first { $0.value.connection === connection }?.key : nil
            gossip(.connected(connection.peer, address: dialled ?? connection.peer.address))
        case (.bulk, true):
            guard bulkLinks[connection.peer.id]?.connection === connection else {
                return connection.close(.local("\(connection.peer.name) answers at another node's address"))
            }
            bulk[connection.peer.id] = connection
            handle(.peerUp(connection.peer.id))
        default:
            nextChannel += 1
            let channel = ChannelID(nextChannel)
            channels[channel] = connection
            channelIDs[ObjectIdentifier(connection)] = channel
        }
    }

    func connection(_ connection: Connection, received frame: Frame) {
        guard !isStopped else { return }
        if connection.purpose == .control {
            guard case .gossip(let bytes) = frame.message else {
                return connection.close(.local("a \(frame.message.type) on a control connection"))
            }
            return gossip(.received(from: connection.peer.id, bytes: bytes))
        }
        if frame.header.flags.contains(.answer) {
            core.handle(.answer(from: connection.peer.id, frame.header, frame.message), at: SystemClock.now)
        } else if isDraining, connection.purpose == .client {
            connection.send(.error(goingDown), requestID: frame.header.requestID, answer: true)
        } else if case .statsRequest = frame.message {
            connection.send(.stats(statistics), requestID: frame.header.requestID, answer: true)
        } else if case .forgetMember(let request) = frame.message {
            connection.send(forget(request), requestID: frame.header.requestID, answer: true)
        } else if let channel = channelIDs[ObjectIdentifier(connection)] {
            core.handle(.request(channel, peer: connection.peer.id, frame.header, frame.message), at: SystemClock.now)
        }
        perform()
    }

    func connectionReadCompleted(_ connection: Connection) { finishTurn() }

    func connectionClosed(_ connection: Connection, reason: CloseReason) {
        traffic.closed(connection)
        guard !isStopped else { return }
        logger.debug("connection to \(connection.peer.name) (\(connection.remoteAddress)) ended: \(reason)")
        unflushed.removeAll { $0 === connection }
        if connection.purpose == .control { return gossip(.disconnected(connection.peer.id)) }
        if bulk[connection.peer.id] === connection {
            bulk[connection.peer.id] = nil
            handle(.peerDown(connection.peer.id))
        } else if let channel = channelIDs.removeValue(forKey: ObjectIdentifier(connection)) {
            channels[channel] = nil
            handle(.channelClosed(channel))
        }
    }

    func handshakeFailed(with remoteAddress: String, isOutgoing: Bool, reason: CloseReason) {
        if case .refusedByPeer(let error) = reason, refusals[remoteAddress] != error {
            refusals[remoteAddress] = error
            logger.error("\(remoteAddress) refused this node: \(error.detail)")
        } else if !isOutgoing, !isDraining, let skipped = failedHandshakes.next(nowMs: SystemClock.now.monotonicMs) {
            let others = skipped == 0 ? "" : "; so did \(skipped) others, without a line of their own"
            logger.warning("connection from \(remoteAddress) ended before its handshake: \(reason)\(others)")
        }
    }

    /// Why this node is refused by everyone it has reached since its start; nil when somebody took it, or none was
    /// reached.
    var refusal: String? {
        guard !hasJoined, let first = refusals.sorted(by: { $0.key < $1.key }).first else { return nil }
        return "\(first.key) refused this node: \(first.value.detail)"
    }

    // MARK: Figures

    /// All figures of the node, by name.
    var statistics: NodeStatistics {
        var items = core.counters.items
        items += core.gauges
        items += storage.statistics.items
        items += [
            .init(name: "connections_in", value: UInt64(channels.count)),
            .init(name: "peers_connected", value: UInt64(bulk.count)),
            .init(name: "members_alive", value: UInt64(swim.members.count { $0.state == .alive })),
        ]
        if let listener {
            items += [
                .init(name: "connections_max", value: UInt64(listener.connectionsMax)),
                .init(name: "connections_accepted", value: listener.accepted),
                .init(name: "connections_turned_away", value: listener.turnedAway),
                .init(name: "handshakes_failed", value: listener.handshakesFailed),
                .init(name: "handshakes_displaced", value: listener.displaced),
            ]
        }
        items += traffic.items
        items += swim.statistics.items
        return NodeStatistics(items: items)
    }
}
