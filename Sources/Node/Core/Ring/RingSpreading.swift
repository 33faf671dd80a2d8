import Wire

/// How a ring that has been decided reaches every node: frames carry their sender's epoch, and whoever sees a lower one
/// tells its own ring, whoever sees a higher one asks for it.
struct RingSpreading {
    /// When a node was told, or asked, last.
    var lastMs: [NodeID: UInt64] = [:]
    /// When the next node is greeted, so that idle ones hear of it too.
    var nextGreetingMs: UInt64 = 0
    /// The journal's entry of the ring in force.
    var installedAt = JournalSequence.start
    /// Whose turn that is.
    var turn = 0
}

extension Node {
    /// Compares the sender's epoch with this node's.
    mutating func compareEpochs(_ header: FrameHeader, with node: NodeID) {
        let own = ring?.epoch ?? .none
        guard header.epoch != own, node != .none, node != identity.id else { return }
        if let last = spreading.lastMs[node], time.monotonicMs < last + limits.ringSpreadPauseMs { return }
        spreading.lastMs[node] = time.monotonicMs
        if header.epoch < own {
            outputs.append(.send(node, .oneWay, .ringState(RingState(ring: ring))))
        } else {
            outputs.append(.send(node, .oneWay, .ringRequest))
        }
    }

    /// Greets one reachable node after the other, so that epochs are compared though nothing else is said.
    mutating func tickSpreading() {
        guard ring != nil, time.monotonicMs >= spreading.nextGreetingMs, !reachable.isEmpty else { return }
        spreading.nextGreetingMs = time.monotonicMs + limits.ringGreetingMs
        spreading.turn = (spreading.turn + 1) % reachable.count
        let node = reachable[spreading.turn]
        if node != identity.id { outputs.append(.send(node, .oneWay, .ringRequest)) }
    }

    /// Another node asks for the ring; its own epoch has been compared already when it is another one.
    mutating func tellRing(_ header: FrameHeader, to channel: ChannelID, _ request: RequestID) {
        guard request != .oneWay else { return }
        reply(channel, request, .ringState(RingState(ring: ring)))
    }

    /// Another node tells a ring.
    mutating func receive(_ state: RingState, from node: NodeID) {
        guard let told = state.ring, !told.members.isEmpty else { return }
        guard let ring else { return install(told) }
        guard told.clusterID == ring.clusterID else {
            return note(
                .error,
                "\(name(of: node)) is of cluster \(told.clusterID), \(identity.name) of \(ring.clusterID): one of the two must not be here"
            )
        }
        if told.epoch > ring.epoch { install(told) }
    }

    /// Tells every node that can be reached.
    mutating func spreadRing() {
        for node in reachable where node != identity.id {
            outputs.append(.send(node, .oneWay, .ringState(RingState(ring: ring))))
        }
    }

    /// Puts a ring in force.
    mutating func install(_ ring: Ring) {
        let former = self.ring
        // What was to leave under the former epoch must not leave under this one.
        outputs.removeAll { output in
            if case .send(_, _, let message) = output { message.isOfEpoch } else { false }
        }
        // Nothing is answered under an epoch that a crash could take back: the former one would be served again.
        spreading.installedAt = store.apply(.fact(.ring, Self.encoded(ring)))
        self.ring = ring
        outputs.append(.ring(ring))
        promisedPaths.dropAll()
        describe(ring, after: former)
        if let former { forgetRingRegisters(from: former.epoch, to: ring.epoch) }
        beginCopying()
        restartComparing()
        restartTrees()
        operationsRestart()
        restartWatches()
    }

    private mutating func describe(_ ring: Ring, after former: Ring?) {
        let names = ring.members.map(\.name).joined(separator: ", ")
        if let next = ring.next {
            note(
                .info,
                "ring epoch \(ring.epoch): from \(names) to \(next.members.map(\.name).joined(separator: ", ")), \(next.replicas) copies"
            )
        } else {
            note(
                .info,
                "cluster \(clusterName) (\(ring.clusterID)): ring epoch \(ring.epoch) of \(names), \(ring.replicas) copies"
            )
        }
        if ring.member(identity.id) == nil {
            if former?.member(identity.id) != nil {
                note(
                    .warning,
                    "\(identity.name) was removed from the ring and holds no data any more: it may be stopped, or added again"
                )
            } else if !founding.hasNotedOutsider {
                founding.hasNotedOutsider = true
                note(
                    .warning,
                    "\(identity.name) is not a member of ring epoch \(ring.epoch) of \(names) and holds no data: add it with 'stormo ring add \(identity.name)'"
                )
            }
        }
    }

    /// The registers of decided epochs have done their work: nobody asks for them any more.
    private mutating func forgetRingRegisters(from former: Epoch, to epoch: Epoch) {
        let oldest = max(former.rawValue, epoch.rawValue > 64 ? epoch.rawValue - 64 : 0)
        for number in oldest...epoch.rawValue where number <= epoch.rawValue {
            let key = RingRegister.key(Epoch(number))
            // What is damaged need not be read to be dropped.
            if (try? store.register(key)) != .empty { _ = store.apply(.forget(key)) }
        }
    }

    static func encoded(_ ring: Ring) -> [UInt8] {
        var writer = ByteWriter()
        ring.encode(into: &writer)
        return writer.bytes
    }
}

extension Message {
    /// Whether it must run in the epoch under which it was made.
    var isOfEpoch: Bool {
        switch self {
        case .prepare, .accept, .replicaRead, .replicaScan, .rangeRequest, .treeRequest, .collect: true
        default: false
        }
    }
}
