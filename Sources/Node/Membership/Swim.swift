package import Wire

/// The membership of the cluster as the local node sees it: SWIM (Das, Gupta and Motivala 2002) with the Lifeguard
/// extensions (Dadgar, Phillips and Currey 2018), as one value without I/O, clock or randomness of its own.
///
/// Every probe interval one member is pinged, in a shuffled round; when it does not answer in time, others are asked to
/// try; when nobody reaches it, it is suspected, and unless it refutes by a higher incarnation it is declared dead. News
/// rides on every message and on rounds of gossip. Full states are exchanged with seeds, periodically with a random
/// member, and with dead members, which are tried for ever: so the halves of a healed partition find each other.
///
/// An operator may have dead members forgotten: the word spreads, and is remembered for a time, so that old gossip does
/// not bring them back.
///
/// Of two claims about a member the one with the higher incarnation holds; with equal incarnations `left` beats `dead`
/// beats `suspect` beats `alive`. A restarted node comes with a higher incarnation and so takes over its former self.
package struct Swim: Sendable {
    /// What happens to the membership. Every input carries the time.
    package enum Input: Hashable, Sendable {
        /// The time that `wakeAt` asked for has come.
        case tick
        /// A membership message has come over a connection whose handshake named `from`; nil when that is not known.
        case received(from: NodeID?, bytes: [UInt8])
        /// A connection to or from this peer is open; `address` is where it was dialled, or the peer's own.
        case connected(PeerIdentity, address: String)
        /// A connection of this node was lost: a hint that makes it probed at once.
        case disconnected(NodeID)
        /// An operator wants a member forgotten that is dead or has left: it is removed everywhere, and what others say
        /// of its old life does not bring it back. Coming back itself, with a higher incarnation, it is taken in again.
        case forget(NodeID)
        /// The local node is going: it says so to all members, and handles nothing afterwards.
        case leave
    }

    /// What is to be done, in this order.
    package enum Output: Hashable, Sendable {
        /// Send these bytes, as `Message.gossip`, to a node's control connection at `host:port`. May fail silently.
        case send(to: String, bytes: [UInt8])
        /// A member is new (`from` is nil) or not as it was. `from` equals the member's state when only its identity
        /// changed: it moved, restarted unnoticed, or refuted.
        case changed(MembershipMember, from: MemberState?)
        /// A member that was dead or had left is not in the table any more: an operator has said so, or the place was
        /// needed.
        case forgotten(MembershipMember)
        /// The answer to `forget`: the member stays, and why.
        case forgetRefused(NodeID, ForgetRefusal)
        /// Another running node has this node's id or name: one line for the log. Told once for each such node.
        case conflict(String)
        /// Give the input `tick` at this time of the monotonic clock, in milliseconds, instead of any time given before.
        case wakeAt(UInt64)
    }

    /// Who the local node is; its incarnation rises when it refutes.
    package internal(set) var local: PeerIdentity
    /// Times and bounds.
    package let configuration: MembershipConfiguration
    /// Counters.
    package internal(set) var statistics = MembershipStatistics()

    var table = MemberTable()
    var random: SplitMix64
    var health: LocalHealth
    /// The time of the present input, never going back.
    var nowMs: UInt64 = 0
    var outputs: [Output] = []

    // Probing.
    var probes: [Probe] = []
    var relays: [Relay] = []
    var suspicions: [Suspicion] = []
    var probeOrder: [NodeID] = []
    var probeCursor = 0
    var sequence: UInt32
    var nextProbeMs: UInt64 = 0

    // Dissemination.
    var news = GossipQueue()
    var nextGossipMs: UInt64 = 0
    var nextPushPullMs: UInt64 = 0
    var contacts: [Contact] = []
    var nextContactMs: UInt64 = 0
    var nextDeadMs: UInt64 = 0
    var lastDeadTried: NodeID

    var forgotten = ForgottenMembers()
    var twins: [Twin] = []

    private var hasStarted = false
    private var hasLeft = false
    private var plannedMs: UInt64?

    /// A membership of which only the local node and the addresses of others are known. The first input starts it.
    ///
    /// - Parameters:
    ///   - local: the local node. Its incarnation must be higher than any it ever had: a count of its starts, kept on disk, in
    ///     the upper bits.
    ///   - seeds: `host:port` of configured nodes; the local node's own address among them does no harm.
    ///   - knownPeers: `host:port` of members of an earlier run.
    ///   - randomSeed: decides every random choice.
    package init(
        local: PeerIdentity, configuration: MembershipConfiguration = MembershipConfiguration(), seeds: [String],
        knownPeers: [String] = [], randomSeed: UInt64
    ) {
        self.local = local
        self.configuration = configuration
        random = SplitMix64(seed: randomSeed)
        health = LocalHealth(max: configuration.localHealthMax)
        sequence = UInt32(truncatingIfNeeded: random.next())
        table.set(MembershipMember(identity: local, state: .alive, sinceMs: 0))
        lastDeadTried = local.id
        for (addresses, isSeed) in [(seeds, true), (knownPeers, false)] {
            for address in addresses.prefix(configuration.seedsMax)
            where address != local.address && !contacts.contains(where: { $0.address == address }) {
                contacts.append(Contact(address: address, isSeed: isSeed))
            }
        }
        statistics.seedsRefused = UInt64(
            max(0, seeds.count - configuration.seedsMax) + max(0, knownPeers.count - configuration.seedsMax))
    }

    /// All members in the order of their ids, the local node among them, dead and departed ones included.
    package var members: [MembershipMember] { table.members }

    /// How a member is; nil for one never heard of or forgotten.
    package func state(of id: NodeID) -> MemberState? { table[id]?.state }

    /// The local health score of Lifeguard: 0 when the node trusts itself, up to `localHealthMax`.
    package var localHealthScore: Int { health.score }

    /// Takes an input at `nowMs` of a monotonic clock and says what is to be done. The same inputs at the same times give
    /// the same outputs.
    package mutating func handle(_ input: Input, nowMs: UInt64) -> [Output] {
        guard !hasLeft else { return [] }
        self.nowMs = max(self.nowMs, nowMs)
        if !hasStarted { start() }
        leaveOutPause()
        var isTick = false
        switch input {
        case .tick: isTick = true
        case .received(let peer, let bytes): receive(from: peer, bytes)
        case .connected(let identity, let address): connected(identity, address: address)
        case .disconnected(let id): disconnected(id)
        case .forget(let id): forget(id)
        case .leave: leave()
        }
        if !hasLeft {
            runDeadlines()
            let wake = nextDeadline()
            if isTick || wake != plannedMs { outputs.append(.wakeAt(wake)) }
            plannedMs = wake
        }
        defer { outputs = [] }
        return outputs
    }

    private mutating func start() {
        hasStarted = true
        table.set(MembershipMember(identity: local, state: .alive, sinceMs: nowMs))
        nextProbeMs = nowMs + configuration.probeIntervalMs
        nextContactMs = nowMs
        nextGossipMs = nowMs
        nextDeadMs = nowMs + configuration.deadReprobeIntervalMs
        // Nodes that start together should not exchange states together.
        nextPushPullMs = nowMs + UInt64.random(in: 1...max(1, configuration.pushPullIntervalMs), using: &random)
    }

    /// An input that comes long after the time it was due shows that this node was paused. The answers it waits for may
    /// be waiting for it, so the time without it does not count against anyone.
    private mutating func leaveOutPause() {
        guard let plannedMs, nowMs > plannedMs + configuration.probeTimeoutMs else { return }
        let pauseMs = nowMs - plannedMs
        statistics.pauses += 1
        health.worse()
        for index in probes.indices { probes[index].postpone(byMs: pauseMs) }
        for index in relays.indices { relays[index].postpone(byMs: pauseMs) }
        for index in suspicions.indices { suspicions[index].postpone(byMs: pauseMs) }
    }

    private mutating func runDeadlines() {
        runProbes()
        runRelays()
        remindSuspects()
        buryUnrefuted()
        if nowMs >= nextProbeMs {
            nextProbeMs = nowMs + configuration.probeIntervalMs * health.factor
            probeNext()
        }
        if nowMs >= nextContactMs {
            nextContactMs = nowMs + configuration.seedRetryIntervalMs
            tryContacts()
        }
        if nowMs >= nextDeadMs {
            nextDeadMs = nowMs + configuration.deadReprobeIntervalMs
            tryNextDead()
        }
        if nowMs >= nextPushPullMs {
            nextPushPullMs = nowMs + configuration.pushPullMs(members: table.presentCount)
            trimForgotten()
            exchangeState()
        }
        // Last, so that what the steps above have found leaves at once.
        if hasNewsToSend, nowMs >= nextGossipMs {
            nextGossipMs = nowMs + configuration.gossipIntervalMs
            gossip()
        }
    }

    private func nextDeadline() -> UInt64 {
        var next = min(nextProbeMs, nextContactMs, nextDeadMs, nextPushPullMs)
        if hasNewsToSend { next = min(next, nextGossipMs) }
        for probe in probes { next = min(next, probe.nextMs) }
        for relay in relays { next = min(next, relay.nextMs) }
        for suspicion in suspicions { next = min(next, suspicion.nextMs) }
        return max(next, nowMs + 1)
    }

    private mutating func leave() {
        hasLeft = true
        let gone = MembershipMember(identity: local, state: .left, sinceMs: nowMs)
        table.set(gone)
        let update = MembershipUpdate(state: .left, identity: local, source: local.id)
        for member in table.members where member.isPresent {
            send(.gossip, to: member.identity.address, first: [update])
        }
        outputs.append(.changed(gone, from: .alive))
    }

    /// Sends a message with `first` and as much news as fits.
    mutating func send(_ content: MembershipMessage.Content, to address: String, first: [MembershipUpdate] = []) {
        let room = configuration.gossipPayloadBytesMax - first.reduce(0) { $0 + $1.encodedCount }
        var updates = first
        if room > 0 {
            let limit = configuration.retransmits(members: table.presentCount)
            updates += news.take(bytesMax: room, limit: limit, members: table)
        }
        sendExactly(content, to: address, updates)
    }

    /// Sends a message with these updates and no others.
    mutating func sendExactly(_ content: MembershipMessage.Content, to address: String, _ updates: [MembershipUpdate]) {
        statistics.sent += 1
        outputs.append(
            .send(to: address, bytes: MembershipMessage(sender: local, content: content, updates: updates).encoded()))
    }

    mutating func nextSequence() -> UInt32 {
        sequence &+= 1
        // 0 stands for "no sequence" in a state message.
        if sequence == 0 { sequence = 1 }
        return sequence
    }
}
