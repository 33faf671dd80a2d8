import DequeModule
import Membership
import Wire

/// A node's comparison of its ranges with the other replicas', and where it stands. One stretch is compared at a time, with
/// all its other replicas.
struct Comparing {
    /// A stretch to compare.
    struct Stretch {
        let range: TokenRange
        /// With whom.
        let peers: [NodeID]
        /// Whether it is not part of one that was compared before: its registers count, and its cells are collected.
        let isFirstLook: Bool
    }

    /// A stretch that differs and is looked at key by key.
    struct Fetch {
        let range: TokenRange
        let peers: [NodeID]
        /// The last key of the page before.
        var after: Key?
    }

    /// What is told of it.
    var status = RepairStatus()
    /// When it began.
    var beganMs: UInt64 = 0
    /// When the next one begins by itself.
    var nextMs: UInt64

    /// The ranges to come; nil until the ring is at rest.
    var segments: Deque<Ring.Segment>?
    /// The other replicas of the range under way; nil between ranges.
    var peersOfRange: [NodeID]?
    /// Those of them that the comparison has failed with.
    var failed: Set<NodeID> = []
    /// Nodes that were asked too often in vain; the rest is compared without them.
    var away: Set<NodeID> = []
    /// Stretches of the range to come, the next one last.
    var stretches: [Stretch] = []

    /// The stretch under way; nil when its trees have been compared.
    var stretch: Stretch?
    /// Its own tree.
    var own: MerkleTree?
    /// Its own cells that could be collected, with their leaves.
    var droppable: [(leaf: Int, item: Collect.Item)] = []
    /// Who is still to be asked for a tree.
    var toAsk: [NodeID] = []
    /// Who is being waited for.
    var awaited: Set<NodeID> = []
    /// Who has answered.
    var trees: [NodeID: Tree] = [:]
    /// Who has not, the last time.
    var troubled: [NodeID] = []
    /// How often the present question was asked.
    var attempts = 0

    /// What differs, the next one last.
    var fetches: [Fetch] = []
    /// Registers that differ, each with the newest copy seen.
    var unsettled: Deque<(key: Key, newest: AcceptedCell)> = []
    /// How many are being settled.
    var settling = 0
    /// Cells to ask all replicas about.
    var candidates: ArraySlice<Collect.Item> = []
    /// Those that all replicas are being asked about.
    var collecting: (items: [Collect.Item], isAgreed: Bool)?

    /// Numbers the stretches and epochs, so that a late answer finds nothing.
    var question: UInt64 = 0
    /// Whether a page or a word is being waited for.
    var isAsking = false
    /// Operations that were started for it and have not ended.
    var inFlight = 0
    /// When it goes on.
    var resumeMs: UInt64 = 0
    /// Whether it is going on at the moment: who would go on within it leaves it to the outermost.
    var isAdvancing = false

    /// The first comparison begins at some part of the interval, so that a cluster's nodes take turns.
    init(startedMs: UInt64, intervalMs: UInt64, seed: UInt64) {
        var random = SplitMix64(seed: ~seed)
        nextMs = startedMs + random.next() % max(intervalMs, 1)
    }

    /// The other replicas of the range under way.
    var peers: [NodeID] { peersOfRange ?? [] }

    /// Whether the own tree is being made.
    var isReading: Bool { own.map { !$0.isDone } ?? false }

    /// Leaves what is under way; the ranges are laid out anew.
    mutating func restart() {
        question += 1
        segments = nil
        peersOfRange = nil
        failed = []
        away = []
        stretches = []
        stretch = nil
        own = nil
        droppable = []
        toAsk = []
        awaited = []
        trees = [:]
        troubled = []
        attempts = 0
        fetches = []
        unsettled = []
        settling = 0
        candidates = []
        collecting = nil
        isAsking = false
        resumeMs = 0
        status.rangesDone = 0
        status.rangesFailed = 0
        status.rangesTotal = 0
    }
}

