import Membership
import NodeCore
import Wire

/// Runs one scenario from the founding of its cluster to the checks when all is calm again.
package final class Simulator: ClusterObserver {
    /// Something to be done at a certain time.
    enum Plan {
        /// A client goes on with its next operation.
        case goOn(client: Int)
        /// A client has waited for an operation as long as it likes.
        case giveUp(operation: Int)
        case begin(fault: Int)
        case end(fault: Int)
        case crash(node: Int, downMs: UInt64)
        case restart(node: Int)
        /// An operator asks for his change, for the first time or again.
        case ask(change: Int)
        /// An operator changes his mind.
        case takeBack
        /// A node that is down is replaced, if it still is so in the same run.
        case replaceDead(node: Int, run: Int)
        /// Something of clients of topics.
        case log(LogStep)
        /// Something of members of consumer groups.
        case group(GroupStep)
        /// The membership notices that a node is down, if it still is so in the same run.
        case announceDead(node: Int, run: Int)
    }

    let scenario: Scenario
    let cluster: VirtualCluster
    var plans: [Plan] = []
    var dice: Dice
    /// The faults happen; not so before the scenario begins and once it is over.
    var isStormy = false

    var clients: [SimulatedClient] = []
    var operations: [ClientOperation] = []
    var book = ValueBook()
    var leases = LeaseBook()
    var changes: [RingOrder] = []
    var logs = LogClients()
    var groups = GroupClients()
    private var lastStamp: UInt64 = 0

    private var invariants: [any Invariant]
    var failures: [Failure] = []
    var statistics = Statistics()

    /// A scenario that has not begun. Without invariants only what clients are told is checked.
    package init(_ scenario: Scenario, isTracing: Bool = false, checksInvariants: Bool = true) {
        self.scenario = scenario
        invariants = checksInvariants ? Invariants.all(scenario.workload) : []
        dice = Dice(seed: scenario.seed, Scenario.chanceDice, scenario.reduction.jitter)
        var network = Dice(seed: scenario.seed, Scenario.networkDice, scenario.reduction.jitter)
        cluster = VirtualCluster(
            count: scenario.allNodes, founders: scenario.nodes, seed: network.number(), limits: scenario.limits)
        cluster.isTracing = isTracing
        cluster.tracesDetails = true
    }

    /// Runs it and says what came of it.
    package static func run(_ scenario: Scenario, isTracing: Bool = false, checksInvariants: Bool = true) -> RunResult {
        Simulator(scenario, isTracing: isTracing, checksInvariants: checksInvariants).run()
    }

    /// Runs it to its end.
    package func run() -> RunResult {
        guard cluster.run(forMs: 5_000, until: { cluster.virtualNodes.allSatisfy { $0.node?.ring != nil } }) else {
            fail("founding", "not all nodes have a ring after 5 s without faults")
            return result()
        }
        guard createTopics() else { return result() }
        cluster.observer = self
        note("\(scenario)")
        storm()
        // What is broken already need not be looked at for longer.
        if failures.isEmpty { calm() }
        if failures.isEmpty { checkHistories() }
        return result()
    }

    // MARK: Phases

    private func storm() {
        cluster.weather = scenario.weather
        cluster.syncMs = scenario.syncMs
        for (index, virtual) in cluster.virtualNodes.enumerated() {
            virtual.skewMs = scenario.skewMs[index]
        }
        isStormy = true
        for (index, fault) in scenario.faults.enumerated() { plan(.begin(fault: index), inMs: fault.atMs) }
        startClients()
        startLogClients()
        startGroups()
        // Scripts take a few seconds; a cluster that stands still takes all the patience of all clients.
        cluster.run(forMs: 120_000) {
            !failures.isEmpty || clients.allSatisfy { $0.isDone } && logs.areDone && groupsAreDone
        }
    }

    /// Ends all faults and waits until their consequences have passed.
    private func calm() {
        note("the faults end")
        isStormy = false
        cluster.weather = Weather()
        cluster.syncMs = 1...2
        for (index, virtual) in cluster.virtualNodes.enumerated() {
            virtual.skewMs = scenario.skewMs[index]
            virtual.syncMs = nil
            virtual.store.readOnlyReason = nil
            cluster.restart(index)
        }
        cluster.heal()
        for index in cluster.virtualNodes.indices { cluster.announce(index, .alive) }
        // A clock that was ahead has left its mark on others' hybrid clocks: it wears off as time passes.
        let limits = scenario.limits
        cluster.run(
            forMs: limits.operationTimeoutMs * 2 + limits.ballotCeilingLeadMs + UInt64(scenario.skewMaxMs) * 2)
        finalOperations()
        if failures.isEmpty { finalLogs() }
        if failures.isEmpty { finalGroups() }
        if failures.isEmpty { becomeWhole() }
        if failures.isEmpty { logsBecomeWhole() }
        if failures.isEmpty { lookAgain() }
    }

    // MARK: What every part uses

    func plan(_ plan: Plan, inMs milliseconds: UInt64) {
        plans.append(plan)
        cluster.plan(plans.count - 1, inMs: milliseconds)
    }

    /// A time on the scale of the histories, later than all before.
    func stamp() -> UInt64 {
        lastStamp = max(lastStamp + 1, Self.time(cluster.nowMs))
        return lastStamp
    }

    /// The beginning of a millisecond on the scale of the histories.
    static func time(_ milliseconds: UInt64) -> UInt64 { milliseconds << 20 }

    func fail(_ check: String, _ detail: String) {
        note("FAILS \(check): \(detail)")
        // One is enough to look into; a broken rule would give thousands.
        if failures.count < 5 { failures.append(Failure(check: check, detail: detail)) }
    }

    func note(_ line: @autoclosure () -> String) { cluster.note(line()) }

    private func result() -> RunResult {
        count()
        var result = RunResult()
        result.failures = failures
        result.statistics = statistics
        result.digest = cluster.digest
        result.trace = cluster.trace
        return result
    }

    private func count() {
        statistics.add(.checked, "histories")
        statistics.add(.checked, "operations", operations.count)
        statistics.add(.checked, "ring epochs", Int(currentRing?.epoch.rawValue ?? 0))
        statistics.add(.checked, "virtual ms", Int(cluster.nowMs - VirtualCluster.startMs))
        for operation in operations {
            statistics.add(.operations, operation.kind.rawValue)
            let outcome: String =
                switch operation.outcome {
                case .unknown: "unknown"
                case .failed: "failed"
                case .applied: "applied"
                case .refused: "refused"
                case .found: "found"
                }
            statistics.add(.outcomes, outcome)
        }
        let counts = cluster.counts
        for (name, value) in [
            ("messages lost", counts.lost), ("messages cut off", counts.cut), ("messages late", counts.late),
            ("messages twice", counts.repeated), ("messages twice, late", counts.repeatedLate),
            ("crashes", counts.crashes),
        ] { statistics.add(.faults, name, value) }
        statistics.add(.checked, "messages", counts.delivered)
        for virtual in cluster.virtualNodes {
            for item in virtual.node?.counters.items ?? [] { statistics.add(.core, item.name, Int(item.value)) }
        }
    }

    // MARK: What the cluster tells

    func happened(_ event: ClusterEvent) {
        for index in invariants.indices {
            if let problem = invariants[index].check(event, in: cluster) { fail(invariants[index].name, problem) }
        }
        switch event {
        case .crashed(let index): nodeCrashed(index)
        case .applied(let index, .register), .applied(let index, .append), .applied(let index, .truncate),
            .applied(let index, .log):
            nodeApplied(index)
        default: break
        }
    }

    func heard(_ answer: VirtualCluster.Answer) {
        if LogClients.numbers.contains(answer.client) {
            logAnswered(answer)
        } else if GroupClients.numbers.contains(answer.client) {
            groupAnswered(answer)
        } else if answer.client >= RingOrder.firstClient {
            ordered(answer)
        } else {
            answered(answer)
        }
    }

    func due(_ index: Int) {
        switch plans[index] {
        case .goOn(let client): goOn(client)
        case .giveUp(let operation): giveUp(operation)
        case .begin(let fault): begin(fault)
        case .end(let fault): end(fault)
        case .crash(let node, let downMs): crash(node, downMs: downMs)
        case .restart(let node): cluster.restart(node)
        case .ask(let change): ask(change)
        case .takeBack: order(.abort)
        case .log(let step): go(step)
        case .group(let step): go(step)
        case .replaceDead(let node, let run): replaceDead(node, run: run)
        case .announceDead(let node, let run):
            let virtual = cluster.virtualNodes[node]
            if !virtual.isUp, virtual.run == run { cluster.announce(node, .dead) }
        }
    }
}
