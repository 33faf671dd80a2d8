/// How the network treats messages. Chances are 0 to 1, times are milliseconds.
package struct Weather: Sendable, Hashable {
    /// Chance that a message between nodes is lost.
    package var loss = 0.0
    /// Chance that a message between nodes is delivered a second time, soon after the first.
    package var duplication = 0.0
    /// Time of a message between nodes; a range also changes their order.
    package var delayMs: ClosedRange<UInt64> = 1...3
    /// Chance that a message between nodes takes `lateMs` in place of `delayMs`.
    var lateness = 0.0
    var lateMs: ClosedRange<UInt64> = 1...3
    /// Chance that a message between nodes is delivered a second time after `lateCopyMs`.
    var lateCopies = 0.0
    var lateCopyMs: ClosedRange<UInt64> = 1...3
    /// Time of a message between a client and a node; at 0 answers are heard at once.
    var clientDelayMs: ClosedRange<UInt64> = 0...0
    /// Chance that a client's request or its answer is lost.
    var clientLoss = 0.0
    /// How long it takes until the ends of a connection notice that the other one is there, or gone; at 0 at once.
    var noticeMs: ClosedRange<UInt64> = 0...0
    /// Whether requests between nodes are also delivered to a later run of the receiver, and everything after the sender's
    /// end; else messages die with either end, as those of a connection do.
    var outlivesEnds = false
}
