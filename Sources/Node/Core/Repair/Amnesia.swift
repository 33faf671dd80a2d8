import Wire

/// What a node does that has lost its registers: it knows that, by a fact that its store keeps apart from them, and takes
/// part in nothing as a replica until it has learned again what a majority of the others knows.
struct Amnesia {
    /// How the registers were lost.
    let reason: String
    /// When the others may be asked.
    let quietUntilMs: UInt64
    let startedMs: UInt64
    /// The entry that ends it, once all is known again.
    var endsAt: JournalSequence?
    /// Why it cannot end, for the operator; nil when it can.
    var obstacle: String?
}

/// Amnesia: the loss of all registers. What has to hold before such a node may vote again, and how it comes to hold:
///
/// - *It breaks no promise.* The promise floor is above all that it ever gave, before anything else is done.
/// - *It knows every cell that a majority accepted with its help.* `Q` of the `N - 1` others are asked, page by page; of the
///   `Q - 1` others that such a cell is at, one is among them.
/// - *It makes no majority for a cell that had none.* Had it promised a later ballot to a proposer that did not see the
///   cell, that one could still win with the others. So where the copies of the others differ, the key is read by a quorum
///   first, in which this node has no voice: what it takes over is held by a majority without it.
/// - *No answer from before the loss is counted together with one from after the others were asked.* An accept that it said
///   yes to could reach another replica behind its page, and make a majority that it does not remember. Operations end
///   after their timeout, and this node asks only when all that it has answered are over.
/// - *The ring's next epoch* is mended as a damaged register is. Later epochs it has not voted on.
///
/// While the ring changes it first learns again what it knew as an old replica, then copies all that the change gives it:
/// it has told the others already that it holds that, so it may not vote until it does. A ring that comes in force
/// meanwhile begins it all anew. So does a restart: until the end the fact stands.
extension Node {
    /// Looks at start whether the registers were lost.
    mutating func beginAmnesia() {
        guard let bytes = store.fact(.amnesia), !bytes.isEmpty, !Mutation.amnesiaVotes.isOn else { return }
        let reason = String(decoding: bytes, as: UTF8.self)
        amnesia = Amnesia(
            reason: reason, quietUntilMs: time.monotonicMs + limits.lossQuietMs, startedMs: time.monotonicMs)
        note(
            .warning,
            "\(identity.name) has lost its registers (\(reason)): it answers for none until it has learned again what the other replicas know"
        )
        guard store.fact(.ballotCeiling) != nil else {
            amnesia?.obstacle = "nobody knows how high its promises were"
            return note(
                .error,
                "\(identity.name) cannot vote again: the ceiling of its ballots is lost too; put its data directory aside, start it as a new node, and let it replace this one in the ring"
            )
        }
        raisePromiseFloor()
        // Nothing of what was copied is there any more.
        _ = store.apply(.fact(.copying, []))
    }

    /// A ring has come in force: what this node has to learn again under it.
    mutating func recall() {
        guard let ring, let former = amnesia, store.fact(.ballotCeiling) != nil else { return }
        var fresh = Copying()
        fresh.epoch = ring.epoch
        fresh.page = recalling.page + 1
        fresh.nextMs = former.quietUntilMs
        fresh.segments = ring.segments.filter { $0.replicas.contains(identity.id) }.map { segment in
            var segment = segment
            segment.replicas.removeAll { $0 == identity.id }
            return segment
        }
        recalling = fresh
        if former.endsAt != nil {
            // It may own more now than what it knows.
            _ = store.apply(.fact(.amnesia, Array(former.reason.utf8)))
            amnesia?.endsAt = nil
        }
        amnesia?.obstacle = nil
        var isEnough = fresh.segments.allSatisfy { $0.replicas.count >= ring.quorum }
        if ring.acceptors.contains(identity.id) {
            mending.add(RingRegister.key(Epoch(ring.epoch.rawValue + 1)))
            isEnough = isEnough && ring.acceptors.count - 1 >= ring.acceptors.count / 2 + 1
        }
        guard !isEnough else { return }
        amnesia?.obstacle = "there are too few other replicas"
        guard former.obstacle == nil else { return }
        note(
            .error,
            "\(identity.name) cannot learn again what it lost: a majority of \(ring.replicas) replicas is needed without \(identity.name); stop the node and bring back a copy of its data directory, or save what the others have with reads of consistency 'one' and found the cluster anew"
        )
    }

    mutating func tickAmnesia() {
        guard let now = amnesia, now.obstacle == nil, let ring else { return }
        if let end = now.endsAt {
            guard gate.durable >= end else { return }
            amnesia = nil
            recalling.segments = []
            return note(
                .info,
                "\(identity.name) knows again what it had lost, after \((time.monotonicMs - now.startedMs) / 1_000) s, and votes"
            )
        }
        guard store.readOnlyReason == nil, store.backlogBytes < limits.backlogBytesMax / 2 else { return }
        guard hasRecalled else {
            if !recalling.isAsking, recalling.unsettled.isEmpty, time.monotonicMs >= recalling.nextMs {
                askForPage(.amnesia)
            }
            return
        }
        guard time.monotonicMs >= now.quietUntilMs, copying.toClear.isEmpty, copying.done == copying.segments.count,
            !mending.holds(RingRegister.key(Epoch(ring.epoch.rawValue + 1)))
        else { return }
        amnesia?.endsAt = store.apply(.fact(.amnesia, []))
    }

    /// Whether it answers as a replica for all that it owns, but for single registers that are being mended.
    var isWhole: Bool { amnesia == nil && muted.isEmpty }

    /// Whether everything has been learned that this node knew as a replica of the layout in force.
    var hasRecalled: Bool {
        guard let amnesia else { return true }
        return amnesia.obstacle == nil && recalling.epoch == ring?.epoch && recalling.done == recalling.segments.count
    }

    /// Tells the operator how far it is, each time that another quarter is done.
    mutating func noteAmnesiaProgress() {
        let (done, count) = (recalling.done, recalling.segments.count)
        guard done * 4 / count > (done - 1) * 4 / count else { return }
        note(.info, "\(identity.name) knows \(done) of its \(count) ranges again (ring epoch \(recalling.epoch))")
    }

    /// What is copied for a purpose.
    subscript(purpose: CopyPurpose) -> Copying {
        get {
            switch purpose {
            case .ringChange: copying
            case .amnesia: recalling
            }
        }
        _modify {
            switch purpose {
            case .ringChange: yield &copying
            case .amnesia: yield &recalling
            }
        }
    }
}
