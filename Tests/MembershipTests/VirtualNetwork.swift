import Membership
import Wire

/// Members in virtual time: messages take a few milliseconds, may be lost, and do not cross cut links. Everything is
/// drawn from one seed, so a run can be repeated exactly.
final class VirtualNetwork {
    /// A node of the network.
    struct Node {
        var swim: Swim
        var isUp = true
        /// Paused nodes keep what arrives until they go on.
        var isPaused = false
        var inbox: [Swim.Input] = []
        var wakeAtMs: UInt64 = 0
        var changes: [(atMs: UInt64, member: MembershipMember, from: MemberState?)] = []
        var conflicts: [String] = []
        /// Members that it dropped, in order.
        var forgotten: [MembershipMember] = []
        /// Its answers to words that it did not take.
        var refusals: [ForgetRefusal] = []
        /// Where this node sent something, in order; `kind` is the message's number.
        var sentTo: [(atMs: UInt64, address: String, kind: UInt8)] = []
    }

    private struct Delivery {
        let atMs: UInt64
        let order: UInt64
        let from: NodeID
        let to: String
        let bytes: [UInt8]
    }

    private(set) var nodes: [Node] = []
    private(set) var nowMs: UInt64 = 1_000
    private(set) var trace: [String] = []
    private var queue: [Delivery] = []
    private var order: UInt64 = 0
    private var random: SplitMix64

    /// Messages lost by chance so far.
    private(set) var lostCount = 0
    /// Lost messages out of a thousand.
    var lossPerMille = 0
    /// Latency of a message.
    var latencyMs: ClosedRange<UInt64> = 1...5
    /// Which addresses cannot reach which others.
    var isCut: @Sendable (_ from: String, _ to: String) -> Bool = { _, _ in false }
    /// Other names of addresses.
    var aliases: [(alias: String, address: String)] = []
    /// Whether the trace is kept.
    var keepsTrace = false

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    static func identity(
        _ number: Int, incarnation: UInt64 = 1, address: String? = nil, name: String? = nil, role: Role = .node
    )
        -> PeerIdentity
    {
        PeerIdentity(
            role: role, id: NodeID(UInt64(number)), name: name ?? "n\(number)", incarnation: incarnation,
            address: address ?? "n\(number):7000")
    }

    /// Adds a running node and returns its index.
    func add(
        _ identity: PeerIdentity, seeds: [String], known: [String] = [],
        configuration: MembershipConfiguration = MembershipConfiguration()
    ) -> Int {
        let swim = Swim(
            local: identity, configuration: configuration, seeds: seeds, knownPeers: known, randomSeed: random.next())
        nodes.append(Node(swim: swim, wakeAtMs: nowMs))
        give(.tick, to: nodes.count - 1)
        return nodes.count - 1
    }

    /// Adds nodes 1 to `count` that know the first as their seed.
    func addCluster(_ count: Int, configuration: MembershipConfiguration = MembershipConfiguration()) {
        for number in 1...count {
            _ = add(Self.identity(number), seeds: ["n1:7000"], configuration: configuration)
        }
    }

    /// Stops a node for good; `hint` tells the others at once, as closed connections do.
    func kill(_ index: Int, hint: Bool) {
        nodes[index].isUp = false
        let id = nodes[index].swim.local.id
        guard hint else { return }
        for other in nodes.indices where other != index && nodes[other].isUp { give(.disconnected(id), to: other) }
    }

    func pause(_ index: Int) { nodes[index].isPaused = true }

    /// Lets a paused node go on: like a process, it finds its timer late and its messages waiting.
    func resume(_ index: Int) {
        nodes[index].isPaused = false
        let inbox = nodes[index].inbox
        nodes[index].inbox = []
        if nodes[index].wakeAtMs <= nowMs { give(.tick, to: index) }
        for input in inbox { give(input, to: index) }
    }