/// Anti-entropy: the first replica of each range compares it with the others. Only leaves that differ move, and each
/// register that differs is settled by a serial read.
extension Node {
    /// Begins a repair, unless one is under way, and tells how far it is.
    mutating func repair(_ request: RepairRequest, for channel: ChannelID, _ id: RequestID) {
        guard ring != nil else {
            return refuse(channel, id, .noRing, "\(identity.name) has no ring yet: there is nothing to repair")
        }
        if request.begin, !comparing.status.isRunning { beginComparing() }
        var status = comparing.status
        if status.isRunning { status.elapsedMs = time.monotonicMs - comparing.beganMs }
        reply(channel, id, .repairStatus(status))
    }

    mutating func tickComparing() {
        if !comparing.status.isRunning, limits.repairIntervalMs > 0, time.monotonicMs >= comparing.nextMs,
            ring?.next == nil, ring?.member(identity.id) != nil
        {
            beginComparing()
        }
        advanceComparing()
    }

    /// Another epoch is in force: the ranges are other ones.
    mutating func restartComparing() {
        comparing.restart()
        if ring?.next == nil, comparing.status.isRunning { layOut() }
    }

    private mutating func beginComparing() {
        comparing.status = RepairStatus()
        comparing.restart()
        comparing.status.isRunning = true
        comparing.beganMs = time.monotonicMs
        counters.repairs += 1
        if ring?.next == nil { layOut() }
    }

    private mutating func layOut() {
        guard let ring else { return }
        let own = ring.segments.filter { $0.replicas.first == identity.id }
        comparing.segments = Deque(own)
        comparing.status.rangesTotal = UInt32(clamping: own.reduce(0) { $0 + $1.replicas.count - 1 })
    }

    /// Goes on as far as it can for now. Not while the ring changes: owners of now and of then are copying.
    mutating func advanceComparing() {
        guard !comparing.isAdvancing else { return }
        comparing.isAdvancing = true
        while comparing.status.isRunning, let ring, ring.next == nil, isWhole,
            time.monotonicMs >= comparing.resumeMs, store.readOnlyReason == nil,
            store.backlogBytes < limits.backlogBytesMax / 2, advanceOnce()
        {}
        comparing.isAdvancing = false
    }

    /// Does the next thing. Says whether there may be another one to do at once.
    private mutating func advanceOnce() -> Bool {
        if comparing.segments == nil {
            layOut()
        } else if comparing.settling > 0 || !comparing.unsettled.isEmpty {
            return settleMore()
        } else if comparing.isAsking {
            return false
        } else if let fetch = comparing.fetches.last {
            askForPage(fetch)
        } else if let stretch = comparing.stretch {
            return growAndCompare(stretch)
        } else if !comparing.candidates.isEmpty {
            askToCollect()
        } else if let next = comparing.stretches.popLast() {
            begin(next)
        } else if let peers = comparing.peersOfRange {
            endRange(peers)
        } else if let segment = comparing.segments?.popFirst() {
            begin(segment)
        } else {
            endComparing()
            return false
        }
        return true
    }

    private mutating func endComparing() {
        comparing.status.isRunning = false
        comparing.status.elapsedMs = time.monotonicMs - comparing.beganMs
        comparing.nextMs = time.monotonicMs + limits.repairIntervalMs
        let status = comparing.status
        guard status.rangesFailed > 0 || status.keysRepaired > 0 else { return }
        note(
            status.rangesFailed > 0 ? .warning : .info,
            "\(identity.name) has compared \(status.rangesDone) of \(status.rangesTotal) ranges with other replicas (\(status.rangesFailed) failed), and made \(status.keysRepaired) of \(status.keysCompared) registers equal"
        )
    }

    // MARK: Ranges

