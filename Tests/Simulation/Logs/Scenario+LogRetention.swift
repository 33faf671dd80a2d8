import NodeCore
import Wire

/// Scenarios of topics that keep little.
extension Scenario {
    /// What dice of retention are for.
    static let logRetentionDice: UInt64 = 12

    /// Makes topics of a part of the scenarios keep next to nothing, and leaves all others as they are.
    mutating func drawRetention(_ plan: inout LogPlan) {
        var dice = Dice(seed: seed, Self.logRetentionDice)
        guard dice.chance(0.15) else { return }
        // How often the primary looks.
        limits.topicReviewMs = dice.pick(10...100)
        for index in plan.topics.indices {
            let isByAge = dice.chance(0.5)
            plan.topics[index].configuration.retentionMs = isByAge ? dice.pick(20...400) : 0
            plan.topics[index].configuration.retentionBytes = isByAge && dice.chance(0.5) ? 0 : dice.pick(50...800)
        }
        for index in plan.consumers.indices { plan.consumers[index].goesBack = dice.pick(0...0.4) }
    }
}
