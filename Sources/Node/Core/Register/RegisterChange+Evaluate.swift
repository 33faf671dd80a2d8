package import Wire

/// What a change makes of a register's present cell.
package enum ChangeEffect: Hashable, Sendable {
    /// The cell to write.
    case write(Cell)
    /// The condition does not hold.
    case refuse
}

extension RegisterChange {
    /// The cell that this change proposes under `ballot`, given the newest cell (nil for none), judged at `stampMs`
    /// (milliseconds since 1970).
    ///
    /// Conditional changes carry the version that they compared with as their base, so that a proposer whose answer
    /// was lost can tell whether its change came before.
    package func evaluate(current: Cell?, ballot: Ballot, stampMs: UInt64) -> ChangeEffect {
        let live = current?.value(atMs: stampMs)
        let base = current?.version ?? .zero
        switch self {
        case .put(let value, let ttlMs, let condition):
            guard holds(condition, current: current, live: live) else { return .refuse }
            return .write(
                Cell(
                    version: ballot, base: condition == .none ? nil : base, content: .value(value),
                    expiryMs: ttlMs.map { stampMs + $0 }))
        case .delete(let condition):
            guard holds(condition, current: current, live: live) else { return .refuse }
            return .write(
                Cell(version: ballot, base: condition == .none ? nil : base, content: .tombstone, expiryMs: nil))
        case .acquire(let owner, let ttlMs):
            guard live == nil else { return .refuse }
            let lease = Lease(owner: owner, token: ballot)
            return .write(Cell(version: ballot, base: base, content: .value(lease.encoded), expiryMs: stampMs + ttlMs))
        case .renew(let token, let ttlMs):
            guard let live, (try? Lease(live))?.token == token else { return .refuse }
            return .write(Cell(version: ballot, base: base, content: .value(live), expiryMs: stampMs + ttlMs))
        case .release(let token):
            guard let live, (try? Lease(live))?.token == token else { return .refuse }
            return .write(Cell(version: ballot, base: base, content: .tombstone, expiryMs: nil))
        }
    }

    private func holds(_ condition: Condition, current: Cell?, live: [UInt8]?) -> Bool {
        switch condition {
        case .none: true
        case .absent: live == nil
        case .version(let version): live != nil && current?.version == version
        }
    }
}

extension Cell {
    /// The cell as answered to a client: an expired value is a tombstone.
    func judged(atMs nowMs: UInt64) -> Cell {
        guard case .value = content, value(atMs: nowMs) == nil else { return self }
        return Cell(version: version, base: base, content: .tombstone, expiryMs: expiryMs)
    }
}
