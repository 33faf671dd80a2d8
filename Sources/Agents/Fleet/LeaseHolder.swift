package import StormoClient
package import Wire

/// A lock this process holds for a while.
package struct HeldLease: Sendable, Hashable {
    /// The lock's name.
    package var name: String
    /// The fencing token of the acquisition.
    package var token: Ballot
    /// Until when it may be relied on, by ``WallClock/steadyMs()``.
    package var validUntilMs: Int64
}

/// Takes and renews locks, counting each lease from before its request by the steady clock, and ending it by the clock
/// drift before the cluster may pass it on.
package struct LeaseHolder<Cluster: FleetCluster>: Sendable {
    private let cluster: Cluster
    private let owner: String
    private let ttlMs: UInt64
    private let driftMaxMs: UInt64
    private let steadyMs: @Sendable () -> Int64

    /// A holder of locks for `ttlMs` milliseconds each, renewed by the caller well before.
    /// - Parameter driftMaxMs: how far two clocks of the cluster may differ, milliseconds.
    package init(
        cluster: Cluster, owner: String, ttlMs: UInt64, driftMaxMs: UInt64 = 500,
        steadyMs: @escaping @Sendable () -> Int64 = WallClock.steadyMs
    ) {
        self.cluster = cluster
        self.owner = owner
        self.ttlMs = ttlMs
        self.driftMaxMs = driftMaxMs
        self.steadyMs = steadyMs
    }

    /// Takes the lock; nil when somebody holds it.
    package func acquire(_ name: String) async throws(ClientError) -> HeldLease? {
        let asked = steadyMs()
        let answer = try await cluster.acquire(name, owner: owner, ttlMs: ttlMs)
        guard answer.applied, let token = answer.version else { return nil }
        return HeldLease(name: name, token: token, validUntilMs: end(asked))
    }

    /// Extends a lock; nil when it is no longer ours. While the cluster does not answer, the lease runs on to its end.
    package func renew(_ lease: HeldLease) async throws(ClientError) -> HeldLease? {
        let asked = steadyMs()
        let answer = try await cluster.renew(lease.name, token: lease.token, ttlMs: ttlMs)
        guard answer.applied else { return nil }
        return HeldLease(name: lease.name, token: lease.token, validUntilMs: end(asked))
    }

    /// Gives a lock back; when the cluster does not answer it ends by itself.
    package func release(_ lease: HeldLease) async {
        _ = try? await cluster.release(lease.name, token: lease.token)
    }

    /// Whether a lease may still be relied on.
    package func isValid(_ lease: HeldLease) -> Bool {
        steadyMs() < lease.validUntilMs
    }

    private func end(_ askedMs: Int64) -> Int64 {
        askedMs + Int64(ttlMs) - Int64(min(driftMaxMs, ttlMs))
    }
}
