package import Membership

/// One line of the table: a cluster of some size on a network with some loss, from its start through a quiet time,
/// crashes, and a split in halves.
package struct MembershipExperiment: Sendable {
    /// Members of the cluster.
    package var members: Int
    /// Messages lost out of a thousand.
    package var lossPerMille: UInt64
    /// Decides everything that is random.
    package var seed: UInt64
    /// How long nothing happens to anybody, in seconds of virtual time.
    package var quietSeconds: UInt64
    /// Members that crash one after the other, of each of the two kinds.
    package var crashes: Int
    /// How long the halves are cut off from each other, in seconds of virtual time; 0 leaves it out.
    package var splitSeconds: UInt64
    /// Times and bounds of the members.
    package var configuration = MembershipConfiguration()

    /// An experiment with default times and bounds.
    package init(
        members: Int, lossPerMille: UInt64, seed: UInt64, quietSeconds: UInt64, crashes: Int, splitSeconds: UInt64
    ) {
        self.members = members
        self.lossPerMille = lossPerMille
        self.seed = seed
        self.quietSeconds = quietSeconds
        self.crashes = crashes
        self.splitSeconds = splitSeconds
    }

    /// The longest that anything is waited for, in milliseconds of virtual time.
    static let patienceMs: UInt64 = 120_000
    /// A time for rumours to die down, in milliseconds of virtual time.
    static let settleMs: UInt64 = 5_000

    /// Runs it. The same values give the same figures.
    package func run() -> MembershipFigures {
        var figures = MembershipFigures(members: members, lossPerMille: lossPerMille)
        let network = MembershipNetwork(
            members: members, lossPerMille: lossPerMille, seed: seed, configuration: configuration)
        figures.joinMs = network.run(forMs: Self.patienceMs) { $0.agrees }
        _ = network.run(forMs: Self.settleMs)

        let before = network.counts
        let startMs = network.nowMs
        _ = network.run(forMs: quietSeconds * 1_000)
        let after = network.counts
        figures.nodeSeconds = UInt64(members) * quietSeconds
        figures.suspicions = after.suspicions - before.suspicions
        figures.refutations = after.refutations - before.refutations
        figures.messages = after.messages - before.messages
        figures.bytes = after.bytes - before.bytes

        for crash in 0..<crashes {
            figures.killed.append(detect(crash, closesConnections: true, in: network))
            figures.silent.append(detect(crash, closesConnections: false, in: network))
        }
        figures.falseDeaths = network.counts.falseDeaths - before.falseDeaths
        figures.watchedNodeSeconds = UInt64(members) * (network.nowMs - startMs) / 1_000
        if splitSeconds > 0 {
            figures.wasSplit = true
            network.isSplit = true
            _ = network.run(forMs: splitSeconds * 1_000)
            network.isSplit = false
            let healed = network.counts
            figures.healMs = network.run(forMs: Self.patienceMs) { $0.agrees }
            _ = network.run(forMs: Self.settleMs)
            figures.buriedByHealing = network.counts.falseDeaths - healed.falseDeaths
        }
        return figures
    }

    /// Stops a member, waits until all others know, and starts it again.
    private func detect(_ crash: Int, closesConnections: Bool, in network: MembershipNetwork) -> Detection {
        // Seeds crash too; the stride reaches members all over the order of ids.
        let victim = (crash * 7 + (closesConnections ? 0 : 3)) % members
        let startMs = network.nowMs
        network.crash(victim, closesConnections: closesConnections)
        let allMs = network.run(forMs: Self.patienceMs) { $0.knowing == $0.upCount }
        let detection = Detection(firstMs: network.firstDeathMs.map { $0 - startMs }, allMs: allMs)
        network.restart(victim)
        _ = network.run(forMs: Self.patienceMs) { $0.agrees }
        _ = network.run(forMs: Self.settleMs)
        return detection
    }
}

/// How long the death of one member went unnoticed, in milliseconds; nil for longer than was waited.
package struct Detection: Hashable, Sendable {
    /// From the crash to the first member that declared it dead.
    package var firstMs: UInt64?
    /// From the crash until all living members knew.
    package var allMs: UInt64?
}
