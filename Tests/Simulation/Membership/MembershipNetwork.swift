import Membership
import Wire

/// Members on virtual time, by the thousand: every message takes a few milliseconds, may be lost, and does not cross a
/// split. Everything is drawn from one seed.
final class MembershipNetwork {
    /// One member and what the network has seen of it.
    struct Place {
        var swim: Swim
        var isUp = true
        /// When it wants to be woken.
        var wakeAtMs: UInt64 = 0
        /// How many members it takes for alive.
        var aliveCount = 1
        /// How often it has been started.
        var starts: UInt64 = 1
    }

    private struct Event {
        /// What is to happen when its time comes.
        enum Kind { case wake, farWake, message }
        let kind: Kind
        let place: Int
        let from: NodeID
        let bytes: [UInt8]
    }

    /// What the network counts.
    struct Counts {
        var messages: UInt64 = 0
        var bytes: UInt64 = 0
        /// Times a living member was declared dead by another on its own account.
        var falseDeaths: UInt64 = 0
        var suspicions: UInt64 = 0
        var refutations: UInt64 = 0
    }

    private(set) var places: [Place] = []
    private(set) var nowMs: UInt64 = 0
    /// What was counted by the network itself; see `counts`.
    private var counted = Counts()
    /// Statistics of runs that have ended.
    private var ended = Counts()
    private var random: SplitMix64
    private let configuration: MembershipConfiguration
    private let lossPerMille: UInt64

    // The events of the next milliseconds, one slot for each; a wake that lies beyond waits in the last one.
    private var slots: [[Event]] = Array(repeating: [], count: 4_096)

    /// Whether the members with even and those with odd numbers cannot reach each other.
    var isSplit = false
    /// The member whose death is being waited for, and how many know of it.
    private(set) var watched: Int?
    private(set) var knowing = 0
    /// When somebody first declared the watched member dead.
    private(set) var firstDeathMs: UInt64?

    /// Latency of a message, in milliseconds: a local network with a little load.
    static let latencyMs: ClosedRange<UInt64> = 1...5
    /// Members that everybody has as seeds.
    static let seeds = 3

    init(members: Int, lossPerMille: UInt64, seed: UInt64, configuration: MembershipConfiguration) {
        random = SplitMix64(seed: seed)
        self.lossPerMille = lossPerMille
        self.configuration = configuration
        for index in 0..<members { places.append(Place(swim: swim(index, starts: 1))) }
        for index in 0..<members { give(.tick, to: index) }
    }

    private func swim(_ index: Int, starts: UInt64) -> Swim {
        let identity = PeerIdentity(
            role: .node, id: NodeID(UInt64(index + 1)), name: "n\(index)", incarnation: starts << 20,
            address: "\(index):7000")
        let seeds = (0..<Self.seeds).map { "\($0):7000" }
        return Swim(local: identity, configuration: configuration, seeds: seeds, randomSeed: random.next())
    }

    /// Members that run.
    var upCount: Int { places.count { $0.isUp } }

    /// Everything counted so far.
    var counts: Counts {
        var sum = counted
        sum.suspicions = ended.suspicions
        sum.refutations = ended.refutations
        for place in places {
            sum.suspicions += place.swim.statistics.suspicions
            sum.refutations += place.swim.statistics.refutations
        }
        return sum
    }

    // MARK: What happens to members

    /// Stops a member for good. `closesConnections` tells the others at once, as the end of a process does; without it the
    /// member falls silent, as a host that loses its power.
    func crash(_ index: Int, closesConnections: Bool) {
        places[index].isUp = false
        watched = index
        knowing = 0
        firstDeathMs = nil
        guard closesConnections else { return }
        for other in places.indices where places[other].isUp {
            give(.disconnected(NodeID(UInt64(index + 1))), to: other)
        }
    }

    /// Starts a stopped member anew.
    func restart(_ index: Int) {
        let statistics = places[index].swim.statistics
        ended.suspicions += statistics.suspicions
        ended.refutations += statistics.refutations
        let starts = places[index].starts + 1
        places[index] = Place(swim: swim(index, starts: starts), starts: starts)
        watched = nil
        give(.tick, to: index)
    }

    // MARK: Time

