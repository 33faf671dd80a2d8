/// A child's place in the order of things: started from the first to the last, stopped from the last to the first.
enum ChildTier: Int, Sendable, Hashable, CaseIterable, Comparable {
    /// Holds data.
    case node
    /// Speaks HTTP.
    case gateway
    /// Runs an application.
    case agent

    static func < (a: ChildTier, b: ChildTier) -> Bool { a.rawValue < b.rawValue }
}

/// What happens to a supervisor.
enum SupervisorInput: Sendable, Hashable {
    /// It begins.
    case start
    /// A child runs.
    case spawned(child: Int)
    /// A child could not be started.
    case spawnFailed(child: Int, reason: String)
    /// A child ended.
    case exited(child: Int, ChildExit)
    /// A child's pause is over.
    case restartDue(child: Int)
    /// The nodes answer.
    case clusterReady
    /// Somebody asks it to stop; asked again, it hurries.
    case stop
    /// The children of a tier have had their time to stop.
    case graceOver(ChildTier)
}

/// What a supervisor does about it.
enum SupervisorOutput: Sendable, Hashable {
    /// Start a child.
    case spawn(child: Int)
    /// Ask a child to stop (SIGTERM).
    case terminate(child: Int)
    /// End a child (SIGKILL).
    case kill(child: Int)
    /// Give `restartDue` after a pause.
    case restartTimer(child: Int, afterMs: UInt64)
    /// Give `graceOver` after a time.
    case graceTimer(ChildTier, afterMs: UInt64)
    /// Tell people.
    case say(String)
    /// All children are gone; the supervisor ends.
    case finished(code: Int32)
}

/// The decisions of `stormo up`: which child is started, restarted, stopped and when. A value without processes, clocks
/// or tasks of its own.
struct SupervisorCore: Sendable {
    /// A child as the supervisor knows it.
    struct Child: Sendable, Hashable {
        /// Its name.
        let name: String
        /// Its place in the order.
        let tier: ChildTier
        /// How it is.
        fileprivate(set) var state = State.waiting
        /// Deaths in a row.
        fileprivate(set) var deaths = 0
        /// Times it was started again.
        fileprivate(set) var restarts = 0

        init(name: String, tier: ChildTier) {
            self.name = name
            self.tier = tier
        }
    }

    /// How a child is.
    enum State: Sendable, Hashable {
        /// Not started yet.
        case waiting
        /// Being started; `spawned` or `spawnFailed` follows.
        case starting
        /// Running since a time.
        case running(sinceMs: UInt64)
        /// Dead, and waiting to be started again.
        case pausing
        /// Gone for good.
        case ended
    }

    private enum Phase: Sendable, Hashable {
        case running
        case stopping(ChildTier)
        case over
    }

    /// The children, by the number under which inputs and outputs name them.
    private(set) var children: [Child]
    private let policy: RestartPolicy
    private let graceMs: UInt64
    private var phase = Phase.running
    private var isHurried = false
    private var exitCode: Int32 = 0

    /// A supervisor of children, none of which runs yet. Each tier gets `graceMs` to stop.
    init(children: [Child], policy: RestartPolicy, graceMs: UInt64) {
        self.children = children
        self.policy = policy
        self.graceMs = graceMs
    }

    /// Whether it is on its way out.
    var isStopping: Bool { phase != .running }

    /// Takes an input at a time in milliseconds of a clock that never goes back.
    mutating func handle(_ input: SupervisorInput, nowMs: UInt64) -> [SupervisorOutput] {
        switch input {
        case .start:
            // A supervisor of gateways and agents alone has no nodes to wait for.
            return spawnWaiting(upTo: children.contains { $0.tier == .node } ? .node : .agent)
        case .clusterReady: return isStopping ? [] : spawnWaiting(upTo: .agent)
        case .spawned(let child): return spawned(child, nowMs)
        case .spawnFailed(let child, let reason): return spawnFailed(child, reason)
        case .exited(let child, let status): return exited(child, status, nowMs)
        case .restartDue(let child):
            guard !isStopping, children[child].state == .pausing else { return [] }
            children[child].state = .starting
            children[child].restarts += 1
            return [.spawn(child: child)]
        case .stop: return stop()
        case .graceOver(let tier): return graceOver(tier)
        }
    }

    private mutating func spawnWaiting(upTo last: ChildTier) -> [SupervisorOutput] {
        var outputs: [SupervisorOutput] = []
        for index in children.indices where children[index].state == .waiting && children[index].tier <= last {
            children[index].state = .starting
            outputs.append(.spawn(child: index))
        }
        return outputs
    }

