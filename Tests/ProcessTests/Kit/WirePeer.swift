import NIOCore
import NIOPosix
import Synchronization
import Wire
import WireTransport

@testable import StormoClient

/// A client without the care of `StormoClient`: it sends what it is given, stays connected until it is told to close, and
/// writes down what it hears.
final class WirePeer: ConnectionDelegate {
    private struct State {
        var connection: Connection?
        var answers: [Message] = []
        var words: [ErrorMessage] = []
        var closed: CloseReason?
    }

    private let state = Mutex(State())
    private let aheadMs: UInt64

    private init(aheadMs: UInt64) { self.aheadMs = aheadMs }

    /// Connects to a node. Its frames say that they are sent `aheadMs` from now.
    static func connect(to address: String, aheadMs: UInt64 = 0) async throws -> WirePeer {
        let peer = WirePeer(aheadMs: aheadMs)
        let configuration = TransportConfiguration(
            clusterName: "stormo", secret: [],
            identity: PeerIdentity(role: .tool, id: .none, name: "careless", incarnation: 1, address: ""))
        let connection = try await Connector.connect(
            to: address, purpose: .client, configuration: configuration, delegate: peer,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next()
        ).get()
        peer.state.withLock { $0.connection = connection }
        return peer
    }

    /// What it was answered.
    var answers: [Message] { state.withLock { $0.answers } }
    /// What it was told without having asked.
    var words: [ErrorMessage] { state.withLock { $0.words } }
    /// Why the connection ended; nil while it is open.
    var closed: CloseReason? { state.withLock { $0.closed } }

    /// The reason for which a request was refused: an answer, or the last words of a connection that ends.
    var refusal: ErrorMessage? {
        for case .error(let error) in answers { return error }
        return closed == nil ? nil : words.first
    }

    /// Sends a request as it is.
    func send(_ message: Message) {
        guard let connection = state.withLock({ $0.connection }) else { return }
        connection.eventLoop.execute {
            connection.send(message, requestID: RequestID(1), answer: false)
            connection.flush()
        }
    }

    /// Ends the connection.
    func close() {
        guard let connection = state.withLock({ $0.connection }) else { return }
        connection.eventLoop.execute { connection.close(.local("the test is over")) }
    }

    // MARK: ConnectionDelegate

    func stamp() -> (time: HybridTime, epoch: Epoch) {
        (HybridTime(milliseconds: ClientClock.physicalMs() + aheadMs), .none)
    }

    var clusterID: ClusterID { .none }
    func admit(_ hello: Hello) -> ErrorMessage? { nil }
    func connectionOpened(_ connection: Connection) {}

    func connection(_ connection: Connection, received frame: Frame) {
        state.withLock { state in
            if frame.header.flags.contains(.answer) {
                state.answers.append(frame.message)
            } else if case .error(let error) = frame.message {
                state.words.append(error)
            }
        }
    }

    func connectionReadCompleted(_ connection: Connection) {}

    func connectionClosed(_ connection: Connection, reason: CloseReason) {
        state.withLock { state in
            state.closed = reason
            if case .refusedByPeer(let error) = reason { state.words.append(error) }
        }
    }
}
