/// A member's hold of one partition of its group, without I/O: what it writes into the partition's register, and what it makes
/// of the answers.
///
/// Times called `nowMs` are of the member's monotonic clock, those called `wallMs` of its wall clock in milliseconds since
/// 1970, which others compare with theirs.
package struct GroupLease: Hashable, Sendable {
    /// What leases are bounded by.
    package struct Bounds: Hashable, Sendable {
        /// How long a lease is asked for, in milliseconds.
        package var lengthMs: UInt64
        /// How far two wall clocks may be apart, in milliseconds: the holder gives up that much before the end.
        package var driftMaxMs: UInt64
        /// How much longer than its end a lease of another member is respected, in milliseconds.
        package var marginMs: UInt64

        /// Puts them together.
        package init(lengthMs: UInt64, driftMaxMs: UInt64, marginMs: UInt64) {
            self.lengthMs = lengthMs
            self.driftMaxMs = driftMaxMs
            self.marginMs = marginMs
        }
    }

    /// A compare-and-set of the register.
    package struct Attempt: Hashable, Sendable {
        /// What is written.
        package let register: GroupRegister
        /// What it compares with.
        package let condition: Condition
        /// When it was made, on the member's monotonic clock.
        package let sinceMs: UInt64

        /// A write of `register` where `condition` holds.
        package init(_ register: GroupRegister, if condition: Condition, sinceMs: UInt64) {
            self.register = register
            self.condition = condition
            self.sinceMs = sinceMs
        }
    }

    /// What a look at the register says after a write that did not go as expected.
    package enum Finding: Hashable, Sendable {
        /// The write was made.
        case written
        /// An earlier write of this member was made: the next one compares with it.
        case again
        /// Somebody else has taken the partition, or it is gone.
        case lost
    }

    /// The member.
    package let owner: String
    /// Raised by one whenever the partition is taken.
    package let token: UInt64
    /// Where the group goes on reading; nil before the first commit.
    package private(set) var offset: Offset?
    private let topic: String
    private let bounds: Bounds
    private var version: Ballot
    private var writtenAtMs: UInt64

    /// The write that takes a partition for a member whose name no other has, from what was found in the register; nil when
    /// another member holds it.
    package static func taking(
        _ found: (register: GroupRegister, version: Ballot)?, for owner: String, of topic: String, _ bounds: Bounds,
        wallMs: UInt64, nowMs: UInt64
    ) -> Attempt? {
        if let former = found?.register, former.owner != owner,
            former.isHeld(atMs: wallMs - min(wallMs, bounds.marginMs))
        {
            return nil
        }
        let register = GroupRegister(
            owner: owner, token: (found?.register.token ?? 0) + 1, leaseEndMs: wallMs + bounds.lengthMs,
            offset: found?.register.offset, topic: topic)
        // Counted from before the write: the cluster counts from when it was made.
        return Attempt(register, if: found.map { .version($0.version) } ?? .absent, sinceMs: nowMs)
    }

    /// A partition that was taken by an attempt, whose write has a version now.
    package init(_ taken: Attempt, version: Ballot, _ bounds: Bounds) {
        owner = taken.register.owner
        token = taken.register.token
        offset = taken.register.offset
        topic = taken.register.topic
        self.bounds = bounds
        self.version = version
        writtenAtMs = taken.sinceMs
    }

    /// When it should be written again though there is nothing to commit: after a third of its length, so that two
    /// renewals may fail.
    package var renewalAtMs: UInt64 { writtenAtMs + bounds.lengthMs / 3 }

    /// When another member may have taken the partition, by the member's monotonic clock; not earlier than that one sees
    /// it, for clocks within their bound.
    package var endsAtMs: UInt64 { writtenAtMs + bounds.lengthMs - min(bounds.lengthMs, bounds.driftMaxMs) }

    /// The write that extends the lease and moves the group's position to `offset`; never back.
    package func writing(_ offset: Offset?, wallMs: UInt64, nowMs: UInt64) -> Attempt {
        let further = self.offset.map { max($0, offset ?? $0) } ?? offset
        return Attempt(
            GroupRegister(
                owner: owner, token: token, leaseEndMs: wallMs + bounds.lengthMs, offset: further, topic: topic),
            if: .version(version), sinceMs: nowMs)
    }

    /// The write that gives the partition back.
    package func releasing(nowMs: UInt64) -> Attempt {
        Attempt(
            GroupRegister(owner: "", token: token, leaseEndMs: 0, offset: offset, topic: topic),
            if: .version(version), sinceMs: nowMs)
    }

    /// An attempt was made under a version.
    package mutating func written(_ attempt: Attempt, version: Ballot) {
        self.version = version
        writtenAtMs = attempt.sinceMs
        offset = attempt.register.offset
    }

    /// The register was looked at after an attempt that did not go as expected: somebody wrote in between, or one of this
    /// member's own writes whose answer was lost did go through.
    package mutating func found(
        _ found: (register: GroupRegister, version: Ballot)?, after attempt: Attempt
    ) -> Finding {
        guard let found, found.register.owner == owner, found.register.token == token else { return .lost }
        guard found.register == attempt.register else {
            version = found.version
            return .again
        }
        written(attempt, version: found.version)
        return .written
    }
}