    /// Runs until `condition` holds, which is asked every millisecond, or the time is over.
    ///
    /// - Returns: how long it took, in milliseconds; nil when the time was over first.
    func run(forMs limitMs: UInt64, until condition: (MembershipNetwork) -> Bool = { _ in false }) -> UInt64? {
        let startMs = nowMs
        while nowMs < startMs + limitMs {
            if condition(self) { return nowMs - startMs }
            step()
        }
        return condition(self) ? nowMs - startMs : nil
    }

    /// Whether every running member takes exactly the running ones for alive, with their present incarnations.
    var agrees: Bool {
        let up = upCount
        guard places.allSatisfy({ !$0.isUp || $0.aliveCount == up }) else { return false }
        let live = places.filter(\.isUp).map(\.swim.local)
        return places.allSatisfy { place in
            guard place.isUp else { return true }
            var next = 0
            for member in place.swim.members where member.state == .alive {
                guard next < live.count, member.identity.id == live[next].id,
                    member.identity.incarnation == live[next].incarnation
                else { return false }
                next += 1
            }
            return next == live.count
        }
    }

    private func step() {
        nowMs += 1
        let slot = Int(nowMs % UInt64(slots.count))
        var events: [Event] = []
        swap(&events, &slots[slot])
        for event in events {
            switch event.kind {
            case .message: give(.received(from: event.from, bytes: event.bytes), to: event.place)
            case .wake, .farWake:
                // It may have asked for another time since, for which there is another event.
                let wakeAtMs = places[event.place].wakeAtMs
                if wakeAtMs == nowMs {
                    give(.tick, to: event.place)
                } else if event.kind == .farWake, wakeAtMs > nowMs {
                    scheduleWake(event.place, wakeAtMs)
                }
            }
        }
        events.removeAll(keepingCapacity: true)
        swap(&events, &slots[slot])
    }

    private func scheduleWake(_ index: Int, _ atMs: UInt64) {
        let isFar = atMs >= nowMs + UInt64(slots.count)
        schedule(
            Event(kind: isFar ? .farWake : .wake, place: index, from: .none, bytes: []),
            isFar ? nowMs + UInt64(slots.count - 1) : atMs)
    }

    private func schedule(_ event: Event, _ atMs: UInt64) { slots[Int(atMs % UInt64(slots.count))].append(event) }

    private func give(_ input: Swim.Input, to index: Int) {
        guard places[index].isUp else { return }
        let deaths = places[index].swim.statistics.deaths
        let outputs = places[index].swim.handle(input, nowMs: nowMs)
        let hasDeclared = places[index].swim.statistics.deaths > deaths
        for output in outputs {
            switch output {
            case .send(let address, let bytes): send(bytes, from: index, to: address)
            case .changed(let member, let former):
                changed(member, from: former, at: index, isDeclared: hasDeclared)
            case .wakeAt(let atMs):
                places[index].wakeAtMs = atMs
                scheduleWake(index, atMs)
            case .conflict, .forgotten, .forgetRefused: break
            }
        }
    }

    private func send(_ bytes: [UInt8], from index: Int, to address: String) {
        counted.messages += 1
        counted.bytes += UInt64(bytes.count + FrameHeader.size)
        let draw = random.next()
        guard draw % 1_000 >= lossPerMille, let place = place(address), !(isSplit && (place - index) % 2 != 0) else {
            return
        }
        let span = Self.latencyMs.upperBound - Self.latencyMs.lowerBound + 1
        let latencyMs = Self.latencyMs.lowerBound + (draw >> 32) % span
        schedule(
            Event(kind: .message, place: place, from: places[index].swim.local.id, bytes: bytes), nowMs + latencyMs)
    }

    /// The number in front of the port.
    private func place(_ address: String) -> Int? {
        var number = 0
        for digit in address.utf8 {
            guard (48...57).contains(digit) else { break }
            number = number * 10 + Int(digit - 48)
        }
        return number < places.count ? number : nil
    }

    private func changed(_ member: MembershipMember, from former: MemberState?, at index: Int, isDeclared: Bool) {
        places[index].aliveCount += (member.state == .alive ? 1 : 0) - (former == .alive ? 1 : 0)
        guard former != member.state else { return }
        let other = Int(member.identity.id.rawValue) - 1
        if other == watched {
            if member.state == .dead {
                knowing += 1
                firstDeathMs = firstDeathMs ?? nowMs
            } else if former == .dead {
                knowing -= 1
            }
        }
        if isDeclared, member.state == .dead, places[other].isUp, !isSplit { counted.falseDeaths += 1 }
    }
}
