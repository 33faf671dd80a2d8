import Logging
import NIOCore
import Synchronization
import Wire
import WireTransport

/// The part of the client that lives on an event loop: links to the nodes, requests in flight, retries, and what is
/// known of the cluster. Everything but `submit` and the constants is confined to the loop.
final class RouterEngine: @unchecked Sendable {
    let configuration: ClientConfiguration
    let logger: Logger
    let eventLoop: any EventLoop
    let clock: ClientClock
    let counters = ClientCounters()
    /// The cluster as last heard, for every thread.
    let cluster = Mutex<ClusterState?>(nil)

    private enum Life {
        case idle
        case running
        case closed
    }

    private struct Inbox {
        var operations: [Operation] = []
        var isScheduled = false
    }

    /// Whom to ask for the ring and the members once the question under way is over.
    private enum NextRefresh {
        case anyNode
        case node(NodeID)
    }

    private struct ReadyWaiter {
        var deadline: NIODeadline
        var continuation: CheckedContinuation<ClientError?, Never>
    }

    private let inbox = Mutex(Inbox())
    private var life = Life.idle
    private var links: [NodeLink] = []
    private var nodes: [NodeID: NodeLink] = [:]
    private var open: [NodeLink] = []
    private var turn = 0
    private var ring: Ring?
    private var waiting: [Operation] = []
    private var readyWaiters: [ReadyWaiter] = []
    private var dirty: [NodeLink] = []
    private var sweep: Scheduled<Void>?
    private var refreshTimer: RepeatedTask?
    private var isRefreshing = false
    private var nextRefresh: NextRefresh?
    private var random = SystemRandomNumberGenerator()
    private let incarnation: UInt64

    init(configuration: ClientConfiguration, logger: Logger, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.logger = logger
        self.eventLoop = eventLoop
        clock = ClientClock(driftMaxMs: configuration.clockDriftMaxMs)
        incarnation = ClientClock.physicalMs()
    }

    var isRunning: Bool { life == .running }

    /// The ring that is known; `.none` before.
    var epoch: Epoch { ring?.epoch ?? .none }

    /// The cluster's id once known.
    var clusterID: ClusterID { ring?.clusterID ?? .none }

    // MARK: Any thread

    /// Takes an operation. Many threads that submit at the same time cost the loop one wake-up.
    func submit(_ operation: Operation) {
        counters.operations.count()
        let wake = inbox.withLock { inbox in
            inbox.operations.append(operation)
            if inbox.isScheduled { return false }
            inbox.isScheduled = true
            return true
        }
        if wake { eventLoop.execute { self.drain() } }
    }

    // MARK: Life

