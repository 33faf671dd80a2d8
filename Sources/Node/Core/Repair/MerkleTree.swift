import Wire

/// The tree of a stretch of the ring in the making (Merkle 1987): filled from pages of registers in the order of their
/// tokens.
///
/// A tree takes in a bounded number of registers. Where there are more it ends early, behind the last leaf that is whole;
/// the stretch behind it is compared by another tree. So no stretch is too large, whoever has how much of it.
struct MerkleTree {
    /// Which tokens.
    let range: TokenRange
    /// The leaves so far, and behind `isDone` all that are whole.
    private(set) var leaves: [UInt64]
    /// How many registers with an accepted cell each leaf has.
    private(set) var counts: [Int]
    /// The last register taken in.
    private(set) var after: Key?
    /// Whether nothing more is taken in.
    private(set) var isDone = false

    private let leafTokens: UInt64
    private var taken = 0

    init(_ range: TokenRange, leaves count: Int) {
        self.range = range
        leafTokens = range.last / UInt64(count)
        let count = leafTokens == 0 ? 1 : count
        leaves = Array(repeating: 0, count: count)
        counts = Array(repeating: 0, count: count)
    }

    /// In which leaf a token of the range lies.
    func leaf(of token: UInt64) -> Int {
        leaves.count == 1 ? 0 : min(Int(clamping: range.distance(to: token) / leafTokens), leaves.count - 1)
    }

    /// Takes in the registers that follow. Ends behind the last of them, or when `keysMax` registers have been taken in.
    mutating func add(_ page: RegisterPage, keysMax: Int) {
        for item in page.items {
            guard let accepted = item.state.accepted else { continue }
            let leaf = leaf(of: item.key.token)
            leaves[leaf] ^= Tree.hash(of: item.key, accepted: accepted.ballot)
            counts[leaf] += 1
        }
        taken += page.items.count
        after = page.items.last?.key ?? after
        if !page.hasMore {
            isDone = true
        } else if taken >= keysMax, leaves.count > 1, let after {
            let whole = leaf(of: after.token)
            leaves.removeSubrange(whole...)
            counts.removeSubrange(whole...)
            isDone = true
        }
    }
}

extension TokenRange {
    /// The stretch of some of the leaves that a tree of `count` leaves cuts it into.
    func stretch(ofLeaves some: Range<Int>, of count: Int) -> TokenRange {
        let leafTokens = last / UInt64(count)
        guard leafTokens > 0, count > 1 else { return self }
        return TokenRange(
            after: after &+ UInt64(some.lowerBound) &* leafTokens,
            through: some.upperBound == count ? through : after &+ UInt64(some.upperBound) &* leafTokens)
    }
}
