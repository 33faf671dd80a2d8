import NodeCore
import Wire

/// Scenarios whose clients are members of consumer groups.
extension Scenario {
    /// What dice of groups are for.
    static let groupDice: UInt64 = 13

    mutating func drawGroups() {
        var dice = Dice(seed: seed, Self.groupDice)
        var plan = GroupPlan()
        plan.members = dice.pick(1...4)
        plan.partitions = dice.pick(1...3)
        plan.records = Offset(dice.pick(20...300))
        plan.recordsMax = dice.pick(1...10)
        plan.handlingMaxMs = dice.pick([(2, weight: 2), (20, weight: 2), (200, weight: 1)]) ?? 2
        plan.pauseMaxMs = dice.pick(5...200)
        let isImpatient = kinds.contains(.impatience)
        plan.patienceMs = isImpatient ? dice.pick(5...limits.operationTimeoutMs) : limits.operationTimeoutMs * 2
        let driftMs = limits.clockDriftMaxMs
        plan.bounds = GroupLease.Bounds(
            lengthMs: driftMs + plan.handlingMaxMs + dice.pick(150...1_500), driftMaxMs: driftMs, marginMs: driftMs)
        func chance(_ most: Double) -> Double { dice.chance(0.5) ? dice.pick(0...most) : 0 }
        plan.crashes = chance(0.1)
        plan.pauses = chance(0.1)
        plan.releases = chance(0.2)
        plan.seeks = chance(0.1)
        plan.pausedMaxMs = plan.bounds.lengthMs * 2
        plan.spanMs = dice.pick(isDense ? 500...3_000 : 1_000...6_000)
        groups = plan
    }
}