    private mutating func begin(_ segment: Ring.Segment) {
        let peers = segment.replicas.filter { $0 != identity.id }
        comparing.peersOfRange = peers
        comparing.failed = Set(peers.filter { comparing.away.contains($0) || !isAlive($0) })
        let present = peers.filter { !comparing.failed.contains($0) }
        guard !present.isEmpty || peers.isEmpty else { return }
        comparing.stretches = [Comparing.Stretch(range: segment.range, peers: present, isFirstLook: true)]
    }

    private mutating func endRange(_ peers: [NodeID]) {
        let failed = comparing.failed.count
        comparing.status.rangesDone += UInt32(clamping: peers.count - failed)
        comparing.status.rangesFailed += UInt32(clamping: failed)
        counters.rangesCompared += UInt64(peers.count - failed)
        counters.rangesNotCompared += UInt64(failed)
        comparing.peersOfRange = nil
    }

    private mutating func begin(_ stretch: Comparing.Stretch) {
        let present = stretch.peers.filter { !comparing.failed.contains($0) }
        guard !present.isEmpty || stretch.peers.isEmpty else { return }
        comparing.question += 1
        comparing.stretch = stretch
        comparing.own = MerkleTree(stretch.range, leaves: WireLimits.treeLeavesMax)
        comparing.droppable = []
        comparing.toAsk = present
        comparing.awaited = []
        comparing.trees = [:]
        comparing.troubled = []
        comparing.attempts = 0
        // The ceiling is what ages are judged by.
        raiseCeiling(for: clock.now(physicalMs: time.wallMs))
    }

    // MARK: Trees

    /// Makes the own tree beside the others, then compares them. Says whether it can go on at once.
    private mutating func growAndCompare(_ stretch: Comparing.Stretch) -> Bool {
        if !comparing.toAsk.isEmpty {
            let peers = comparing.toAsk
            comparing.toAsk = []
            comparing.awaited = Set(peers)
            for peer in peers { askForTree(stretch.range, peer) }
            return true
        }
        if comparing.isReading {
            guard serving.keysLeft > 0 else { return false }
            grow(stretch)
            return true
        }
        guard comparing.awaited.isEmpty else { return false }
        if !comparing.troubled.isEmpty {
            if comparing.attempts < limits.repairAttemptsMax {
                comparing.toAsk = comparing.troubled
                comparing.resumeMs = time.monotonicMs + limits.repairRetryPauseMs
            } else {
                comparing.failed.formUnion(comparing.troubled)
                comparing.away.formUnion(comparing.troubled)
            }
            comparing.troubled = []
            return true
        }
        compare(stretch)
        return true
    }

    private mutating func grow(_ stretch: Comparing.Stretch) {
        guard var own = comparing.own else { return }
        guard let page = readSlice(of: own, keysMax: serving.keysLeft) else { return leaveRange() }
        if stretch.isFirstLook {
            for item in page.items where isDroppable(item.state) {
                guard let ballot = item.state.accepted?.ballot else { continue }
                comparing.droppable.append(
                    (own.leaf(of: item.key.token), Collect.Item(key: item.key, ballot: ballot)))
            }
        }
        comparing.own = nil
        own.add(page, keysMax: limits.treeKeysMax)
        comparing.own = own
    }

    /// The own registers cannot be read: the range is left to the next comparison.
    private mutating func leaveRange() {
        comparing.question += 1
        comparing.failed = Set(comparing.peers)
        comparing.stretches = []
        comparing.stretch = nil
        comparing.own = nil
        comparing.fetches = []
        comparing.candidates = []
    }

    private mutating func askForTree(_ range: TokenRange, _ peer: NodeID) {
        guard let ring else { return }
        comparing.inFlight += 1
        start(
            .gather(
                .treeRequest(TreeRequest(range: range, leaves: UInt16(WireLimits.treeLeavesMax))),
                ReplicaSet([peer], quorum: 1)),
            key: RingRegister.key(ring.epoch), for: .repairTree(comparing.question, peer))
    }

