import NodeCore
import Simulation
import Wire

/// One node of a ring of three, whose two peers are played by the test: every message it sends stands here, and is
/// answered when and how the test likes.
struct LoneNode {
    var node: Node<MemoryStore>
    let store: MemoryStore
    private(set) var nowMs: UInt64 = 1_000_000
    /// What it has sent to its peers and not been asked about yet.
    var sent: [(to: NodeID, request: RequestID, message: Message)] = []
    /// What its clients have heard.
    var answers: [(request: RequestID, message: Message)] = []

    static let wallOffsetMs: UInt64 = 1_700_000_000_000
    static let peers = [NodeID(2), NodeID(3)]

    /// Node 1 with its peers connected. `facts` are found on its disk beside the ring.
    init(limits: CoreLimits = CoreLimits(), facts: [(NodeFact, [UInt8])] = [], hasRing: Bool = true) {
        let identity = PeerIdentity(role: .node, id: NodeID(1), name: "n1", incarnation: 1, address: "n1:1")
        let ring = Ring(
            clusterID: ClusterID(high: 1, low: 1), epoch: Epoch(1), replicationFactor: 3,
            members: (1...3).map {
                RingMember(id: NodeID($0), name: "n\($0)", address: "n\($0):1", zone: "", virtualNodes: 8)
            })
        var writer = ByteWriter()
        ring.encode(into: &writer)
        store = MemoryStore()
        if hasRing { _ = store.apply(.fact(.ring, writer.bytes)) }
        for (fact, bytes) in facts { _ = store.apply(.fact(fact, bytes)) }
        _ = store.sync()
        node = Node(
            identity: identity, clusterName: "test", limits: limits, store: store,
            time: NodeTime(wallMs: nowMs + Self.wallOffsetMs, monotonicMs: nowMs), randomSeed: 1)
        input(.member(MemberInfo(identity: identity, state: .alive)))
        for peer in Self.peers { input(.peerUp(peer)) }
    }

    /// Hands an input in and syncs what it wrote.
    mutating func input(_ input: NodeInput) {
        node.handle(input, at: NodeTime(wallMs: nowMs + Self.wallOffsetMs, monotonicMs: nowMs))
        while store.hasUnsynced {
            node.handle(.durable(store.sync()), at: NodeTime(wallMs: nowMs + Self.wallOffsetMs, monotonicMs: nowMs))
        }
        for output in node.outputs {
            switch output {
            case .send(let to, let request, let message): sent.append((to, request, message))
            case .reply(_, let request, let message): answers.append((request, message))
            default: break
            }
        }
        node.outputs = []
    }

    /// A client's request.
    mutating func request(_ client: UInt32, _ message: Message) {
        input(.request(ChannelID(9), peer: .none, header(message, RequestID(client), answer: false), message))
    }

    /// A peer's answer.
    mutating func answer(_ request: RequestID, from peer: NodeID, _ message: Message) {
        input(.answer(from: peer, header(message, request, answer: true), message))
    }

    /// A peer's one-way message.
    mutating func message(from peer: NodeID, _ message: Message) {
        input(.request(ChannelID(9), peer: peer, header(message, .oneWay, answer: false), message))
    }

    /// Lets time pass, with a tick every 10 ms.
    mutating func run(forMs milliseconds: UInt64) {
        for _ in 0..<milliseconds / 10 {
            nowMs += 10
            input(.tick)
        }
    }

    /// Takes the messages sent so far.
    mutating func takeSent() -> [(to: NodeID, request: RequestID, message: Message)] {
        defer { sent = [] }
        return sent
    }

    /// What a client was answered.
    func answer(of client: UInt32) -> Message? { answers.last { $0.request == RequestID(client) }?.message }

    private func header(_ message: Message, _ request: RequestID, answer: Bool) -> FrameHeader {
        FrameHeader(
            type: message.type, flags: answer ? .answer : [], requestID: request,
            time: HybridTime(milliseconds: nowMs + Self.wallOffsetMs), epoch: Epoch(1))
    }
}
