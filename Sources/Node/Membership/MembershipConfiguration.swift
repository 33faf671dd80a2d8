/// Times and bounds of the membership. Times are in milliseconds and at least 1; the defaults are chosen so that a
/// killed node of a small cluster is declared dead within 0.7 s.
package struct MembershipConfiguration: Hashable, Sendable {
    /// One member is probed per interval. Every member is probed once in as many intervals as there are members.
    package var probeIntervalMs: UInt64 = 200
    /// How long a direct answer may take before other members are asked to try: many round trips of a local network.
    package var probeTimeoutMs: UInt64 = 100
    /// An unanswered ping is sent this many times per probe timeout: one lost message is no reason for doubt. Where
    /// nothing is lost, answers come before the second.
    package var pingsPerTimeout: UInt64 = 4
    /// How many other members are asked to try, so that one bad link does not accuse anyone.
    package var indirectProbes = 3

    /// The shortest suspicion is this many times log10(n + 1) probe intervals: the time that a rumour and its
    /// refutation need grows with the logarithm of the members.
    package var suspicionMultiplier: UInt64 = 4
    /// Independent accusations that shorten a suspicion to its shortest (K of Lifeguard). Clusters that cannot raise
    /// as many start at the shortest.
    package var suspicionConfirmations = 3
    /// A suspicion that nobody confirms lasts this many times the shortest (beta of Lifeguard).
    package var suspicionMaxFactor: UInt64 = 6
    /// The local health score stays at or below this; probe times are multiplied by the score plus 1, so a node that
    /// doubts itself probes up to this many times slower.
    package var localHealthMax = 8

    /// News leaves at once, and again after each of these intervals while there is any left to repeat.
    package var gossipIntervalMs: UInt64 = 50
    /// Members that news goes to per interval.
    package var gossipFanout = 3
    /// A piece of news is repeated this many times log10(n + 1): enough that everyone hears it with high probability.
    package var gossipRetransmitMultiplier: UInt64 = 4
    /// Bytes of news in one message other than a full state. When half of a large cluster is lost at once, and comes
    /// back, refutations must reach everyone before suspicions run out.
    package var gossipPayloadBytesMax = 8_192

    /// Between full exchanges of state with a random member: they mend whatever gossip has missed. Clusters of more than
    /// 32 members, whose states are longer, exchange them more seldom: see `pushPullMs`.
    package var pushPullIntervalMs: UInt64 = 10_000
    /// Between attempts at each seed or known peer that is no live member, for ever.
    package var seedRetryIntervalMs: UInt64 = 1_000
    /// Between attempts at dead members, one each time, for ever: this is how the halves of a healed partition meet.
    package var deadReprobeIntervalMs: UInt64 = 1_000

    /// Members in all: with the longest names, addresses and zones as many fit a full state in one frame (1 MiB).
    package var membersMax = 1_200
    /// Dead and departed members that are remembered; beyond it, or when a living one needs the place, the one gone
    /// longest is dropped. Half of the largest cluster fits, so the halves of a split remember each other.
    package var goneMembersMax = 600
    /// Members whose forgetting is remembered; beyond it the word about the one forgotten longest is dropped.
    package var forgottenMax = 256
    /// How long a forgotten member does not come back by what others say of its old life: longer than anyone is cut off
    /// without somebody having a look.
    package var forgottenKeepMs: UInt64 = 24 * 3_600_000
    /// Probes on behalf of others that are under way: more would mean that the whole network fails.
    package var relaysMax = 256
    /// Probes of our own that are under way: the regular one and those that closed connections start.
    package var probesMax = 256
    /// Seeds and known peers that are tried, each; more add nothing to finding the cluster.
    package var seedsMax = 256
    /// Twins (another node with our id or name) that are told of once each.
    package var conflictsMax = 16

    /// The defaults.
    package init() {}

    /// The shortest suspicion in a cluster of `members`, in milliseconds.
    package func suspicionMinMs(members: Int) -> UInt64 {
        let scaled = suspicionMultiplier * probeIntervalMs * binaryLogarithm(members + 1) / binaryLogarithm(10)
        return max(scaled, probeIntervalMs)
    }

    /// The longest suspicion in a cluster of `members`, in milliseconds.
    package func suspicionMaxMs(members: Int) -> UInt64 {
        suspicionMinMs(members: members) * (confirmationsNeeded(members: members) == 0 ? 1 : suspicionMaxFactor)
    }

    /// Time between two full exchanges of state that one node begins, in milliseconds: longer by the interval for every
    /// doubling of the members beyond 32.
    package func pushPullMs(members: Int) -> UInt64 {
        let doublings = binaryLogarithm(max(members, 32)) - binaryLogarithm(32)
        return pushPullIntervalMs * (1 + (doublings + 65_535) >> 16)
    }

    /// How many confirmations bring a suspicion to its shortest; 0 when the members besides the accuser and the
    /// accused cannot raise them.
    func confirmationsNeeded(members: Int) -> Int {
        members - 2 >= suspicionConfirmations ? suspicionConfirmations : 0
    }

    /// How often a piece of news is sent in a cluster of `members`.
    func retransmits(members: Int) -> Int {
        let scaled = gossipRetransmitMultiplier * binaryLogarithm(members + 1)
        return Int((scaled + binaryLogarithm(10) - 1) / binaryLogarithm(10))
    }
}

/// The logarithm to base 2 of a positive number in units of 1/65,536, by repeated squaring of the mantissa: integers
/// only, so that every host computes the same.
func binaryLogarithm(_ value: Int) -> UInt64 {
    let value = UInt64(max(1, value))
    let exponent = UInt64(63 - value.leadingZeroBitCount)
    // The mantissa with 30 binary places, so that its square fits.
    var mantissa = exponent <= 30 ? value << (30 - exponent) : value >> (exponent - 30)
    var result = exponent << 16
    for bit in stride(from: UInt64(15), through: 0, by: -1) {
        mantissa = (mantissa * mantissa) >> 30
        if mantissa >= 1 << 31 {
            mantissa >>= 1
            result |= 1 << bit
        }
    }
    return result
}
