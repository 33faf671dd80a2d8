/// What can go wrong in a scenario. Each seed draws some of them, and how strongly.
package enum FaultKind: String, CaseIterable, Sendable {
    /// Messages between nodes are lost.
    case loss
    /// Messages take longer, and overtake each other.
    case delays
    /// Some messages come later than a round is waited for, or later than `operationAgeMax`.
    case lateness
    /// Messages between nodes come twice.
    case duplicates
    /// Messages come a second time, long after the first.
    case lateCopies
    /// Requests arrive in a later run of their receiver, and everything after its sender's end.
    case outliving
    /// Messages of one direction between two nodes are dropped.
    case oneWayCuts
    /// Messages of both directions between two nodes are dropped.
    case twoWayCuts
    /// A node is cut off from all others.
    case isolation
    /// Connections break and come back.
    case flaps
    /// A node's process stands still.
    case pauses
    /// A node stops and loses what was not synced.
    case crashes
    /// All nodes stop at once.
    case clusterCrashes
    /// Nodes stop right after they have applied something, before it is synced, or right after a client was answered.
    case aimedCrashes
    /// A crash leaves some of the entries that were not synced.
    case tornCommits
    /// A disk takes no writes for a while.
    case fullDisks
    /// A disk takes long to sync for a while.
    case slowDisks
    /// Wall clocks differ, within the bound.
    case skew
    /// Wall clocks jump forward and back, within the bound.
    case clockJumps
    /// Wall clocks jump beyond the bound.
    case wildClocks
    /// Nodes are taken for dead that are not.
    case falseDeaths
    /// A node that holds nothing joins the ring.
    case joins
    /// A node leaves the ring.
    case leaves
    /// A node of the ring is replaced by one that holds nothing.
    case replacements
    /// A node stops for good, and is replaced.
    case deadReplacements
    /// The replication factor is changed.
    case factorChanges
    /// Changes of the ring are taken back while they are under way.
    case aborts
    /// Two operators change the ring at the same time.
    case rivalOperators
    /// A node stops and loses its database.
    case lostDatabases
    /// Rows of a node's database are damaged.
    case damagedRegisters
    /// Clients give up early and try again elsewhere.
    case impatience
    /// Requests of clients and their answers are lost.
    case clientLoss

    /// Whether the ring changes.
    var changesRing: Bool {
        switch self {
        case .joins, .leaves, .replacements, .deadReplacements, .factorChanges: true
        default: false
        }
    }

    /// Whether nodes lose what they had.
    var loses: Bool { self == .lostDatabases || self == .damagedRegisters }
}

/// A fault that happens at a certain time.
struct ScriptedFault: Sendable {
    let kind: FaultKind
    /// Since the end of the founding, in milliseconds.
    let atMs: UInt64
    /// How long it lasts.
    let forMs: UInt64
    /// Whom it hits; `other` is the other end for faults of two nodes.
    let node: Int
    let other: Int
    /// Milliseconds of a clock's jump.
    let amount: Int64
}
