/// The number under which a value is proposed: totally ordered, never used twice.
///
/// Ballots are the only versions there are. A cell's version is the ballot under which its value was first proposed.
public struct Ballot: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// When the ballot was made, on its maker's clock.
    public let time: HybridTime
    /// Its maker; breaks ties.
    public let node: NodeID

    /// Makes a ballot.
    public init(time: HybridTime, node: NodeID) {
        self.time = time
        self.node = node
    }

    /// Below every ballot that is ever made.
    public static let zero = Ballot(time: .zero, node: .none)

    /// By time, then by maker.
    public static func < (a: Ballot, b: Ballot) -> Bool {
        a.time == b.time ? a.node < b.node : a.time < b.time
    }

    /// Thirty-two hexadecimal digits. The width is fixed, so the text sorts as the ballot does: fencing tokens rely on
    /// it.
    public var description: String { Hex.fixed(time.rawValue) + Hex.fixed(node.rawValue) }

    /// Reads back what `description` wrote; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard text.utf8.count == 32 else { return nil }
        guard let time = Hex.number(text.prefix(16)), let node = Hex.number(text.suffix(16)) else { return nil }
        self.init(time: HybridTime(time), node: NodeID(node))
    }
}
