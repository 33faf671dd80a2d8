import Wire

/// Keeps ballots from being used twice. A ceiling ahead of the clock is made durable before ballots below it are given
/// out, and after a restart none is given out until the clock has passed the ceiling of the run before.
///
/// The lead is short, since a restarted node waits for it, and the ceiling is only raised while ballots are asked for: an
/// idle node writes nothing.
struct BallotCeiling {
    /// Ballots of earlier runs are not above this.
    let floor: HybridTime
    private var ceiling = HybridTime.zero
    private var raising: (to: HybridTime, at: JournalSequence)?
    /// Operations that wait for a ballot.
    private var held: [OperationID] = []

    init(recovered bytes: [UInt8]?) {
        floor =
            bytes.map { bytes in
                bytes.withUnsafeBytes { bytes in
                    var reader = ByteReader(bytes)
                    return HybridTime((try? reader.integer("ballot ceiling")) ?? 0)
                }
            } ?? .zero
    }

    /// What is on disk: no ballot of a later run is below it.
    var persisted: HybridTime { max(floor, ceiling) }

    /// Whether a ballot may have this time now.
    func allows(_ time: HybridTime) -> Bool { time > floor && time <= ceiling }

    /// Whether it is time to raise it: less than half of the lead is left, also once what is on its way to the disk is
    /// there. So no promise is ever above what was written before it. What the run before has written counts as well: else a
    /// node that starts over and over would put it off further each time, and wait for ever longer.
    func isDue(_ time: HybridTime, leadMs: UInt64) -> Bool {
        max(persisted, raising?.to ?? .zero).milliseconds < time.milliseconds + leadMs / 2
    }

    /// The ceiling to persist at a time. Never below the one found at start, also when the clock was set back since: the
    /// next run must not give out again what an earlier one has.
    func target(_ time: HybridTime, leadMs: UInt64) -> HybridTime {
        HybridTime(milliseconds: max(time, floor).milliseconds + leadMs)
    }

    /// A higher ceiling has been applied under `sequence`.
    mutating func raise(to time: HybridTime, at sequence: JournalSequence) { raising = (time, sequence) }

    /// The disk has everything up to `sequence`.
    mutating func durable(upTo sequence: JournalSequence) {
        guard let (time, needed) = raising, needed <= sequence else { return }
        ceiling = time
        raising = nil
    }

    /// Remembers who waits.
    mutating func hold(_ id: OperationID) { held.append(id) }

    /// Those who wait, to be tried again.
    mutating func takeHeld() -> [OperationID] {
        defer { held = [] }
        return held
    }

    static func encoded(_ time: HybridTime) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.integer(time.rawValue)
        return writer.bytes
    }
}

extension Node {
    /// A ballot never used before and above everything this node has seen; nil while none may be given out.
    mutating func freshBallot() -> Ballot? {
        let time = clock.now(physicalMs: time.wallMs)
        if Mutation.ballotsReused.isOn { return Ballot(time: time, node: identity.id) }
        raiseCeiling(for: time)
        return ceiling.allows(time) ? Ballot(time: time, node: identity.id) : nil
    }

    /// Keeps the ceiling ahead of a ballot that is given out or promised.
    mutating func raiseCeiling(for time: HybridTime) {
        guard ceiling.isDue(time, leadMs: limits.ballotCeilingLeadMs) else { return }
        let target = ceiling.target(time, leadMs: limits.ballotCeilingLeadMs)
        ceiling.raise(to: target, at: store.apply(.fact(.ballotCeiling, BallotCeiling.encoded(target))))
    }

    /// Tries the operations again that waited for a ballot.
    mutating func resumeHeld() {
        for id in ceiling.takeHeld() where operations.contains(id) {
            guard case .pausing(_, let purpose) = operations[id].phase else { continue }
            resume(id, purpose)
        }
    }
}
