import Membership

/// What a scenario is drawn from. Each purpose has dice of its own, so that leaving one thing out of a scenario does not
/// change all the others.
struct Dice {
    private var random: SplitMix64

    init(seed: UInt64, _ purpose: UInt64, _ part: UInt64 = 0) {
        var mixer = SplitMix64(seed: seed &* 0x2545_F491_4F6C_DD1D ^ purpose << 32 ^ part)
        random = SplitMix64(seed: mixer.next())
    }

    mutating func number() -> UInt64 { random.next() }

    mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &random) < probability
    }

    mutating func pick(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) }
    mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }
    mutating func pick(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &random) }

    /// One of several, by weight; nil when no weight is above 0.
    mutating func pick<Choice>(_ choices: [(Choice, weight: Int)]) -> Choice? {
        let sum = choices.reduce(0) { $0 + $1.weight }
        guard sum > 0 else { return nil }
        var rest = Int.random(in: 0..<sum, using: &random)
        for (choice, weight) in choices {
            if rest < weight { return choice }
            rest -= weight
        }
        return nil
    }
}
