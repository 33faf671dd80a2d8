import Wire

/// The dropping of tombstones and of values that have expired, for good.
///
/// A cell goes only once *all* replicas have said that they hold just it: a replica that was away could bring an older value
/// back. And it goes only when its ballot, its expiry and the promise are past the grace period: within it, an operation
/// may still rely on the promise, and a message may still be on its way.
extension Node {
    /// The time by which ages are judged, in milliseconds: the physical clock, but nothing that is not below the ballot
    /// ceiling on disk.
    ///
    /// A clock that leaps ahead makes nothing old before its ceiling follows, and then no ballot of this node is ever made
    /// below a time by which something was dropped, though the clock is set back before a restart. A clock that is behind
    /// only keeps cells longer. (One that leads by more than the drift allowed is not heard: its word does not count.)
    private var ageClockMs: UInt64 { min(time.wallMs, ceiling.persisted.milliseconds) }

    /// Whether a register could be forgotten, as far as this replica knows.
    func isDroppable(_ state: RegisterState) -> Bool {
        let now = ageClockMs
        guard now > limits.graceMs, let accepted = state.accepted else { return false }
        let before = now - limits.graceMs
        guard accepted.ballot.time.milliseconds < before,
            state.promised.time.milliseconds < before || Mutation.tombstoneWithFreshPromise.isOn
        else { return false }
        return switch accepted.cell.content {
        case .tombstone: true
        case .value: accepted.cell.expiryMs.map { $0 < before } ?? false
        }
    }

    /// Gives this replica's word on each cell, and forgets those that all have agreed on.
    mutating func collect(_ request: Collect) throws(StoreError) -> (Message, JournalSequence?) {
        var confirmed: [Bool] = []
        var needed: JournalSequence?
        for item in request.items {
            var isConfirmed = false
            if mayCollect(item.key) {
                do throws(StoreError) {
                    let state = try acceptorState(item.key)
                    isConfirmed = state.accepted?.ballot == item.ballot && isDroppable(state)
                } catch {
                    counters.storeErrors += 1
                    // It is not agreed to; the others of the question are.
                    if !noticeDamage(item.key, error) { throw error }
                }
            }
            if isConfirmed, request.isAgreed {
                counters.tombstonesDropped += 1
                gate.wrote(item.key, store.apply(.forget(item.key)))
            }
            confirmed.append(isConfirmed)
            if let sequence = gate.needed(for: item.key), sequence > needed ?? .start { needed = sequence }
        }
        raiseCeiling(for: clock.now(physicalMs: time.wallMs))
        return (.collected(Collected(confirmed: confirmed)), needed)
    }

    private func mayCollect(_ key: Key) -> Bool {
        guard let ring, ring.next == nil, amnesia == nil, !mending.holds(key), !key.isLocal,
            store.readOnlyReason == nil,
            store.backlogBytes < limits.backlogBytesMax
        else { return false }
        return isWhole && ring.replicas(of: key.token).contains(identity.id)
    }

    // MARK: The side that asks

    /// Asks all replicas about the next cells that could go.
    mutating func askToCollect() {
        let items = Array(comparing.candidates.prefix(limits.collectKeys))
        comparing.candidates.removeFirst(items.count)
        collect(items, isAgreed: false)
    }

    private mutating func collect(_ items: [Collect.Item], isAgreed: Bool) {
        guard let ring else { return }
        let replicas = [identity.id] + comparing.peers
        comparing.collecting = (items, isAgreed)
        let quorum = Mutation.tombstoneOnMajority.isOn ? ring.quorum : replicas.count
        askForRepair(
            .collect(Collect(items: items, isAgreed: isAgreed)), ReplicaSet(replicas, quorum: quorum),
            for: .repairCollect(comparing.question))
    }

    /// All replicas have given their word, or cannot.
    mutating func collectAnswered(_ question: UInt64, _ result: OperationResult) {
        comparing.inFlight -= 1
        guard question == comparing.question, let (items, isAgreed) = comparing.collecting else { return }
        comparing.isAsking = false
        comparing.collecting = nil
        // What not all have answered for stays until the next comparison.
        if case .gathered(let answers) = result, !isAgreed {
            let words = answers.compactMap { answer in
                if case .collected(let collected)? = answer { collected.confirmed } else { nil }
            }
            let needed = Mutation.tombstoneOnMajority.isOn ? ring?.quorum ?? .max : comparing.peers.count + 1
            let agreed = items.indices.filter { index in
                words.count { index < $0.count && $0[index] } >= needed
            }
            if !agreed.isEmpty { collect(agreed.map { items[$0] }, isAgreed: true) }
        }
        advanceComparing()
    }
}
