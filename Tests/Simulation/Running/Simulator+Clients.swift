import NodeCore
import Wire

/// Clients: each does one operation after the other.
extension Simulator {
    func startClients() {
        leases = LeaseBook(marginMs: scenario.limits.clockDriftMaxMs)
        var dice = Dice(seed: scenario.seed, Scenario.clientDice, ~0)
        let half = Int64(scenario.limits.clockDriftMaxMs) / 2
        var first = 0
        for script in scenario.clients {
            let kept = script.indices.map { scenario.reduction.operations?.contains(first + $0) ?? true }
            let skewMs = scenario.kinds.contains(.skew) ? dice.pick(-half...half) : 0
            first += script.count
            clients.append(SimulatedClient(script: script, isKept: kept, skewMs: skewMs))
            goOnLater(clients.count - 1)
        }
    }

    /// A client's next operation, after its pause.
    private func goOnLater(_ client: Int) {
        while clients[client].next < clients[client].script.count,
            !clients[client].isKept[clients[client].next]
        { clients[client].next += 1 }
        guard clients[client].next < clients[client].script.count else { return }
        plan(.goOn(client: client), inMs: clients[client].script[clients[client].next].thinkMs)
    }

    func goOn(_ client: Int) {
        guard isStormy, clients[client].pending == nil else { return }
        let planned = clients[client].script[clients[client].next]
        guard let node = coordinator(for: client, draw: planned.draw) else {
            return plan(.goOn(client: client), inMs: 10)
        }
        clients[client].next += 1
        send(planned, client: client, node: node)
    }

    /// A living node: the client's own, if it has one, or any.
    private func coordinator(for client: Int, draw: UInt64) -> Int? {
        let count = cluster.virtualNodes.count
        let first = scenario.clientsStay ? client % count : Int(draw % UInt64(count))
        for step in 0..<count where cluster.virtualNodes[(first + step) % count].isUp {
            return (first + step) % count
        }
        return nil
    }

    private func send(_ planned: PlannedOperation, client: Int, node: Int) {
        let number = begin(planned, client: client, node: node)
        clients[client].pending = number
        plan(.giveUp(operation: number), inMs: planned.patienceMs)
    }

    func keyName(_ family: KeyFamily, _ key: Int) -> Key { Key(scenario.keys[family]?[key] ?? "?") }

    /// Sends an operation; says its index.
    @discardableResult
    func begin(_ planned: PlannedOperation, client: Int, node: Int) -> Int {
        let number = RegisterModel.CellNumber(operations.count + 1)
        let request = request(planned, client: client, number: number)
        let virtual = cluster.virtualNodes[node]
        operations.append(
            ClientOperation(
                number: number, client: client, kind: planned.kind, action: request.action, key: planned.key,
                node: node, run: virtual.run, invoked: stamp(), sentMs: cluster.nowMs, ttlMs: request.ttlMs))
        let skewMs = client >= 0 ? clients[client].skewMs : 0
        cluster.request(
            Int(number), to: node, request.message,
            stampMs: UInt64(Int64(cluster.nowMs + VirtualCluster.wallOffsetMs) + skewMs),
            epoch: virtual.node?.ring?.epoch ?? .none)
        return Int(number) - 1
    }

