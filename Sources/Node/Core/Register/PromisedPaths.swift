import Wire

/// Where a next change of a key may go without a prepare: the replicas have promised its ballot along with their last
/// acceptance (CASPaxos, Rystsov 2018, section 2.2.1).
struct PromisedPaths {
    /// A ballot that a majority has promised to this coordinator, and what that majority has accepted last.
    struct Path {
        let ballot: Ballot
        let newest: AcceptedCell
    }

    private var paths: [Key: Path] = [:]

    /// Remembers a path; when there are `max` already, all are forgotten first, since each only saves a round trip.
    mutating func remember(_ key: Key, _ path: Path, max: Int) {
        if paths.count >= max { paths = [:] }
        paths[key] = path
    }

    /// Gives a path out; it is good for one operation, once.
    mutating func take(_ key: Key) -> Path? {
        if Mutation.fastBallotReused.isOn { return paths[key] }
        return paths.isEmpty ? nil : paths.removeValue(forKey: key)
    }

    /// A path is of no use any more.
    mutating func drop(_ key: Key) {
        if !paths.isEmpty { paths[key] = nil }
    }

    /// No path outlives its epoch.
    mutating func dropAll() { paths = [:] }
}

/// Keys on which proposers have collided lately.
struct Collisions {
    private var untilMs: [Key: UInt64] = [:]

    private static let keysMax = 4_096
    private static let durationMs: UInt64 = 1_000

    /// A proposal on this key was refused.
    mutating func note(_ key: Key, nowMs: UInt64) {
        if untilMs.count >= Self.keysMax { untilMs = untilMs.filter { $0.value > nowMs } }
        if untilMs.count < Self.keysMax { untilMs[key] = nowMs + Self.durationMs }
    }

    /// Whether one was within the last second.
    func isHot(_ key: Key, nowMs: UInt64) -> Bool {
        guard !untilMs.isEmpty, let until = untilMs[key] else { return false }
        return nowMs < until
    }
}

/// The one-round-trip path of changes that depend on what is there.
extension Node {
    /// Runs a conditional change on a ballot that is promised already; says whether there was one.
    mutating func runFast(_ id: OperationID) -> Bool {
        let key = operations[id].key
        guard !collisions.isHot(key, nowMs: time.monotonicMs), let path = promisedPaths.take(key) else { return false }
        // The promise may be forgotten with a tombstone when it is old enough.
        guard path.ballot.time.milliseconds + limits.operationAgeMaxMs > clock.latest.milliseconds else { return false }
        // A value that is about to expire is judged by more clocks than this one.
        if let expiry = path.newest.cell.expiryMs,
            expiry <= operations[id].stampMs + limits.clockDriftMaxMs + limits.operationTimeoutMs
        {
            return false
        }
        counters.fastPaths += 1
        operations[id].ballot = path.ballot
        operations[id].newest = path.newest
        if Mutation.fastMismatchFromMemory.isOn, case .write(let change, _) = operations[id].goal,
            case .refuse = change.evaluate(
                current: path.newest.cell, ballot: path.ballot, stampMs: operations[id].stampMs)
        {
            finish(
                id,
                .written(WriteAnswer(applied: false, version: nil, expiryMs: nil, current: path.newest.cell)))
            return true
        }
        // A comparison that fails is committed like any other: what this coordinator remembers may have been passed.
        change(id, path.newest.cell)
        return true
    }

    /// The ballot that an accept asks the replicas to promise along: only for operations that others like it follow.
    mutating func nextBallot(for id: OperationID) -> Ballot? {
        guard case .write(let change, let consistency) = operations[id].goal,
            change.isConditional || consistency == .serial, !RingRegister.isOne(operations[id].key),
            !collisions.isHot(operations[id].key, nowMs: time.monotonicMs)
        else { return nil }
        return freshBallot()
    }

    /// A majority has accepted: when a majority of these have promised the next ballot, the next change takes it.
    mutating func rememberPath(_ id: OperationID) {
        let operation = operations[id]
        guard operation.nextBallot != .zero, let cell = operation.proposal else { return }
        guard operation.replicaSet.isQuorum(operation.promisedNext) || Mutation.fastPathWithoutPromise.isOn else {
            return
        }
        promisedPaths.remember(
            operation.key,
            PromisedPaths.Path(
                ballot: operation.nextBallot, newest: AcceptedCell(ballot: operation.ballot, cell: cell)),
            max: limits.promisedPathsMax)
    }
}