    /// A replica has made its tree, or cannot.
    mutating func treeGathered(_ question: UInt64, _ peer: NodeID, _ result: OperationResult) {
        comparing.inFlight -= 1
        guard question == comparing.question, comparing.awaited.remove(peer) != nil else { return }
        if case .gathered(let answers) = result, case .tree(let tree)?? = answers.first {
            comparing.trees[peer] = tree
        } else {
            if comparing.troubled.isEmpty { comparing.attempts += 1 }
            comparing.troubled.append(peer)
        }
        advanceComparing()
    }

    /// The trees are here: what differs is fetched, or looked at more closely when it is much.
    private mutating func compare(_ stretch: Comparing.Stretch) {
        comparing.stretch = nil
        guard let own = comparing.own else { return }
        comparing.own = nil
        let peers = stretch.peers.filter { comparing.trees[$0] != nil }
        guard !peers.isEmpty || stretch.peers.isEmpty else { return }
        let count = MerkleTree(stretch.range, leaves: WireLimits.treeLeavesMax).leaves.count
        func part(_ leaves: Range<Int>, of peers: [NodeID], isFirstLook: Bool) -> Comparing.Stretch {
            Comparing.Stretch(
                range: stretch.range.stretch(ofLeaves: leaves, of: count), peers: peers, isFirstLook: isFirstLook)
        }
        let whole = comparing.trees.values.reduce(own.leaves.count) { min($0, $1.leaves.count) }
        // Where somebody's tree has ended early.
        if whole < count {
            let rest = max(whole, 1)
            if rest < count {
                comparing.stretches.append(part(rest..<count, of: peers, isFirstLook: stretch.isFirstLook))
            }
            if whole == 0 { comparing.stretches.append(part(0..<1, of: peers, isFirstLook: stretch.isFirstLook)) }
        }
        var differing: (leaves: Range<Int>, peers: [NodeID])?
        func fetch(_ differing: (leaves: Range<Int>, peers: [NodeID])?) {
            guard let differing else { return }
            comparing.fetches.append(
                Comparing.Fetch(
                    range: stretch.range.stretch(ofLeaves: differing.leaves, of: count), peers: differing.peers))
        }
        for leaf in 0..<whole {
            let others = peers.filter { comparing.trees[$0]?.leaves[leaf] != own.leaves[leaf] }
            counters.leavesDiffering += UInt64(others.count)
            if !others.isEmpty, own.counts[leaf] > limits.treeLeafKeysMax, count > 1 {
                comparing.stretches.append(part(leaf..<leaf + 1, of: others, isFirstLook: false))
            } else if let run = differing, run.peers == others, run.leaves.upperBound == leaf {
                differing?.leaves = run.leaves.lowerBound..<leaf + 1
            } else if !others.isEmpty {
                fetch(differing)
                differing = (leaf..<leaf + 1, others)
            }
        }
        fetch(differing)
        comparing.trees = [:]
        comparing.attempts = 0
        guard stretch.isFirstLook else { return }
        noteCompared(own.counts.prefix(whole).reduce(0, +))
        if comparing.failed.isEmpty || Mutation.tombstoneOnMajority.isOn {
            comparing.candidates = ArraySlice(comparing.droppable.lazy.filter { $0.leaf < whole }.map(\.item))
        }
        comparing.droppable = []
    }

    private mutating func noteCompared(_ keys: Int) {
        comparing.status.keysCompared += UInt64(keys)
        counters.keysCompared += UInt64(keys)
    }

    // MARK: Keys

    private mutating func askForPage(_ fetch: Comparing.Fetch) {
        let request = RangeRequest(range: fetch.range, after: fetch.after, limit: limits.copyPageKeys)
        askForRepair(
            .rangeRequest(request), ReplicaSet(fetch.peers, quorum: fetch.peers.count),
            for: .repairPage(comparing.question))
    }