    private func request(_ planned: PlannedOperation, client: Int, number: RegisterModel.CellNumber)
        -> (message: Message, action: ClientOperation.Action, ttlMs: UInt64?)
    {
        let key = keyName(planned.kind.family, planned.key)
        func write(_ change: RegisterChange, _ consistency: Consistency = .quorum) -> Message {
            .writeRequest(WriteRequest(key: key, consistency: consistency, change: change))
        }
        func put(_ condition: Condition = .none, ttlMs: UInt64? = nil) -> RegisterChange {
            .put(value: ValueBook.bytes(number), ttlMs: ttlMs, condition: condition)
        }
        func change(_ sighting: ValueBook.Sighting?, isDeletion: Bool)
            -> (Message, ClientOperation.Action, UInt64?)
        {
            let condition: Condition = sighting.map { .version($0.version) } ?? .absent
            let basis: RegisterModel.Condition = sighting.map { .label($0.label) } ?? .absent
            return (
                write(isDeletion ? .delete(condition: condition) : put(condition)),
                .change(basis, isDeletion: isDeletion), nil
            )
        }
        let ttlMs = 20 + planned.draw >> 8 % 600
        let leaseMs = scenario.leaseMs
        switch planned.kind {
        case .get, .getLock: return (.readRequest(ReadRequest(key: key, consistency: .quorum)), .read, nil)
        case .put: return (write(put()), .write(isDeletion: false), nil)
        case .putSerial: return (write(put(), .serial), .write(isDeletion: false), nil)
        case .putExpiring: return (write(put(ttlMs: ttlMs)), .write(isDeletion: false), ttlMs)
        case .delete: return (write(.delete(condition: .none)), .write(isDeletion: true), nil)
        case .putIfVersion: return change(book.recent(planned.key), isDeletion: false)
        case .putIfOldVersion:
            return change(book.recent(planned.key, back: 1 + Int(planned.draw >> 8 % 4)), isDeletion: false)
        case .putIfAbsent: return change(nil, isDeletion: false)
        case .deleteIfVersion: return change(book.recent(planned.key), isDeletion: true)
        case .list:
            return (
                .scanRequest(
                    ScanRequest(
                        prefix: Array("\(KeyFamily.register.letter)\(scenario.seed)-".utf8), after: [], limit: 1_000,
                        keysOnly: false)),
                .list, nil
            )
        case .acquire, .renew, .release:
            guard planned.kind != .acquire, client >= 0, let lease = clients[client].leases[planned.key] else {
                return (
                    write(.acquire(owner: ValueBook.owner(number), ttlMs: leaseMs)),
                    .change(.absent, isDeletion: false), leaseMs
                )
            }
            if planned.kind == .renew {
                return (write(.renew(token: lease.token, ttlMs: leaseMs)), .renew(lease.label), leaseMs)
            }
            leases.releasing(planned.key, lease.label, atMs: cluster.nowMs)
            return (write(.release(token: lease.token)), .change(.label(lease.label), isDeletion: true), nil)
        case .putWeak:
            let consistency: Consistency = [.one, .any, .all][Int(planned.draw >> 8 % 3)]
            return (write(put(), consistency), .weakWrite, nil)
        case .getWeak:
            return (
                .readRequest(ReadRequest(key: key, consistency: planned.draw >> 8 % 2 == 0 ? .one : .local)),
                .weakRead, nil
            )
        }
    }

    /// A client waits no longer: it tries again elsewhere, or does something else.
    func giveUp(_ index: Int) {
        let operation = operations[index]
        guard isStormy, operation.client >= 0, clients[operation.client].pending == index else { return }
        note("c\(operation.number) is given up")
        statistics.add(.faults, "clients giving up")
        clients[operation.client].pending = nil
        guard dice.chance(0.5) else { return goOnLater(operation.client) }
        let planned = clients[operation.client].script[clients[operation.client].next - 1]
        guard let node = coordinator(for: operation.client, draw: dice.number()) else {
            return goOnLater(operation.client)
        }
        statistics.add(.faults, "operations tried again")
        send(planned, client: operation.client, node: node)
    }

    func nodeCrashed(_ index: Int) {
        for client in clients {
            guard let pending = client.pending, operations[pending].node == index else { continue }
            // The connection breaks, so that the client need not wait.
            plan(.giveUp(operation: pending), inMs: 1)
        }
    }

    // MARK: Answers

    func answered(_ answer: VirtualCluster.Answer) {
        let index = answer.client - 1
        guard !operations[index].isAnswered else {
            return fail("answers", "operation \(answer.client) was answered twice")
        }
        operations[index].isAnswered = true
        operations[index].returned = stamp()
        let isDefinite = settle(index, answer.message)
        let operation = operations[index]
        note("c\(operation.number) \(operation.action): \(operation.outcome)")
        // What is not known may yet happen at any later time.
        if !isDefinite { operations[index].returned = .max }
        if operation.outcome == .applied { changeAnswered() }
        guard operation.client >= 0, clients[operation.client].pending == index else { return }
        clients[operation.client].pending = nil
        goOnLater(operation.client)
    }

