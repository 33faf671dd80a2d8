import NodeCore
import Wire

/// Something that must hold at every moment of a run, whatever clients see of it.
protocol Invariant {
    /// What a failure is called.
    var name: String { get }

    /// Looks at what has happened; says what is wrong with it.
    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String?
}

/// All of them.
enum Invariants {
    static func all(_ workload: Workload) -> [any Invariant] {
        switch workload {
        case .registers: ofRegisters()
        case .logs: ofRegisters() + ofLogs()
        case .groups: ofRegisters() + [GroupRegistersFollow()]
        }
    }

    private static func ofRegisters() -> [any Invariant] {
        [
            BallotsAreUsedOnce(), RepliesAreDurable(), PromisesStay(), VersionsAreImmutable(), EpochsAreDecidedOnce(),
            AmnesiacsAreSilent(), EpochsMatch(), OldFramesAreRefused(), ConditionsArePromised(),
            OnlyOldCellsAreDropped(),
            CopiesAreOfMajorities(), GivenUpIsGone(),
        ]
    }
}

extension Message {
    /// Whether a replica tells with it what it holds or has promised.
    var isWordOfReplica: Bool {
        switch self {
        case .promise, .accepted, .replicaState, .refused, .rangePage, .replicaPage, .tree, .collected: true
        default: false
        }
    }
}

extension Key {
    /// Whether it is a register that several nodes agree on: also those of rings, which each node keeps for itself.
    var isReplicated: Bool { !isLocal || bytes.dropFirst(2).starts(with: Array("ring/".utf8)) }
}

/// A key at a node.
struct NodeKey: Hashable {
    let node: Int
    let key: Key
}
