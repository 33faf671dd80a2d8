import Wire

/// Keeps ballots from being used twice: a ceiling ahead of the clock is made durable, no ballot above it is given out,
/// and after a restart the clock starts above it.
struct BallotCeiling {
    private var ceiling = HybridTime.zero
    private var raising: (to: HybridTime, JournalSequence)?

    /// The greatest hybrid time that a ballot may have now.
    var highest: HybridTime { ceiling }

    /// Whether it is time to raise it: less than half of the lead is left.
    func isDue(now: HybridTime, leadMs: UInt64) -> Bool {
        raising == nil && ceiling.milliseconds < now.milliseconds + leadMs / 2
    }

    mutating func raise(to time: HybridTime, at sequence: JournalSequence) { raising = (time, sequence) }

    /// The disk has everything up to `sequence`; says whether the ceiling rose.
    mutating func durable(upTo sequence: JournalSequence) -> Bool {
        guard let (time, needed) = raising, needed <= sequence else { return false }
        ceiling = time
        raising = nil
        return true
    }

    static func recovered(_ bytes: [UInt8]?) -> HybridTime {
        guard let bytes else { return .zero }
        return bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return HybridTime((try? reader.integer("ballot ceiling")) ?? 0)
        }
    }

    static func encoded(_ time: HybridTime) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.integer(time.rawValue)
        return writer.bytes
    }
}

extension Node {
    /// Persists a higher ceiling when the present one comes near.
    mutating func raiseBallotCeiling() {
        guard ceiling.isDue(now: clock.latest, leadMs: limits.ballotCeilingLeadMs) else { return }
        let time = HybridTime(milliseconds: clock.latest.milliseconds + limits.ballotCeilingLeadMs)
        ceiling.raise(to: time, at: store.apply(.fact(.ballotCeiling, BallotCeiling.encoded(time))))
    }

    /// A ballot never used before and above everything this node has seen; nil while the ceiling is not durable.
    mutating func freshBallot() -> Ballot? {
        let time = clock.now(physicalMs: time.wallMs)
        guard time <= ceiling.highest else { return nil }
        return Ballot(time: time, node: identity.id)
    }
}
