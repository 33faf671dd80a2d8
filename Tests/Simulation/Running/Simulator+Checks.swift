import NodeCore
import Wire

/// What must hold when all is over.
extension Simulator {
    /// With all faults over, every key can be read and written at every node within a bounded time, and what is read there
    /// is part of the histories.
    func finalOperations() {
        for family in KeyFamily.allCases where family != .weak {
            for key in (scenario.keys[family] ?? []).indices {
                for node in cluster.virtualNodes.indices { insist(family == .lock ? .getLock : .get, key, node) }
            }
        }
        for key in (scenario.keys[.register] ?? []).indices {
            insist(.put, key, key % cluster.virtualNodes.count)
            insist(.get, key, (key + 1) % cluster.virtualNodes.count)
        }
        if scenario.groups == nil { comeToRest() }
    }

    /// With nobody asking for anything any more, all operations end.
    func comeToRest() {
        let isIdle = cluster.run(forMs: scenario.limits.operationTimeoutMs + 1_000) {
            cluster.virtualNodes.allSatisfy { $0.node?.isBusy == false }
        }
        if !isIdle { fail("liveness", "operations are still in flight long after the last one was answered") }
    }

    /// Does an operation until it succeeds; it must, in the end.
    func insist(_ kind: OperationKind, _ key: Int, _ node: Int) {
        let deadlineMs = cluster.nowMs + scenario.limits.operationTimeoutMs * 3 + 2_000
        let planned = PlannedOperation(kind: kind, key: key, thinkMs: 0, draw: 0, patienceMs: 0)
        while true {
            let index = begin(planned, client: -1, node: node)
            let isAnswered = cluster.run(forMs: scenario.limits.operationTimeoutMs * 2) {
                operations[index].isAnswered
            }
            switch operations[index].outcome {
            case .found, .applied: return
            default: break
            }
            guard cluster.nowMs < deadlineMs else {
                return fail(
                    "liveness",
                    "\(kind) of \(keyName(kind.family, key)) at n\(node + 1) "
                        + (isAnswered ? "does not succeed" : "is not answered") + " with all faults over")
            }
            cluster.run(forMs: 20)
        }
    }

    func checkHistories() {
        for family in [KeyFamily.register, .lock] {
            for key in (scenario.keys[family] ?? []).indices {
                let history = KeyHistory(
                    operations: operations.filter { $0.key == key && $0.kind.family == family })
                check(history, keyName(family, key))
            }
        }
        if scenario.clocksAreTame { for overlap in leases.overlaps() { fail("locks", overlap) } }
        checkTokens()
        if !scenario.kinds.contains(.clientLoss) { checkAnswers() }
    }

    private func check(_ history: KeyHistory, _ key: Key) {
        let slack = UInt64(scenario.skewMaxMs) + 2
        let prepared = history.prepared { operation in
            guard let expiryMs = operation.expiryMs, operation.outcome != .failed else {
                let earliest = operation.sentMs + (operation.ttlMs ?? 0)
                return Self.time(earliest - min(earliest, slack))...UInt64.max
            }
            let atMs = expiryMs - VirtualCluster.wallOffsetMs
            return Self.time(atMs - slack)...Self.time(atMs + slack)
        }
        statistics.add(.checked, "keys")
        statistics.add(.checked, "operations in histories", prepared.steps.count)
        if let late = prepared.late {
            let operation = history.operations[late]
            return fail(
                "expiry", "\(key): c\(operation.number) \(operation.action) was told of a value after it had expired")
        }
        switch Linearizability.check(prepared.model, prepared.steps) {
        case .holds: break
        case .undecided:
            statistics.add(.checked, "keys undecided")
            note("\(key): the search for an order of \(prepared.steps.count) steps was given up")
            for step in prepared.steps.sorted(by: { $0.invoked < $1.invoked }) {
                note(
                    "    \(step.invoked >> 20)–\(step.returned == .max ? "?" : "\(step.returned >> 20)") \(step.operation)"
                )
            }
        case .violated(let at):
            let operation = history.operations[prepared.sources[at]]
            let lines = zip(prepared.steps, prepared.sources).filter {
                $0.0.returned >= operation.invoked - min(operation.invoked, Self.time(300))
                    && $0.0.invoked <= Self.time((operation.returned >> 20) + 50)
            }.sorted { $0.0.invoked < $1.0.invoked }.map { step, source in
                let source = history.operations[source]
                let until = step.returned == .max ? "?" : "\(step.returned >> 20)"
                return "    \(step.invoked >> 20)–\(until) c\(source.number) at n\(source.node + 1): \(step.operation)"
            }
            fail(
                "linearizability",
                "\(key): no order explains c\(operation.number) \(operation.action) \(operation.outcome); what was about then:\n"
                    + lines.joined(separator: "\n"))
        }
    }

    /// Tokens are in the order of the acquisitions.
    private func checkTokens() {
        for key in (scenario.keys[.lock] ?? []).indices {
            let granted = operations.compactMap { operation -> (operation: ClientOperation, token: Ballot)? in
                guard operation.kind.family == .lock, operation.key == key, operation.outcome == .applied,
                    operation.action == .change(.absent, isDeletion: false), let token = operation.token
                else { return nil }
                return (operation, token)
            }
            var returned = granted.sorted { $0.operation.returned < $1.operation.returned }[...]
            var greatest = Ballot.zero
            for (operation, token) in granted.sorted(by: { $0.operation.invoked < $1.operation.invoked }) {
                while let earlier = returned.first, earlier.operation.returned < operation.invoked {
                    greatest = max(greatest, earlier.token)
                    returned.removeFirst()
                }
                guard token > greatest else {
                    return fail("tokens", "c\(operation.number) was granted \(token) after somebody had \(greatest)")
                }
            }
        }
    }

    /// A node that goes on living answers.
    private func checkAnswers() {
        for operation in operations where !operation.isAnswered {
            let virtual = cluster.virtualNodes[operation.node]
            if virtual.run == operation.run {
                return fail(
                    "liveness", "c\(operation.number) \(operation.kind) at n\(operation.node + 1) was never answered")
            }
        }
    }
}