    /// Hands an input to a node now.
    func give(_ input: Swim.Input, to index: Int) {
        guard nodes[index].isUp else { return }
        guard !nodes[index].isPaused else {
            if input != .tick { nodes[index].inbox.append(input) }
            return
        }
        for output in nodes[index].swim.handle(input, nowMs: nowMs) {
            if keepsTrace { trace.append("\(nowMs) \(index) \(output)") }
            switch output {
            case .send(let address, let bytes):
                nodes[index].sentTo.append((nowMs, address, bytes[1]))
                let lost = Int.random(in: 0..<1_000, using: &random) < lossPerMille
                let latency = UInt64.random(in: latencyMs, using: &random)
                guard !lost else {
                    lostCount += 1
                    continue
                }
                order += 1
                enqueue(
                    Delivery(
                        atMs: nowMs + latency, order: order, from: nodes[index].swim.local.id, to: resolve(address),
                        bytes: bytes),
                    from: nodes[index].swim.local.address)
            case .changed(let member, let from): nodes[index].changes.append((nowMs, member, from))
            case .conflict(let line): nodes[index].conflicts.append(line)
            case .forgotten(let member): nodes[index].forgotten.append(member)
            case .forgetRefused(_, let refusal): nodes[index].refusals.append(refusal)
            case .wakeAt(let at): nodes[index].wakeAtMs = at
            }
        }
    }

    /// Runs until `condition` holds or the time is over.
    ///
    /// - Returns: whether the condition came to hold.
    @discardableResult
    func run(forMs limitMs: UInt64, until condition: (VirtualNetwork) -> Bool = { _ in false }) -> Bool {
        let endMs = nowMs + limitMs
        while true {
            if condition(self) { return true }
            var nextMs = queue.last?.atMs ?? .max
            var waker: Int?
            for index in nodes.indices
            where nodes[index].isUp && !nodes[index].isPaused && nodes[index].wakeAtMs < nextMs {
                nextMs = nodes[index].wakeAtMs
                waker = index
            }
            guard nextMs <= endMs else {
                nowMs = endMs
                return condition(self)
            }
            nowMs = max(nowMs, nextMs)
            if let waker {
                // Until it asks for another time, this one is spent.
                nodes[waker].wakeAtMs = .max
                give(.tick, to: waker)
            } else if let delivery = queue.popLast() {
                deliver(delivery)
            }
        }
    }

    /// How a node sees another; nil for not at all.
    func state(of number: Int, at index: Int) -> MemberState? { nodes[index].swim.state(of: NodeID(UInt64(number))) }

    /// Whether every running node holds exactly the running nodes for alive, with their present incarnations.
    var agrees: Bool {
        let live = nodes.filter { $0.isUp }.map(\.swim.local).sorted { $0.id < $1.id }
        return nodes.allSatisfy { node in
            !node.isUp || node.swim.members.filter { $0.state == .alive }.map(\.identity) == live
        }
    }

    /// All times a running node held another for dead or suspect while that one was running.
    func accusations(_ states: Set<MemberState>) -> Int {
        nodes.reduce(0) { $0 + $1.changes.filter { states.contains($0.member.state) }.count }
    }

    private func resolve(_ address: String) -> String { aliases.first { $0.alias == address }?.address ?? address }

    private func enqueue(_ delivery: Delivery, from: String) {
        guard !isCut(from, delivery.to) else { return }
        // Sorted with the next one last.
        var low = 0
        var high = queue.count
        while low < high {
            let middle = (low + high) / 2
            let other = queue[middle]
            if (other.atMs, other.order) > (delivery.atMs, delivery.order) { low = middle + 1 } else { high = middle }
        }
        queue.insert(delivery, at: low)
    }

    private func deliver(_ delivery: Delivery) {
        // The newest node of an address is the one that listens there.
        guard let index = nodes.lastIndex(where: { $0.isUp && $0.swim.local.address == delivery.to }) else { return }
        give(.received(from: delivery.from, bytes: delivery.bytes), to: index)
    }
}