    /// Asks a question that the comparison waits for.
    mutating func askForRepair(_ message: Message, _ set: ReplicaSet, for origin: OperationOrigin) {
        guard let ring else { return }
        comparing.isAsking = true
        comparing.inFlight += 1
        start(.gather(message, set), key: RingRegister.key(ring.epoch), for: origin)
    }

    /// The other replicas' registers of a stretch are here, or cannot be had.
    mutating func repairPageGathered(_ question: UInt64, _ result: OperationResult) {
        comparing.inFlight -= 1
        guard question == comparing.question, comparing.isAsking, let fetch = comparing.fetches.last else { return }
        comparing.isAsking = false
        if case .gathered(let answers) = result {
            comparing.attempts = 0
            settle(
                fetch,
                answers.compactMap { answer in if case .rangePage(let page)? = answer { page } else { nil } })
        } else {
            comparing.attempts += 1
            if comparing.attempts < limits.repairAttemptsMax {
                comparing.resumeMs = time.monotonicMs + limits.repairRetryPauseMs
            } else {
                comparing.attempts = 0
                comparing.failed.formUnion(fetch.peers)
                comparing.fetches.removeLast()
            }
        }
        advanceComparing()
    }

    /// Finds the registers that differ.
    private mutating func settle(_ fetch: Comparing.Fetch, _ pages: [RangePage]) {
        let own: RangePage
        do throws(StoreError) {
            let page = try store.registers(
                in: fetch.range, after: fetch.after, limit: Int(limits.copyPageKeys),
                bytesMax: WireLimits.scanBytesMax)
            own = RangePage(
                items: page.items.map { RangePage.Item(key: $0.key, state: $0.state) }, hasMore: page.hasMore)
        } catch {
            counters.storeErrors += 1
            if !noticeDamage(nil, error) { note(.error, "\(identity.name) cannot compare its registers: \(error)") }
            return leaveRange()
        }
        let merged = RangeMerge([own] + pages, range: fetch.range)
        for (key, states) in merged.states {
            if states[0].accepted == nil { noteCompared(1) }
            let ballots = states.map { $0.accepted?.ballot ?? .zero }
            let newest = states.compactMap(\.accepted).max { $0.ballot < $1.ballot }
            if let newest, ballots.contains(where: { $0 != newest.ballot }) {
                comparing.unsettled.append((key, newest))
            }
        }
        if merged.hasMore {
            comparing.fetches[comparing.fetches.count - 1].after = merged.last
        } else {
            comparing.fetches.removeLast()
        }
        let bytes = pages.flatMap(\.items).reduce(0) { sum, item in
            sum + item.key.bytes.count + 64 + (item.state.accepted?.cell.contentBytes ?? 0)
        }
        comparing.status.bytes += UInt64(bytes)
        counters.repairBytes += UInt64(bytes)
        // Live traffic keeps its share of the disk and the wires.
        comparing.resumeMs = time.monotonicMs + UInt64(bytes) * 1_000 / UInt64(max(limits.repairBytesPerSecond, 1))
    }

    /// Settles more of the registers that differ. Says whether all are settled.
    private mutating func settleMore() -> Bool {
        while comparing.settling < limits.repairKeysInFlight, let (key, newest) = comparing.unsettled.popFirst() {
            comparing.settling += 1
            comparing.inFlight += 1
            start(.settle(newest), key: key, for: .repairKey(comparing.question))
        }
        return comparing.settling == 0
    }

    /// A register that differed has been read, and written to all replicas.
    mutating func repairKeySettled(_ question: UInt64, _ result: OperationResult) {
        comparing.inFlight -= 1
        guard question == comparing.question else { return }
        comparing.settling -= 1
        if case .read = result {
            comparing.status.keysRepaired += 1
            counters.keysRepaired += 1
        } else {
            comparing.failed.formUnion(comparing.peers)
        }
        advanceComparing()
    }
}
