import Wire

/// A change of the ring that an operator has asked for.
struct RingOrder {
    /// Its requests to nodes are numbered from here on.
    static let firstClient = 1 << 24
    /// Requests that ask nodes to repair are numbered from here on.
    static let firstRepair = 1 << 30

    let change: RingChange
    /// How often he will still ask.
    var attemptsLeft: Int
    /// The number of his last request.
    var request = 0
    var isAnswered = false
}
