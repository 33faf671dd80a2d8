import NodeCore

/// Scenarios of topics in which nodes join the ring, leave it and are replaced, so that partitions move.
extension Scenario {
    /// What dice of moves are for.
    static let logMoveDice: UInt64 = 10

    /// Adds changes of the ring to a part of the scenarios, and leaves all others as they are.
    mutating func drawLogMoves() {
        var dice = Dice(seed: seed, Self.logMoveDice)
        guard dice.chance(0.25) else { return }
        spares = dice.pick(1...2)
        let kinds: [FaultKind] = [.joins, .leaves, .replacements, .deadReplacements, .factorChanges]
        let used = kinds.filter { _ in dice.chance(0.5) }
        self.kinds.formUnion(used.isEmpty ? [.joins, .replacements] : used)
        if dice.chance(0.2) { self.kinds.insert(.aborts) }
        if dice.chance(0.2) { self.kinds.insert(.rivalOperators) }
        limits.ringStepPauseMs = dice.pick(10...200)
        limits.ringGreetingMs = dice.pick(50...500)
        limits.ringSpreadPauseMs = dice.pick(5...50)
        limits.copyPageKeys = dice.pick([(1, weight: 1), (4, weight: 1), (256, weight: 2)]) ?? 256
        // Without it nobody moves partitions.
        limits.balanceIntervalMs = dice.pick(50...600)
        limits.partitionMovesMax = dice.pick([(1, weight: 1), (16, weight: 3)]) ?? 16
        // What moves must arrive while the clients are about.
        limits.catchUpBytesPerSecond = dice.pick([(20_000, weight: 1), (64 << 20, weight: 3)]) ?? 20_000
        for kind in kinds { script(kind, &dice) }
        faults.sort { $0.atMs < $1.atMs }
    }

    /// Whether partitions are moved to where they should be.
    var movesPartitions: Bool { limits.balanceIntervalMs > 0 }
}
