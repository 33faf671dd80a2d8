/// Scenarios of topics in which stored batches are damaged.
extension Scenario {
    /// What dice of damage are for.
    static let logDamageDice: UInt64 = 11

    /// Adds damage to a part of the scenarios, and leaves all others as they are.
    func drawLogDamage(_ plan: inout LogPlan) {
        var dice = Dice(seed: seed, Self.logDamageDice)
        guard dice.chance(0.2) else { return }
        for _ in 0..<dice.pick(1...4) {
            plan.faults.append(
                LogFault(
                    kind: .damage, partition: dice.pick(0...plan.partitions.count - 1),
                    atMs: dice.pick(50...(isDense ? 2_000 : 4_000)), forMs: 0, draw: dice.number()))
        }
        // Who reads from before comes upon it.
        for index in plan.consumers.indices { plan.consumers[index].goesBack = dice.pick(0.05...0.4) }
    }
}
