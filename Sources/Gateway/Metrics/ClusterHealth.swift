import Fleet
import StormoClient
import Synchronization
import Wire

/// How the cluster is, as `/health` tells it.
struct ClusterHealth: Sendable, Hashable {
    /// In one word.
    enum Status: String, Sendable {
        /// Every node answers.
        case ok
        /// Some do not, and everything can still be read and written.
        case degraded
        /// Some range has no quorum.
        case unavailable
    }

    /// In one word.
    var status: Status
    /// Members of the ring that answer.
    var alive: Int
    /// Members of the ring.
    var total: Int
    /// The ring's number; 0 when there is none.
    var epoch: UInt32
    /// Whether this gateway reaches the cluster at all.
    var isReachable: Bool

    /// Judges what the membership says together with a quorum read that was tried just now. The membership may be
    /// old when no node is reached, and the read sees one range only, so both are asked.
    static func judge(_ cluster: ClusterState?, probe: ClientError?) -> ClusterHealth {
        let isReachable: Bool
        switch probe {
        case nil, .noQuorum, .overloaded, .outcomeUnknown: isReachable = true
        case .refused(let code, _): isReachable = code != .noRing
        case .unreachable, .closed: isReachable = false
        }
        guard let cluster, let ring = cluster.ring, !ring.members.isEmpty else {
            return ClusterHealth(status: .unavailable, alive: 0, total: 0, epoch: 0, isReachable: false)
        }
        let alive = Set(cluster.members.filter { $0.state == .alive }.map(\.identity.id))
        let missing = ring.members.count { !alive.contains($0.id) }
        let isWhole = probe == nil && (missing <= ring.replicas - ring.quorum || hasQuorumEverywhere(ring, alive))
        let status: Status = !isWhole ? .unavailable : missing > 0 ? .degraded : .ok
        return ClusterHealth(
            status: status, alive: ring.members.count - missing, total: ring.members.count, epoch: ring.epoch.rawValue,
            isReachable: isReachable)
    }

    private static func hasQuorumEverywhere(_ ring: Ring, _ alive: Set<NodeID>) -> Bool {
        ring.members.allSatisfy { member in
            member.tokens.allSatisfy { token in
                ring.replicas(of: token).count { alive.contains($0) } >= ring.quorum
            }
        }
    }
}

/// Asks how the cluster is, and repeats the answer for a while, so that asking often costs nothing.
final class HealthMonitor: Sendable {
    /// A key that nobody writes.
    private static let probeKey = Key.system("gateway/probe")

    private let client: StormoClient
    private let maxAgeMs: UInt64
    private let last = Mutex<(health: ClusterHealth, atMs: Int64)?>(nil)

    init(client: StormoClient, maxAgeMs: UInt64) {
        self.client = client
        self.maxAgeMs = maxAgeMs
    }

    /// How the cluster is, or was a moment ago.
    func health() async -> ClusterHealth {
        let now = WallClock.steadyMs()
        if let last = last.withLock({ $0 }), now - last.atMs < Int64(maxAgeMs) { return last.health }
        var failure: ClientError?
        do throws(ClientError) {
            _ = try await client.get(Self.probeKey)
        } catch { failure = error }
        let health = ClusterHealth.judge(client.cluster, probe: failure)
        last.withLock { $0 = (health, WallClock.steadyMs()) }
        return health
    }
}
