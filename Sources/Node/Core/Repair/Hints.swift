import Wire

extension Node {
    /// Keeps an accept for a replica that missed it.
    mutating func leaveHint(for node: NodeID, _ accept: Accept) {}
}
