package import Wire

/// A member as the local node sees it.
package struct MembershipMember: Hashable, Sendable {
    /// Who it is. The incarnation is the highest heard of.
    package var identity: PeerIdentity
    /// How it is.
    package var state: MemberState
    /// When it entered that state, in milliseconds of the monotonic clock that the inputs carry.
    package var sinceMs: UInt64
    /// How often it was suspect or dead here and then alive again, since it was first heard of.
    package var flaps: UInt64

    /// Puts a member together.
    package init(identity: PeerIdentity, state: MemberState, sinceMs: UInt64, flaps: UInt64 = 0) {
        self.identity = identity
        self.state = state
        self.sinceMs = sinceMs
        self.flaps = flaps
    }

    /// Whether it takes part: alive, or suspect and not yet given up.
    package var isPresent: Bool { state == .alive || state == .suspect }
}
