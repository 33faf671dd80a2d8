import Membership
import NodeCore
import Simulation
import Testing
import Wire

/// Registers that are damaged or lost: a replica does not vote until it knows again what the others know.
@Suite struct AmnesiaTests {
    private func cluster(_ count: Int = 3, founders: Int? = nil, keys: Int = 0, seed: UInt64 = 1) -> VirtualCluster {
        var limits = CoreLimits()
        limits.virtualNodes = 8
        let cluster = VirtualCluster(count: count, founders: founders, seed: seed, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        for key in 0..<keys { cluster.request(100_000 + key, to: key % (founders ?? count), put("k\(key)", "v\(key)")) }
        #expect(cluster.run(forMs: 5_000) { (0..<keys).allSatisfy { cluster.answer(of: 100_000 + $0) != nil } })
        cluster.run(forMs: 500)
        return cluster
    }

    private func put(_ key: String, _ value: String) -> Message {
        .writeRequest(
            WriteRequest(
                key: Key(key), consistency: .quorum,
                change: .put(value: Array(value.utf8), ttlMs: nil, condition: .none)))
    }

    private func ask(_ cluster: VirtualCluster, _ client: Int, of node: Int, _ message: Message) -> Message? {
        cluster.request(client, to: node, message)
        cluster.run(forMs: 4_000) { cluster.answer(of: client) != nil }
        return cluster.answer(of: client)
    }

    private func read(_ key: String, _ consistency: Consistency = .quorum) -> Message {
        .readRequest(ReadRequest(key: Key(key), consistency: consistency))
    }

    private func isRefused(_ answer: Message?) -> Bool {
        if case .error(let error)? = answer { error.code == .notWhole } else { false }
    }

    private func lose(_ cluster: VirtualCluster, _ node: Int) {
        cluster.crash(node)
        cluster.stores[node].lose()
        cluster.restart(node)
    }

    private func isAmnesiac(_ cluster: VirtualCluster, _ node: Int) -> Bool {
        cluster.stores[node].fact(.amnesia)?.isEmpty == false
    }

    private func isWhole(_ cluster: VirtualCluster, _ node: Int, _ client: Int) -> Bool {
        !isAmnesiac(cluster, node) && !isRefused(ask(cluster, client, of: node, read("anything", .local)))
    }

    private func figure(_ cluster: VirtualCluster, _ node: Int, _ name: String) -> UInt64? {
        cluster.nodes[node]?.gauges.first { $0.name == name }?.value
    }

    private func content(_ cluster: VirtualCluster, _ node: Int, _ key: String) throws -> Cell.Content? {
        try cluster.stores[node].register(Key(key)).accepted?.cell.content
    }

    // MARK: One register

    /// Trees and listings meet damaged rows too, though nobody asks for them by name.
    @Test func aComparisonFindsDamageAndHasItMended() throws {
        let cluster = cluster(keys: 4)
        cluster.stores[1].damaged = [Key("k1")]
        for node in 0..<3 { cluster.request(1, to: node, .repairRequest(RepairRequest(begin: true))) }
        #expect(cluster.run(forMs: 10_000) { cluster.stores[1].damaged.isEmpty })
        #expect(try content(cluster, 1, "k1") == .value(Array("v1".utf8)))
    }

    /// The promise floor of a node that has mended something lies ahead of all clocks. Had the others taken it over, they would
    /// pass on leases before their holders give them up.
    @Test func noClockFollowsThePromiseFloor() {
        let cluster = cluster(keys: 4)
        cluster.stores[1].damaged = [Key("k1")]
        #expect(isRefused(ask(cluster, 1, of: 1, read("k1", .local))) || cluster.stores[1].damaged.isEmpty)
        cluster.run(forMs: 200) { cluster.stores[1].damaged.isEmpty }
        #expect(cluster.stores[1].damaged.isEmpty)
        for client in 2..<8 { _ = ask(cluster, client, of: client % 3, put("k1", "w\(client)")) }
        for node in cluster.nodes {
            #expect((node?.clock.latest.milliseconds ?? .max) <= cluster.wallMs + 1)
        }
    }

    @Test func aDamagedRegisterIsMendedAndNotAnsweredMeanwhile() throws {
        let cluster = cluster(keys: 4)
        let before = try cluster.stores[1].register(Key("k1"))
        cluster.stores[1].damaged = [Key("k1")]
        // One other is not enough: it stays as it is, and is refused.
        cluster.cut(1, 2)
        #expect(isRefused(ask(cluster, 1, of: 1, read("k1", .local))))
        cluster.run(forMs: 5_000)
        #expect(isRefused(ask(cluster, 2, of: 1, read("k1", .local))))
        #expect(cluster.nodes[1]?.counters.registersMended == 0)
        #expect(cluster.nodes[1]?.counters.mendRetries ?? 0 > 0)
        #expect(figure(cluster, 1, "registers_damaged") == 1)
        // The other registers are answered for.
        #expect(!isRefused(ask(cluster, 3, of: 1, read("k2", .local))))
        cluster.heal()
        #expect(cluster.run(forMs: 20_000) { cluster.nodes[1]?.counters.registersMended == 1 })
        let after = try cluster.stores[1].register(Key("k1"))
        #expect(after.accepted == before.accepted)
        #expect(after.promised > before.promised)
        #expect(!isRefused(ask(cluster, 4, of: 1, read("k1", .local))))
        #expect(cluster.notes.count { $0.contains("fetches a register") } == 1)
        #expect(cluster.nodes[1]?.counters.registersDamaged == 1)
    }

    @Test func damageThatAListingMeetsIsMendedToo() throws {
        let cluster = cluster(keys: 10)
        cluster.stores[0].damaged = [Key("k3"), Key("k7")]
        let all = Message.scanRequest(ScanRequest(prefix: Array("k".utf8), after: [], limit: 100, keysOnly: false))
        // The others are enough for a listing.
        guard case .scanAnswer(let page)? = ask(cluster, 1, of: 0, all) else {
            Issue.record("\(String(describing: cluster.answer(of: 1)))")
            return
        }
        #expect(page.items.count == 10)
        cluster.run(forMs: 2_000)
        _ = ask(cluster, 2, of: 0, all)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes[0]?.counters.registersMended == 2 })
        #expect(try content(cluster, 0, "k3") == .value(Array("v3".utf8)))
    }

    @Test func aPromiseGivenBeforeTheDamageIsKept() throws {
        var lone = LoneNode()
        lone.run(forMs: 20)
        let key = Key("k")
        let earlier = Ballot(time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs), node: NodeID(2))
        let later = Ballot(time: HybridTime(milliseconds: lone.nowMs + LoneNode.wallOffsetMs + 5), node: NodeID(3))
        lone.message(from: NodeID(3), .prepare(Prepare(key: key, ballot: later)))
        #expect(try lone.store.register(key).promised == later)
        lone.store.damaged = [key]
        let cell = Cell(version: earlier, base: nil, content: .value([1]), expiryMs: nil)
        let accept = Message.accept(Accept(key: key, ballot: earlier, cell: cell, next: nil))
        lone.message(from: NodeID(2), accept)
        lone.run(forMs: 2_000)
        let prepares = lone.takeSent().filter { if case .prepare = $0.message { true } else { false } }
        #expect(Set(prepares.map(\.to)) == Set(LoneNode.peers))
        for (to, request, message) in prepares.suffix(2) {
            guard case .prepare(let prepare) = message else { continue }
            lone.answer(request, from: to, .promise(ReplicaState(accepted: nil, promised: prepare.ballot)))
        }
        #expect(lone.node.counters.registersMended == 1)
        #expect(try lone.store.register(key).promised > later)
        lone.message(from: NodeID(2), accept)
        #expect(try lone.store.register(key).accepted == nil)
        // The floor is above it for every key, and outlives the run.
        let fact = try #require(lone.store.fact(.promiseFloor))
        let floor = HybridTime(fact.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
        #expect(floor > later.time)
        lone.message(
            from: NodeID(2), .accept(Accept(key: Key("other"), ballot: earlier, cell: cell, next: nil)))
        #expect(try lone.store.register(Key("other")) == .empty)
    }

    @Test func damagedRegistersUnderLoadStayLinearizable() throws {
        var answered = 0
        var mended: UInt64 = 0
        for seed in Seeds.range.prefix(20) {
            var random = SplitMix64(seed: UInt64(seed) &* 104_729)
            let cluster = cluster(seed: UInt64(seed))
            cluster.weather.loss = 0.03
            cluster.weather.delayMs = 1...15
            let load = RegisterLoad(cluster, keys: 2)
            for round in 0..<150 {
                load.begin(on: Int.random(in: 0..<3, using: &random), &random)
                cluster.run(forMs: UInt64.random(in: 1...40, using: &random))
                load.collect()
                if round % 20 == 10, (0..<3).allSatisfy({ figure(cluster, $0, "registers_damaged") == 0 }) {
                    cluster.stores[Int.random(in: 0..<3, using: &random)].damaged = [Key("r0"), Key("r1")]
                }
            }
            cluster.weather.loss = 0
            cluster.run(forMs: 5_000)
            load.expectLinearizable("seed \(seed)")
            answered += load.answered
            mended += cluster.nodes.reduce(0) { $0 + ($1?.counters.registersMended ?? 0) }
        }
        #expect(answered > 30 * Seeds.range.prefix(20).count)
        #expect(mended > 2 * UInt64(Seeds.range.prefix(20).count))
    }

    // MARK: All of them

    @Test func aNodeThatLostAllLearnsItAgain() throws {
        let cluster = cluster(keys: 60)
        lose(cluster, 2)
        cluster.run(forMs: 100)
        #expect(isRefused(ask(cluster, 1, of: 2, read("k1", .local))))
        // It coordinates, and the others are a majority.
        guard case .readAnswer(let answer)? = ask(cluster, 2, of: 2, read("k1")) else {
            Issue.record("\(String(describing: cluster.answer(of: 2)))")
            return
        }
        #expect(answer.cell?.content == .value(Array("v1".utf8)))
        #expect(isAmnesiac(cluster, 2))
        #expect(figure(cluster, 2, "amnesia_ranges_total") ?? 0 > 0)
        #expect(cluster.run(forMs: 30_000) { !isAmnesiac(cluster, 2) })
        #expect(isWhole(cluster, 2, 3))
        for key in 0..<60 { #expect(try content(cluster, 2, "k\(key)") == .value(Array("v\(key)".utf8))) }
        #expect(figure(cluster, 2, "amnesia_ranges_total") == 0)
        #expect(cluster.notes.contains { $0.contains("n3 knows again") })
        // A restart finds nothing left to do.
        cluster.crash(2)
        cluster.restart(2)
        #expect(isWhole(cluster, 2, 4))
    }

    @Test(arguments: Seeds.range) func aLossUnderLoadStaysLinearizable(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed) &* 7919)
        let cluster = cluster(seed: UInt64(seed))
        cluster.weather.loss = Double.random(in: 0...0.05, using: &random)
        cluster.weather.duplication = Double.random(in: 0...0.1, using: &random)
        cluster.weather.delayMs = 1...UInt64.random(in: 2...25, using: &random)
        let load = RegisterLoad(cluster, keys: 2)
        var roles = [0, 1, 2]
        var lost = 0
        for round in 0..<320 {
            load.begin(on: Int.random(in: 0..<3, using: &random), &random)
            cluster.run(forMs: UInt64.random(in: 1...80, using: &random))
            load.collect()
            // One misses writes that the victim and a third have; then the victim loses them, and the third is cut off.
            if round % 40 == 12 {
                roles.shuffle(using: &random)
                for from in roles[..<2] { cluster.cut(from, roles[2]) }
            }
            if round % 40 == 20 {
                cluster.heal()
                if !(0..<3).contains(where: { isAmnesiac(cluster, $0) }) {
                    lost += 1
                    lose(cluster, roles[0])
                    for other in [0, 2] {
                        cluster.cut(roles[1], roles[other])
                        cluster.cut(roles[other], roles[1])
                    }
                }
            }
            if round % 40 == 28 { cluster.heal() }
            // Also a node that is learning stops in the middle of it, and one more is out of reach for a while.
            if round % 40 == 32, Bool.random(using: &random) {
                let index = Int.random(in: 0..<3, using: &random)
                cluster.crash(index)
                cluster.run(forMs: 100)
                cluster.restart(index)
            }
        }
        cluster.heal()
        cluster.weather.loss = 0
        #expect(cluster.run(forMs: 60_000) { !(0..<3).contains { isAmnesiac(cluster, $0) } })
        for _ in 0..<10 {
            load.begin(on: Int.random(in: 0..<3, using: &random), &random)
            cluster.run(forMs: 200)
        }
        #expect(lost > 0)
        #expect(load.answered > 20, "only \(load.answered) operations were answered")
        load.expectLinearizable("seed \(seed)")
    }

    @Test func withOneMoreNodeDownItStaysMuted() throws {
        let cluster = cluster(keys: 30)
        cluster.crash(1)
        cluster.announce(1, .dead)
        lose(cluster, 0)
        cluster.run(forMs: 20_000)
        #expect(isAmnesiac(cluster, 0))
        #expect(isRefused(ask(cluster, 1, of: 0, read("k1", .local))))
        for (client, node) in [(2, 0), (3, 2)] {
            guard case .error? = ask(cluster, client, of: node, put("k1", "new")) else {
                Issue.record("\(String(describing: cluster.answer(of: client)))")
                continue
            }
        }
        cluster.restart(1)
        #expect(cluster.run(forMs: 30_000) { !isAmnesiac(cluster, 0) })
        #expect(isWhole(cluster, 0, 4))
        for key in 2..<30 { #expect(try content(cluster, 0, "k\(key)") == .value(Array("v\(key)".utf8))) }
    }

    @Test func aRestartInTheMiddleBeginsAgain() throws {
        let cluster = cluster(keys: 60)
        lose(cluster, 2)
        #expect(cluster.run(forMs: 20_000) { figure(cluster, 2, "amnesia_ranges_done") ?? 0 > 1 })
        cluster.crash(2)
        cluster.restart(2)
        #expect(isAmnesiac(cluster, 2))
        #expect(isRefused(ask(cluster, 1, of: 2, read("k1", .local))))
        #expect(cluster.run(forMs: 30_000) { !isAmnesiac(cluster, 2) })
        #expect(isWhole(cluster, 2, 2))
        for key in 0..<60 { #expect(try content(cluster, 2, "k\(key)") == .value(Array("v\(key)".utf8))) }
    }

    @Test(arguments: Seeds.range.prefix(16)) func aLossWhileTheRingChangesStaysLinearizable(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed) &* 15_485_863)
        let cluster = cluster(4, founders: 3, keys: 60, seed: UInt64(seed))
        let load = RegisterLoad(cluster, keys: 4)
        func work(_ rounds: Int, until condition: () -> Bool = { false }) {
            for _ in 0..<rounds where !condition() {
                load.begin(on: Int.random(in: 0..<4, using: &random), &random)
                cluster.run(forMs: UInt64.random(in: 1...60, using: &random))
                load.collect()
            }
        }
        work(20)
        cluster.request(
            200_000, to: 0,
            .changeRing(
                ChangeRing(change: seed % 8 < 4 ? .add("n4") : .replace("n3", with: "n4"), dryRun: false)))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring?.next != nil } })
        // Now and then the newcomer itself, with and without all that it had copied already.
        let ranges = UInt64.random(in: 0...20, using: &random)
        work(200) { cluster.nodes[3]?.counters.rangesCopied ?? 0 >= ranges || cluster.nodes[0]?.ring?.next == nil }
        let victim = seed % 4
        lose(cluster, victim)
        work(100)
        #expect(
            cluster.run(forMs: 60_000) {
                !isAmnesiac(cluster, victim)
                    && cluster.nodes.allSatisfy { $0?.ring?.epoch == Epoch(3) && $0?.ring?.next == nil }
            })
        work(60)
        cluster.run(forMs: 3_000)
        #expect(load.answered > 60)
        load.expectLinearizable("seed \(seed)")
        for key in 0..<60 {
            guard case .readAnswer(let answer)? = ask(cluster, 300_000 + key, of: key % 4, read("k\(key)")) else {
                Issue.record("k\(key): \(String(describing: cluster.answer(of: 300_000 + key)))")
                continue
            }
            #expect(answer.cell?.content == .value(Array("v\(key)".utf8)))
        }
        // What the victim owns it has, whichever two of three are asked.
        let ring = try #require(cluster.nodes[victim]?.ring)
        for key in 0..<60 where ring.replicas(of: Key("k\(key)").token).contains(NodeID(UInt64(victim + 1))) {
            #expect(try content(cluster, victim, "k\(key)") == .value(Array("v\(key)".utf8)))
        }
    }

    @Test(arguments: [1, 2]) func tooFewOthersAreSaidToBeTooFew(count: Int) throws {
        let cluster = cluster(count, keys: 3)
        lose(cluster, 0)
        cluster.run(forMs: 10_000)
        #expect(isAmnesiac(cluster, 0))
        #expect(isRefused(ask(cluster, 1, of: 0, read("k1", .local))))
        #expect(cluster.notes.count { $0.contains("cannot learn again what it lost") } == 1)
    }

    // MARK: In single steps

    private func amnesiac(hasCeiling: Bool = true) -> (lone: LoneNode, ceiling: HybridTime) {
        let ceiling = HybridTime(milliseconds: LoneNode.wallOffsetMs + 1_000_500)
        var writer = ByteWriter()
        writer.integer(ceiling.rawValue)
        var facts: [(NodeFact, [UInt8])] = [(.amnesia, Array("the disk was exchanged".utf8))]
        if hasCeiling { facts.append((.ballotCeiling, writer.bytes)) }
        return (LoneNode(facts: facts), ceiling)
    }

    @Test func withoutACeilingItNeverVotesAgain() {
        var (lone, _) = amnesiac(hasCeiling: false)
        lone.run(forMs: 60_000)
        #expect(!lone.takeSent().contains { if case .rangeRequest = $0.message { true } else { false } })
        #expect(lone.store.fact(.amnesia)?.isEmpty == false)
    }

    @Test func copiesThatDifferAreSettledByTheOthersFirst() throws {
        var (lone, ceiling) = amnesiac()
        let key = Key("k")
        let ballot = Ballot(time: HybridTime(milliseconds: LoneNode.wallOffsetMs + 1_000_000), node: NodeID(2))
        let accepted = AcceptedCell(
            ballot: ballot, cell: Cell(version: ballot, base: nil, content: .value([7]), expiryMs: nil))
        let ringKey = Key([0, 0] + Array("ring/2".utf8))
        let vote = AcceptedCell(
            ballot: ballot, cell: Cell(version: ballot, base: nil, content: .value([9]), expiryMs: nil))
        let startedMs = lone.nowMs
        var askedAtMs: UInt64?
        var writtenBack = false
        var settled = false
        for _ in 0..<4_000 where lone.store.fact(.amnesia)?.isEmpty == false {
            for (to, request, message) in lone.takeSent() {
                switch message {
                case .rangeRequest(let range):
                    askedAtMs = askedAtMs ?? lone.nowMs
                    let isOne = to == NodeID(2) && range.range.contains(key.token)
                    let item = RangePage.Item(key: key, state: RegisterState(promised: ballot, accepted: accepted))
                    lone.answer(
                        request, from: to, .rangePage(RangePage(items: isOne ? [item] : [], hasMore: false)))
                case .replicaRead(let read):
                    #expect(read.key == key)
                    #expect(try lone.store.register(key).accepted == nil, "it took over what only one has")
                    lone.answer(
                        request, from: to,
                        .replicaState(
                            ReplicaState(accepted: to == NodeID(2) ? accepted : nil, promised: .zero)))
                case .accept(let accept) where accept.key == key:
                    #expect(try lone.store.register(key).accepted == nil)
                    writtenBack = true
                    if to == NodeID(3) { settled = true }
                    lone.answer(request, from: to, .accepted(AcceptedReply(nextPromised: false)))
                case .prepare(let prepare):
                    // Its own vote for the next ring is lost; one of the others has what it may have voted for.
                    let isRing = prepare.key == ringKey
                    let known = isRing ? (to == NodeID(3) ? vote : nil) : (to == NodeID(2) ? accepted : nil)
                    lone.answer(
                        request, from: to, .promise(ReplicaState(accepted: known, promised: prepare.ballot)))
                default: break
                }
            }
            lone.run(forMs: 10)
        }
        #expect(lone.store.fact(.amnesia)?.isEmpty == true)
        #expect(writtenBack && settled)
        #expect(try lone.store.register(key).accepted?.cell.content == .value([7]))
        #expect(try lone.store.register(ringKey).accepted == vote)
        // Operations that counted its former answers were over by then.
        let quietMs = try #require(askedAtMs) - startedMs
        #expect(quietMs >= CoreLimits().operationTimeoutMs)
        // And nothing below the ceiling of the run before is taken, for no key.
        let old = Ballot(time: ceiling, node: NodeID(3))
        lone.message(from: NodeID(3), .prepare(Prepare(key: Key("x"), ballot: old)))
        #expect(try lone.store.register(Key("x")) == .empty)
    }
}