    /// Writes down what an operation came to; says whether that is known.
    private func settle(_ index: Int, _ message: Message) -> Bool {
        let operation = operations[index]
        let family = operation.kind.family
        switch message {
        case .readAnswer(let body):
            operations[index].outcome = .found(label(body.cell, operation, family))
            see(body.cell, operation)
        case .writeAnswer(let body) where body.applied:
            operations[index].outcome = .applied
            applied(index, body)
        case .writeAnswer(let body):
            operations[index].outcome = .refused(found: label(body.current, operation, family))
            see(body.current, operation)
        case .scanAnswer(let body):
            operations[index].outcome = .applied
            listed(index, body)
        case .error(let error):
            statistics.add(.outcomes, "error \(error.code)")
            switch error.code {
            case .outcomeUnknown:
                if case .read = operation.action { fail("answers", "a read has an unknown outcome: \(error.detail)") }
                return false
            case .invalid, .internalError:
                fail("answers", "\(operation.kind) was answered with \(error.code): \(error.detail)")
                return false
            default: operations[index].outcome = .failed
            }
        default: fail("answers", "\(operation.kind) was answered with a \(message.type)")
        }
        return true
    }

    private func label(_ cell: Cell?, _ operation: ClientOperation, _ family: KeyFamily) -> RegisterModel.CellNumber {
        guard let label = ValueBook.label(cell, family: family), label <= operations.count else {
            fail("answers", "\(operation.kind) was shown a value that nobody wrote: \(Trace.cell(cell))")
            return RegisterModel.absent
        }
        return label
    }

    /// A client was shown a cell.
    private func see(_ cell: Cell?, _ operation: ClientOperation) {
        guard let cell, case .value(let bytes) = cell.content,
            let label = ValueBook.label(cell, family: operation.kind.family), label > 0, label <= operations.count
        else { return }
        let writer = Int(label) - 1
        if operation.kind.family == .lock {
            guard let lease = try? Lease(bytes) else { return }
            let known = operations[writer].token ?? lease.token
            if known != lease.token {
                fail("tokens", "the lease \(label) has two tokens: \(known) and \(lease.token)")
            }
            operations[writer].token = lease.token
            return
        }
        if operations[writer].ttlMs != nil, operations[writer].expiryMs == nil {
            operations[writer].expiryMs = cell.expiryMs
        }
        if let problem = book.saw(
            label, cell.version, key: operation.key + (operation.kind.family == .weak ? 1_000 : 0))
        {
            fail("versions", problem)
        }
    }

    private func applied(_ index: Int, _ body: WriteAnswer) {
        let operation = operations[index]
        // Without a version a later write has come already, and the expiry is that one's.
        guard let version = body.version else { return }
        operations[index].expiryMs = body.expiryMs
        switch operation.action {
        case .renew(let label):
            leases.renewed(
                operation.key, label, sentMs: operation.sentMs, heardMs: cluster.nowMs, ttlMs: operation.ttlMs ?? 0)
        case .change(_, isDeletion: false) where operation.kind.family == .lock:
            if let known = operation.token, known != version {
                fail("tokens", "the lease \(operation.number) was shown with \(known) and is answered with \(version)")
            }
            operations[index].token = version
            if operation.client >= 0 {
                clients[operation.client].leases[operation.key] = (operation.number, version)
            }
            leases.acquired(
                operation.key, operation.number, token: version, sentMs: operation.sentMs, heardMs: cluster.nowMs,
                ttlMs: operation.ttlMs ?? 0)
        case .write(isDeletion: false), .change(_, isDeletion: false):
            if let problem = book.saw(operation.number, version, key: operation.key) { fail("versions", problem) }
        default: break
        }
    }

    /// A listing is a read of each key, at some moment of its time.
    private func listed(_ index: Int, _ body: ScanAnswer) {
        let operation = operations[index]
        var found: [Key: Cell] = [:]
        for item in body.items { found[item.key] = item.cell }
        if body.resumeAfter != nil || found.count != body.items.count {
            fail("listings", "a page of \(body.items.count) of at most 1,000 keys goes on, or has one twice")
        }
        for key in (scenario.keys[.register] ?? []).indices {
            let cell = found.removeValue(forKey: keyName(.register, key))
            let label = label(cell, operation, .register)
            var read = ClientOperation(
                number: RegisterModel.CellNumber(operations.count + 1), client: -1, kind: .get, action: .read, key: key,
                node: operation.node, run: operation.run, invoked: operation.invoked, sentMs: operation.sentMs,
                ttlMs: nil)
            read.returned = operation.returned
            read.outcome = .found(label)
            read.isAnswered = true
            operations.append(read)
            see(cell, read)
        }
        if let other = found.keys.first { fail("listings", "a page has the key \(other), which nobody wrote") }
    }
}
