import Wire

/// The registers of this node that are damaged, and how far each is on its way to being whole again.
struct Mending {
    /// A register that is not answered for.
    struct Patient {
        /// Whether the others are being asked.
        var isAsking = false
        /// Attempts that have failed.
        var failures: UInt64 = 0
        /// When the next attempt is due.
        var nextMs: UInt64 = 0
        /// Whether the operator has heard that there are too few others.
        var isNotedAsHopeless = false
    }

    private var patients: [Key: Patient] = [:]
    /// In the order in which they were noticed.
    private(set) var keys: [Key] = []
    /// When the operator may hear again of damage that is no single register's.
    var nextNoteMs: UInt64 = 0

    var isEmpty: Bool { keys.isEmpty }

    var count: Int { keys.count }

    var inFlight: Int { keys.count { patients[$0]?.isAsking == true } }

    /// Whether a key is not answered for until it is mended.
    func holds(_ key: Key) -> Bool { patients[key] != nil }

    mutating func add(_ key: Key) {
        guard patients.updateValue(Patient(), forKey: key) == nil else { return }
        keys.append(key)
    }

    mutating func remove(_ key: Key) {
        patients[key] = nil
        keys.removeAll { $0 == key }
    }

    subscript(key: Key) -> Patient? {
        get { patients[key] }
        set { if patients[key] != nil { patients[key] = newValue } }
    }
}

/// The mending of damaged registers. A replica that has lost what it accepted and promised for a key must not vote on it
/// as if it had not: it answers nothing for the key until it knows what a majority of *others* knows, and its promise is
/// above all that it may have given.
///
/// The others are asked by a prepare under a fresh ballot. A plain read would not do. Were this replica to take over a
/// cell that only one of them has accepted, it could make a majority for it, though it had promised a proposer a later
/// ballot before, and that proposer, which never saw the cell, may still win with the others. Those who have promised the
/// fresh ballot refuse that proposer; this replica does so by its floor. For the same reason nothing that was accepted
/// here before the damage can be completed later behind the back of what was read.
extension Node {
    /// Takes note that the store found damage, where it is asked for a key or (nil) for a page. Says whether it was damage.
    mutating func noticeDamage(_ asked: Key?, _ error: StoreError) -> Bool {
        guard case .corrupt(_, let named) = error else { return false }
        guard let key = asked ?? named else {
            if time.monotonicMs >= mending.nextNoteMs {
                mending.nextNoteMs = time.monotonicMs + limits.damageNoteMs
                note(
                    .error,
                    "\(identity.name) gives no listings of a stretch of keys: \(error); if it goes on, restart the node, so that its database is checked and fetched from the others"
                )
            }
            return true
        }
        guard !mending.holds(key) else { return true }
        guard mending.count < limits.mendsWaitingMax else {
            counters.mendsPutOff += 1
            return true
        }
        counters.registersDamaged += 1
        mending.add(key)
        note(.warning, "\(identity.name) fetches a register from its other replicas: \(error)")
        return true
    }

    mutating func tickMending() {
        guard !mending.isEmpty, ring != nil, store.readOnlyReason == nil,
            store.backlogBytes < limits.backlogBytesMax / 2
        else { return }
        var inFlight = mending.inFlight
        for key in mending.keys where inFlight < limits.mendsInFlightMax {
            guard let patient = mending[key], !patient.isAsking, time.monotonicMs >= patient.nextMs else { continue }
            mend(key)
            inFlight += 1
        }
    }

    private mutating func mend(_ key: Key) {
        guard let ring, let others = others(of: key, ring) else {
            // It is not this node's to answer for any more.
            mending.remove(key)
            return gate.wrote(key, store.apply(.forget(key)))
        }
        guard others.isQuorum(others.all) else {
            let nextMs = time.monotonicMs + limits.mendRetryPauseMaxMs
            mending[key]?.nextMs = nextMs
            guard mending[key]?.isNotedAsHopeless == false else { return }
            mending[key]?.isNotedAsHopeless = true
            return note(
                .error,
                "\(identity.name) cannot mend key \"\(key)\": a majority of its replicas is needed without \(identity.name), and there are only \(others.nodes.count) others; stop the node and bring back a copy of its data directory"
            )
        }
        raisePromiseFloor()
        // The next tick tries again.
        guard let ballot = freshBallot() else { return }
        mending[key]?.isAsking = true
        start(
            .gather(.prepare(Prepare(key: key, ballot: ballot)), others), key: key, for: .mend(key, ballot))
    }

    /// The other replicas of a key, of whom as many are a majority as of all of them; nil when this node is none.
    private func others(of key: Key, _ ring: Ring) -> ReplicaSet? {
        if RingRegister.isOne(key), key != RingRegister.key(Epoch(ring.epoch.rawValue + 1)) { return nil }
        let set = replicaSet(of: key)
        return set.nodes.contains(identity.id) ? set.without(identity.id) : nil
    }

    /// The others have answered, or cannot be heard.
    mutating func mendGathered(_ key: Key, _ ballot: Ballot, _ result: OperationResult) {
        guard mending.holds(key) else { return }
        mending[key]?.isAsking = false
        guard let ring, let others = others(of: key, ring), case .gathered(let answers) = result else {
            return mendFailed(key)
        }
        var promised: UInt64 = 0
        var newest: AcceptedCell?
        for (index, answer) in answers.enumerated() {
            switch answer {
            case .promise(let state):
                promised |= 1 << UInt64(index)
                if state.accepted?.ballot ?? .zero > newest?.ballot ?? .zero { newest = state.accepted }
            case .refused(let refusal): _ = clock.merge(refusal.promised.witnessed.time, physicalMs: time.wallMs)
            default: break
            }
        }
        guard others.isQuorum(promised) else { return mendFailed(key) }
        let state = promiseFloor.applied(to: RegisterState(promised: ballot, accepted: newest))
        raiseCeiling(for: state.promised.time)
        gate.wrote(key, store.apply(.register(key, state)))
        mending.remove(key)
        counters.registersMended += 1
    }

    private mutating func mendFailed(_ key: Key) {
        guard let failures = mending[key]?.failures else { return }
        counters.mendRetries += 1
        let nextMs = time.monotonicMs + min(100 << min(failures, 10), limits.mendRetryPauseMaxMs)
        mending[key]?.failures = failures + 1
        mending[key]?.nextMs = nextMs
    }
}
