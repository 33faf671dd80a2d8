import Logging
import NIOCore
import Wire
import WireTransport

/// One node as the client reaches it: the link, the requests in flight on its connection, and what is thought of it.
/// Confined to the event loop.
final class NodeLink: ConnectionDelegate, @unchecked Sendable {
    /// Where it is, `host:port`.
    let address: String
    /// The node of the open connection.
    private(set) var nodeID: NodeID?
    /// Its name, for errors; the address before the first connection.
    private(set) var name: String
    /// The open connection.
    private(set) var connection: Connection?
    /// What was asked of it and not answered yet.
    var requests: RequestTable
    /// Whether it left a request unanswered for long and has said nothing since: others are preferred.
    var isSilent = false
    /// Whether the membership takes it for dead, suspect or gone.
    var isDoubted = false
    /// Whether its clock and this host's are known to agree: false until its first answer on a connection, and again once
    /// either side has refused the other's time.
    private(set) var isClockRight = false
    /// Whether it goes down: it is asked nothing new, and the connection ends when it has answered what is in flight.
    var isLeaving = false
    /// Whether neither a seed nor the members lead to it any more.
    var isUnwanted = false
    /// Whether frames were sent that have not been flushed.
    var isDirty = false
    /// Whether it rests because another address leads to the same node.
    private(set) var isAlias = false

    private let engine: RouterEngine
    private var link: PeerLink?
    private var lastLogged: String?

    init(address: String, engine: RouterEngine, configuration: TransportConfiguration) {
        self.address = address
        self.engine = engine
        name = address
        requests = RequestTable(max: engine.configuration.inFlightMax)
        link = PeerLink(
            address: address, purpose: .client, configuration: configuration, delegate: self,
            eventLoop: engine.eventLoop)
    }

    /// Why there is no connection, for people.
    var status: String {
        if connection != nil { return "connected" }
        if isAlias { return "leads to a node that is connected under another address" }
        return link?.lastError ?? "no answer yet"
    }

    /// Connects, and again after every loss.
    func start() {
        isAlias = false
        link?.start()
    }

    /// Closes for good. What is in flight ends when the connection does.
    func stop() {
        link?.stop()
        link = nil
    }

    /// Closes the connection; it is tried again after a pause.
    func disconnect() { connection?.close(.local("'\(name)' goes down")) }

    /// Closes until `start`: another address leads to the same node.
    func rest() {
        isAlias = true
        link?.stop()
    }

    /// Whether there is no reason to prefer another node.
    var isGood: Bool { !isSilent && !isDoubted && isClockRight }

    /// Notes what an answer of it tells of the two clocks.
    private func judgeClock(_ answer: Message) {
        if case .error(let error) = answer {
            if error.code == .clockDrift || error.code == .tooOld { isClockRight = false }
        } else if !isClockRight {
            isClockRight = true
            engine.counters.admissions.count()
        }
    }

    // MARK: ConnectionDelegate

    func stamp() -> (time: HybridTime, epoch: Epoch) { (engine.clock.now(), engine.epoch) }

    var clusterID: ClusterID { engine.clusterID }

    func admit(_ hello: Hello) -> ErrorMessage? {
        ErrorMessage(code: .protocolViolation, detail: "a client takes no connections")
    }

    func connectionOpened(_ connection: Connection) {
        self.connection = connection
        nodeID = connection.peer.id
        name = connection.peer.name
        lastLogged = nil
        isSilent = false
        isClockRight = false
        engine.opened(self)
    }

    func connection(_ connection: Connection, received frame: Frame) {
        if let aheadMs = engine.clock.merge(frame.header.time) { return drifted(connection, aheadMs) }
        isSilent = false
        if frame.header.flags.contains(.answer) { judgeClock(frame.message) }
        engine.received(frame, on: self)
    }

    func connectionReadCompleted(_ connection: Connection) { engine.flush() }

    func connectionClosed(_ connection: Connection, reason: CloseReason) {
        self.connection = nil
        let node = nodeID
        nodeID = nil
        isDirty = false
        let wasLeaving = isLeaving
        isLeaving = false
        if !wasLeaving { log("connection to \(name) at \(address) ended: \(reason)") }
        engine.lost(self, node: node, requests.removeAll(), reason)
    }

    func handshakeFailed(with remoteAddress: String, isOutgoing: Bool, reason: CloseReason) {
        // It was told already, by the node that goes down itself.
        if case .refusedByPeer(let error) = reason, error.code == .draining { return }
        log("no connection to \(address): \(reason)")
    }

    private func drifted(_ connection: Connection, _ aheadMs: UInt64) {
        guard connection.isOpen else { return }
        engine.counters.clockDrifts.count()
        connection.close(
            .local(
                "the clock of '\(name)' is \(aheadMs) ms ahead of this host's, at most \(engine.configuration.clockDriftMaxMs) ms "
                    + "are allowed: set the clocks right (NTP)"))
    }

    /// Says something once, not at every attempt.
    private func log(_ line: String) {
        guard line != lastLogged, engine.isRunning, !isAlias, link != nil else { return }
        lastLogged = line
        engine.logger.warning("\(line)")
    }
}