    /// Connects to the seeds. Returns false when it runs already.
    func start() -> Bool {
        guard life != .running else { return false }
        life = .running
        updateLinks(members: [])
        let interval = TimeAmount.milliseconds(Int64(configuration.refreshIntervalMs))
        refreshTimer = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            guard let self else { return }
            if !isRefreshing { refresh() }
            probeDoubtful()
        }
        return true
    }

    /// Ends every operation with `closed` and closes the connections.
    func stop() {
        life = .closed
        refreshTimer?.cancel()
        refreshTimer = nil
        sweep?.cancel()
        sweep = nil
        let requests = links.flatMap { $0.requests.removeAll() } + waiting
        waiting = []
        for link in links { link.stop() }
        links = []
        nodes = [:]
        open = []
        for operation in requests { operation.complete(.failure(.closed)) }
        for waiter in readyWaiters { waiter.continuation.resume(returning: .closed) }
        readyWaiters = []
        isRefreshing = false
        nextRefresh = nil
    }

    /// Resumes with nil when there are a ring and a node, with an error at the deadline.
    func whenReady(timeoutMs: UInt64, _ continuation: CheckedContinuation<ClientError?, Never>) {
        if life == .closed { return continuation.resume(returning: .closed) }
        if isReady { return continuation.resume(returning: nil) }
        readyWaiters.append(ReadyWaiter(deadline: .now() + .milliseconds(Int64(timeoutMs)), continuation: continuation))
        armSweep()
    }

    private var isReady: Bool { ring != nil && !open.isEmpty }

    /// What every address says, for people.
    private var report: String {
        if life == .idle { return "the client is not running" }
        let lines = links.map { "\($0.address): \($0.status)" }
        let ring = ring == nil ? "no node has told a ring yet; " : ""
        return ring + (lines.isEmpty ? "no seeds are configured" : lines.joined(separator: "; "))
    }

    // MARK: Operations

    private func drain() {
        let operations = inbox.withLock { inbox in
            inbox.isScheduled = false
            let operations = inbox.operations
            inbox.operations = []
            return operations
        }
        let now = NIODeadline.now()
        for operation in operations { dispatch(operation, now) }
        flush()
        armSweep()
    }

    /// Sends what was encoded, one write for each connection.
    func flush() {
        guard !dirty.isEmpty else { return }
        for link in dirty {
            link.isDirty = false
            link.connection?.flush()
        }
        dirty.removeAll(keepingCapacity: true)
    }

    private func dispatch(_ operation: Operation, _ now: NIODeadline) {
        guard life != .closed else { return operation.complete(.failure(.closed)) }
        guard !operation.isDone else { return }
        guard let link = choose(operation), let connection = link.connection, let node = link.nodeID else {
            return noNode(operation, now)
        }
        guard let id = link.requests.insert(operation) else {
            counters.overloaded.count()
            return fail(
                operation,
                .overloaded("\(link.requests.count) requests are in flight to '\(link.name)', the most there may be"))
        }
        operation.inFlight += 1
        operation.noteTried(node)
        operation.attemptDeadline = now + .milliseconds(operation.attemptMs)
        connection.send(operation.message, requestID: id, answer: false)
        guard !link.isDirty else { return }
        link.isDirty = true
        dirty.append(link)
    }

    /// The best node that has not been tried in this round; nil when there is none.
    private func choose(_ operation: Operation) -> NodeLink? {
        switch operation.route {
        case .node(let id), .primary(let id):
            return nodes[id].flatMap { operation.hasTried(id) ? nil : $0 }
        case .key(let key):
            guard let ring else { return nil }
            // While the ring changes, its layout in force: there is where a key's operations meet.
            let replicas = ring.replicas(of: key.token)
            if let link = first(of: replicas, operation, { $0.isGood }) { return link }
            if let link = first(of: replicas, operation, { _ in true }) { return link }
            return next(operation)
        case .anyNode:
            return next(operation)
        }
    }

    private func first(of replicas: [NodeID], _ operation: Operation, _ isGood: (NodeLink) -> Bool) -> NodeLink? {
        for id in replicas {
            if let link = nodes[id], !operation.hasTried(id), isGood(link) { return link }
        }
        return nil
    }

    /// The nodes in turn, silent and doubted ones last.
    private func next(_ operation: Operation) -> NodeLink? {
        turn &+= 1
        var second: NodeLink?
        for step in open.indices {
            let link = open[(turn &+ step) % open.count]
            guard let id = link.nodeID, !operation.hasTried(id) else { continue }
            if link.isGood { return link }
            second = second ?? link
        }
        return second
    }

    private func noNode(_ operation: Operation, _ now: NIODeadline) {
        guard operation.inFlight == 0 else { return }
        if case .primary(let id) = operation.route {
            return operation.complete(
                .failure(operation.lastError ?? .unreachable("node \(id) is not connected: \(report)")))
        }
        guard waiting.count < ClientLimits.waitingMax else {
            counters.overloaded.count()
            return fail(
                operation, .overloaded("\(waiting.count) operations wait for a node to become reachable: \(report)"))
        }
        operation.forgetTried()
        operation.retryAt = now + .milliseconds(Int64(operation.backoff.pause(jitter: random.next())))
        waiting.append(operation)
    }

    private func fail(_ operation: Operation, _ error: ClientError) {
        guard operation.inFlight == 0 else {
            operation.lastError = error
            return
        }
        operation.complete(.failure(error))
    }

    /// An answer, or news that came without a request.
    func received(_ frame: Frame, on link: NodeLink) {
        defer {
            // Unless the frame has told the ring itself.
            if frame.header.epoch > epoch { refresh(from: link.nodeID) }
            closeIfOver(link)
        }
        guard frame.header.flags.contains(.answer) else {
            if case .error(let error) = frame.message { complained(error, link) }
            return
        }
        guard let operation = link.requests.remove(frame.header.requestID) else { return counters.lateAnswers.count() }
        operation.inFlight -= 1
        guard !operation.isDone else { return counters.lateAnswers.count() }
        guard case .error(let error) = frame.message else { return operation.complete(.success(frame.message)) }
        refused(operation, error, by: link)
    }

    private func complained(_ error: ErrorMessage, _ link: NodeLink) {
        if error.code == .draining { return leave(link) }
        logger.warning("'\(link.name)' complains (\(error.code)): \(error.detail)")
    }

    private func refused(_ operation: Operation, _ error: ErrorMessage, by link: NodeLink) {
        if error.code == .staleEpoch || error.code == .notPrimary { refresh(from: link.nodeID) }
        if error.code == .draining { leave(link) }
        if error.code == .clockDrift || error.code == .tooOld { counters.clockDrifts.count() }
        let refusal = Refusal(error, of: operation.safety, from: link.name)
        if case .outcomeUnknown = refusal.error { counters.outcomesUnknown.count() }
        if case .final(let error) = refusal { return operation.complete(.failure(error)) }
        operation.lastError = refusal.error
        again(operation)
    }

    /// Another node, unless one is still being waited for.
    private func again(_ operation: Operation) {
        guard operation.inFlight == 0 else { return }
        counters.retries.count()
        dispatch(operation, .now())
        armSweep()
    }

    /// The connection of a link ended with these requests in flight.
    func lost(_ link: NodeLink, node: NodeID?, _ requests: [Operation], _ reason: CloseReason) {
        open.removeAll { $0 === link }
        guard life == .running else { return }
        if let node, nodes[node] === link {
            nodes[node] = nil
            // Another address may lead to the same node.
            for other in links where other.isAlias { other.start() }
            refresh()
        }
        for operation in requests {
            operation.inFlight -= 1
            guard !operation.isDone else { continue }
            let detail = "the connection to '\(link.name)' at \(link.address) was lost before it answered: \(reason)"
            if operation.isOnce {
                counters.outcomesUnknown.count()
                operation.complete(.failure(.outcomeUnknown(detail)))
            } else {
                operation.lastError = .unreachable(detail)
                again(operation)
            }
        }
        flush()
    }

    /// The node goes down, or is no member any more: nothing new is asked of it, reads in flight are asked elsewhere, and
    /// the connection ends when the writes in flight have been answered.
    private func leave(_ link: NodeLink) {
        guard !link.isLeaving, let node = link.nodeID else { return }
        link.isLeaving = true
        logger.debug("'\(link.name)' at \(link.address) goes down")
        open.removeAll { $0 === link }
        if nodes[node] === link { nodes[node] = nil }
        var movable: [Operation] = []
        link.requests.removeAll { operation in
            if !operation.isDone, operation.isOnce { return false }
            movable.append(operation)
            return true
        }
        for operation in movable {
            operation.inFlight -= 1
            operation.lastError = .refused(.draining, "'\(link.name)' at \(link.address) goes down")
            if !operation.isDone { again(operation) }
        }
        if !link.isUnwanted { refresh() }
        closeIfOver(link)
    }

    /// Ends the connection to a node that is left, once it has answered everything.
    private func closeIfOver(_ link: NodeLink) {
        guard link.isLeaving, link.requests.count == 0 else { return }
        if link.isUnwanted { return drop(link) }
        link.disconnect()
    }

    private func drop(_ link: NodeLink) {
        link.stop()
        links.removeAll { $0 === link }
        // Another address may lead to the same node.
        for other in links where other.isAlias { other.start() }
    }

    // MARK: Deadlines

    private func armSweep() {
        guard sweep == nil, life != .closed else { return }
        guard !waiting.isEmpty || !readyWaiters.isEmpty || links.contains(where: { $0.requests.count > 0 }) else {
            return
        }
        sweep = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(ClientLimits.sweepMs)) { [weak self] in
            self?.sweep = nil
            self?.lookOver()
        }
    }

    /// One pass over everything that waits. The requests of a link are looked over first and ended after: what ends one
    /// may send the next.
    private func lookOver() {
        let now = NIODeadline.now()
        for link in links where link.requests.count > 0 {
            var silent: [Operation] = []
            var over: [Operation] = []
            link.requests.removeAll { operation in
                if operation.isDone { return true }
                if now >= operation.deadline + .milliseconds(operation.isOnce ? ClientLimits.answerGraceMs : 0) {
                    over.append(operation)
                    return true
                }
                if now >= operation.attemptDeadline, !operation.isOnce { silent.append(operation) }
                return false
            }
            for operation in over { end(operation, at: link) }
            for operation in silent { askAnother(operation, than: link, now) }
        }
        let operations = waiting
        waiting.removeAll(keepingCapacity: true)
        for operation in operations where !operation.isDone {
            if now >= operation.deadline {
                counters.timeouts.count()
                operation.complete(.failure(operation.lastError ?? .unreachable(report)))
            } else if now >= operation.retryAt {
                dispatch(operation, now)
            } else {
                waiting.append(operation)
            }
        }
        for link in links where link.isLeaving { closeIfOver(link) }
        settleReady(now)
        flush()
        armSweep()
    }

    /// Ends an operation in flight whose time is up.
    private func end(_ operation: Operation, at link: NodeLink) {
        operation.inFlight -= 1
        guard !operation.isDone else { return }
        counters.timeouts.count()
        link.isSilent = true
        let detail = "'\(link.name)' at \(link.address) has not answered in time"
        if operation.isOnce {
            counters.outcomesUnknown.count()
            operation.complete(.failure(.outcomeUnknown(detail)))
        } else {
            operation.complete(.failure(operation.lastError ?? .unreachable(detail)))
        }
    }

    /// A node has not answered a read for long: it is avoided, and another one is asked too.
    private func askAnother(_ operation: Operation, than link: NodeLink, _ now: NIODeadline) {
        guard !operation.isDone else { return }
        counters.silences.count()
        link.isSilent = true
        operation.attemptDeadline = .distantFuture
        if case .primary = operation.route {
            let detail = "'\(link.name)' at \(link.address) has not answered for \(operation.attemptMs) ms"
            return operation.complete(.failure(.unreachable(detail)))
        }
        counters.retries.count()
        dispatch(operation, now)
    }

    private func settleReady(_ now: NIODeadline) {
        guard !readyWaiters.isEmpty else { return }
        let isReady = isReady
        readyWaiters.removeAll { waiter in
            guard isReady || now >= waiter.deadline else { return false }
            waiter.continuation.resume(returning: isReady ? nil : .unreachable(report))
            return true
        }
    }

    // MARK: The cluster

    /// A link's connection opened.
    func opened(_ link: NodeLink) {
        guard life == .running, let node = link.nodeID else { return link.stop() }
        counters.connects.count()
        if let other = nodes[node], other !== link { return link.rest() }
        nodes[node] = link
        open.append(link)
        probe(link, node, timeoutMs: configuration.operationTimeoutMs)
        wake()
    }

    /// Tries everything that waits now instead of after its pause.
    private func wake() {
        let now = NIODeadline.now()
        let operations = waiting
        waiting.removeAll(keepingCapacity: true)
        for operation in operations { dispatch(operation, now) }
        settleReady(now)
        flush()
        armSweep()
    }

    /// Asks for the ring and the members: `node`, or any. One question at a time; another node is asked when this one
    /// does not answer.
    private func refresh(from node: NodeID? = nil) {
        guard life == .running, !open.isEmpty else { return }
        guard !isRefreshing else {
            if let node { nextRefresh = .node(node) } else if nextRefresh == nil { nextRefresh = .anyNode }
            return
        }
        isRefreshing = true
        counters.refreshes.count()
        let operation = Operation(
            message: .clusterRequest, route: node.map { .primary($0) } ?? .anyNode, safety: .repeatable,
            timeoutMs: configuration.operationTimeoutMs,
            attemptMs: ClientLimits.attemptMs(configuration.operationTimeoutMs),
            completion: .engine { [weak self] result in self?.refreshed(result, asked: node) })
        dispatch(operation, .now())
        flush()
        armSweep()
    }

    /// Asks nodes that are silent, or whose clock may be wrong, for a sign of life, so that no caller has to find out
    /// whether they are back.
    private func probeDoubtful() {
        for link in open where link.isSilent || !link.isClockRight {
            guard let node = link.nodeID else { continue }
            probe(link, node, timeoutMs: configuration.refreshIntervalMs)
        }
        flush()
        armSweep()
    }

    /// Asks a node for the ring and the members, and so whether it can be asked anything.
    private func probe(_ link: NodeLink, _ node: NodeID, timeoutMs: UInt64) {
        guard link.requests.count < configuration.inFlightMax else { return }
        let probe = Operation(
            message: .clusterRequest, route: .primary(node), safety: .repeatable, timeoutMs: timeoutMs,
            attemptMs: timeoutMs,
            completion: .engine { [weak self] result in
                if let self, life == .running, case .success(.clusterState(let state)) = result { apply(state) }
            })
        dispatch(probe, .now())
    }

    private func refreshed(_ result: Result<Message, ClientError>, asked node: NodeID?) {
        isRefreshing = false
        guard life == .running else { return }
        if case .success(.clusterState(let state)) = result {
            apply(state)
        } else if node != nil, nextRefresh == nil {
            // It had news and is gone: others may have them too.
            nextRefresh = .anyNode
        }
        guard let next = nextRefresh else { return }
        nextRefresh = nil
        // Not at once: a node that always answers with news must not keep this busy.
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(ClientLimits.sweepMs)) { [weak self] in
            if case .node(let node) = next { self?.refresh(from: node) } else { self?.refresh() }
        }
    }

    private func apply(_ state: ClusterState) {
        if let told = state.ring {
            guard told.epoch >= epoch else { return }
            ring = told
        } else if ring != nil {
            return
        }
        cluster.withLock { $0 = state }
        judge(state)
        updateLinks(members: state.members)
        wake()
    }

    /// Takes a node's word on who lives. One that has lost most of the ring is itself what is cut off: it alone is
    /// doubted then, since the others may well have a quorum among themselves. Otherwise a client that reaches all of
    /// them would stay with the one that can do nothing, and ask nobody else.
    private func judge(_ state: ClusterState) {
        let alive = Set(state.members.lazy.filter { $0.state == .alive }.map(\.identity.id))
        let ring = state.ring?.members ?? []
        if !ring.isEmpty, ring.count(where: { alive.contains($0.id) }) * 2 <= ring.count {
            nodes[state.answeredBy]?.isDoubted = true
            return
        }
        for member in state.members { nodes[member.identity.id]?.isDoubted = member.state != .alive }
    }

    /// One link for every seed and every node that the members and the ring name; those of nobody are dropped.
    private func updateLinks(members: [MemberInfo]) {
        var wanted = configuration.seeds
        for member in members where member.identity.role == .node && member.state != .left {
            wanted.append(member.identity.address)
        }
        for member in ring?.allMembers ?? [] { wanted.append(member.address) }
        for link in links {
            link.isUnwanted = !wanted.contains(link.address)
            if link.isUnwanted, link.connection == nil { drop(link) } else if link.isUnwanted { leave(link) }
        }
        var transport = TransportConfiguration(
            clusterName: configuration.clusterName, secret: configuration.secret,
            identity: PeerIdentity(
                role: configuration.role, id: .none, name: configuration.name, incarnation: incarnation, address: ""))
        transport.reconnectPauseMs = configuration.reconnectPauseMs
        for address in wanted where !address.isEmpty && !links.contains(where: { $0.address == address }) {
            let link = NodeLink(address: address, engine: self, configuration: transport)
            links.append(link)
            link.start()
        }
    }
}