    private mutating func spawned(_ child: Int, _ nowMs: UInt64) -> [SupervisorOutput] {
        children[child].state = .running(sinceMs: nowMs)
        // The word to stop came while the child was being started.
        guard case .stopping(let tier) = phase, children[child].tier >= tier else { return [] }
        return [isHurried ? .kill(child: child) : .terminate(child: child)]
    }

    private mutating func spawnFailed(_ child: Int, _ reason: String) -> [SupervisorOutput] {
        let told = SupervisorOutput.say("\(children[child].name) cannot be started: \(reason)")
        guard !isStopping else {
            children[child].state = .ended
            return [told] + nextTier()
        }
        // It has run before, so the reason is one that may pass: memory or processes were short.
        if children[child].restarts > 0 {
            let pauseMs = policy.pause(deaths: children[child].deaths)
            children[child].deaths += 1
            children[child].state = .pausing
            return [told, .restartTimer(child: child, afterMs: pauseMs)]
        }
        children[child].state = .ended
        return [told] + beginStop(code: CommandExit.failure)
    }

    private mutating func exited(_ child: Int, _ status: ChildExit, _ nowMs: UInt64) -> [SupervisorOutput] {
        let name = children[child].name
        var ranMs: UInt64 = 0
        if case .running(let sinceMs) = children[child].state { ranMs = nowMs - min(nowMs, sinceMs) }
        guard !isStopping else {
            children[child].state = .ended
            let isClean = status == .code(0) || status == .signal(15)
            return (isClean ? [] : [.say("\(name) ended with \(status)")]) + nextTier()
        }
        let verdict = policy.verdict(
            status: status, isAgent: children[child].tier == .agent, ranMs: ranMs, deaths: children[child].deaths)
        switch verdict {
        case .restart(let pauseMs):
            children[child].deaths = ranMs >= policy.healthyAfterMs ? 1 : children[child].deaths + 1
            children[child].state = .pausing
            return [
                .say("\(name) died (\(status)); it is started again in \(Quantity.durationText(pauseMs))"),
                .restartTimer(child: child, afterMs: pauseMs),
            ]
        case .finished:
            children[child].state = .ended
            return [.say("\(name) has finished")]
        case .hopeless:
            children[child].state = .ended
            return [.say("\(name) refuses to start (\(status)); its log says why")]
                + beginStop(code: CommandExit.failure)
        }
    }

    private mutating func stop() -> [SupervisorOutput] {
        guard isStopping else { return beginStop(code: 0) }
        guard !isHurried else { return [] }
        isHurried = true
        return children.indices.compactMap { index in
            if case .running = children[index].state { .kill(child: index) } else { nil }
        }
    }

    private mutating func beginStop(code: Int32) -> [SupervisorOutput] {
        guard !isStopping else { return [] }
        exitCode = code
        for index in children.indices where children[index].state == .waiting || children[index].state == .pausing {
            children[index].state = .ended
        }
        phase = .stopping(.agent)
        return enter(.agent)
    }

    private mutating func enter(_ tier: ChildTier) -> [SupervisorOutput] {
        phase = .stopping(tier)
        var outputs: [SupervisorOutput] = []
        for index in children.indices where children[index].tier == tier {
            if case .running = children[index].state {
                outputs.append(isHurried ? .kill(child: index) : .terminate(child: index))
            }
        }
        if hasLiving(tier) { return outputs + [.graceTimer(tier, afterMs: graceMs)] }
        return outputs + nextTier()
    }

    private mutating func nextTier() -> [SupervisorOutput] {
        guard case .stopping(let tier) = phase, !hasLiving(tier) else { return [] }
        if let next = ChildTier(rawValue: tier.rawValue - 1) { return enter(next) }
        phase = .over
        return [.finished(code: exitCode)]
    }

    private mutating func graceOver(_ tier: ChildTier) -> [SupervisorOutput] {
        guard phase == .stopping(tier) else { return [] }
        return children.indices.flatMap { index -> [SupervisorOutput] in
            guard children[index].tier == tier, case .running = children[index].state else { return [] }
            return [
                .say("\(children[index].name) did not stop within \(Quantity.durationText(graceMs)); it is ended"),
                .kill(child: index),
            ]
        }
    }

    private func hasLiving(_ tier: ChildTier) -> Bool {
        children.contains { child in
            guard child.tier == tier else { return false }
            switch child.state {
            case .running, .starting: return true
            case .waiting, .pausing, .ended: return false
            }
        }
    }
}
