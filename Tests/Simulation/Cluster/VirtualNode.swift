import Membership
import NodeCore
import Wire

/// A node of a virtual cluster with what is around it: its disk, its clock, its life.
final class VirtualNode {
    /// The core; nil while the node is down.
    var node: Node<MemoryStore>?
    /// Its disk.
    var store = MemoryStore()
    /// How often it has started.
    var run = 0
    /// How far its wall clock is from the true time, in milliseconds.
    var skewMs: Int64 = 0
    /// Time of a sync of its disk, in milliseconds; nil for the cluster's.
    var syncMs: ClosedRange<UInt64>?
    /// A sync under way: up to which entry, since when, until when.
    var sync: (through: JournalSequence, sinceMs: UInt64, untilMs: UInt64)?
    /// The process stands still until then.
    var pausedUntilMs: UInt64 = 0
    /// What has arrived meanwhile, in order.
    var arrivals: [NodeInput] = []
    /// Its ticks come at this time of every ten milliseconds.
    var tickPhaseMs: UInt64 = 0
    var tickedMs: UInt64 = 0
    private let id: NodeID

    init(id: NodeID) { self.id = id }

    var isUp: Bool { node != nil }

    /// The identity of its present run.
    var identity: PeerIdentity {
        PeerIdentity(
            role: .node, id: id, name: "n\(id.rawValue)", incarnation: UInt64(max(run, 1)),
            address: "n\(id.rawValue):1")
    }

    static let tickMs: UInt64 = 10

    /// When it has something to do of its own after `nowMs`, or at it when it was not done yet; nil while it is down.
    func nextMs(after nowMs: UInt64) -> UInt64? {
        guard isUp else { return nil }
        let sinceTick = (nowMs + Self.tickMs - tickPhaseMs) % Self.tickMs
        let tick = sinceTick == 0 && tickedMs != nowMs ? nowMs : nowMs + Self.tickMs - sinceTick
        return arrivals.isEmpty ? max(min(tick, sync?.untilMs ?? .max), pausedUntilMs) : pausedUntilMs
    }
}
