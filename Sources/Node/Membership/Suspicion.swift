import Wire

/// A running suspicion of a member (Lifeguard's "LHA-Suspicion"): it starts long and every independent accuser shortens
/// it, so that a node which is itself in trouble does not bury the healthy on its own word.
struct Suspicion: Sendable {
    let id: NodeID
    /// When the member is declared dead unless it refutes.
    private(set) var deadlineMs: UInt64
    /// When the suspect is told again; never when the suspicion is hearsay.
    var remindAtMs = UInt64.max
    private var startMs: UInt64
    private let minMs: UInt64
    private let maxMs: UInt64
    private let needed: Int
    /// The accusers in the order in which they were heard of; the first does not count as a confirmation.
    private(set) var accusers: [NodeID]

    init(of id: NodeID, by accuser: NodeID, members: Int, configuration: MembershipConfiguration, nowMs: UInt64) {
        self.id = id
        startMs = nowMs
        needed = configuration.confirmationsNeeded(members: members)
        minMs = configuration.suspicionMinMs(members: members)
        maxMs = configuration.suspicionMaxMs(members: members)
        accusers = [accuser]
        deadlineMs = nowMs + maxMs
    }

    var nextMs: UInt64 { min(deadlineMs, remindAtMs) }

    /// Counts an accuser.
    ///
    /// - Returns: whether this is news that others should hear.
    mutating func confirm(by accuser: NodeID) -> Bool {
        guard accusers.count <= needed, !accusers.contains(accuser) else { return false }
        accusers.append(accuser)
        let confirmations = accusers.count - 1
        let shortened = (maxMs - minMs) * binaryLogarithm(confirmations + 1) / binaryLogarithm(needed + 1)
        deadlineMs = startMs + max(minMs, maxMs - shortened)
        return true
    }

    /// Leaves out a time in which this node did not run.
    mutating func postpone(byMs pauseMs: UInt64) {
        startMs += pauseMs
        deadlineMs += pauseMs
        if remindAtMs != .max { remindAtMs += pauseMs }
    }
}

/// Lifeguard's local health multiplier: how much this node doubts itself. Lost answers raise it, good ones lower it;
/// a high score slows the node's accusations down.
struct LocalHealth: Sendable {
    private(set) var score = 0
    let max: Int

    /// What the probe times are multiplied by.
    var factor: UInt64 { UInt64(score + 1) }

    mutating func better() { score = Swift.max(0, score - 1) }
    mutating func worse(by amount: Int = 1) { score = Swift.min(max, score + amount) }
}
