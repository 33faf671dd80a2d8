import NodeCore
import Simulation
import Testing
import Wire

/// Watches of prefixes: nothing missed, nothing told twice out of order, under lost messages, restarts and new epochs.
@Suite struct WatchTests {
    private func cluster(_ count: Int = 3, founders: Int? = nil) -> VirtualCluster {
        let cluster = VirtualCluster(count: count, founders: founders)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        return cluster
    }

    /// Follows a prefix at one node after the other, as a client does.
    private final class Watcher {
        let cluster: VirtualCluster
        var node: Int
        var position: WatchPosition?
        var known: [String: (value: String?, version: Ballot)] = [:]
        var resets = 0
        var listings = 0
        var wentBack: [String] = []
        private var client: Int
        private var isAsking = false

        init(_ cluster: VirtualCluster, at node: Int, client: Int) {
            self.cluster = cluster
            self.node = node
            self.client = client
        }

        func go(to node: Int) {
            self.node = node
            isAsking = false
            client += 1
        }

        /// Takes an answer, when there is one, and asks on.
        func turn() {
            if isAsking {
                guard let answer = cluster.answer(of: client) else { return }
                isAsking = false
                client += 1
                if case .watchAnswer(let answer) = answer { take(answer) }
            }
            isAsking = true
            if position?.after == [] || position == nil { listings += 1 }
            cluster.request(
                client, to: node,
                .watchRequest(WatchRequest(prefix: Array("w/".utf8), position: position, waitMs: 2_000)))
        }

        private func take(_ answer: WatchAnswer) {
            if answer.isReset {
                resets += 1
                known = [:]
            }
            for item in answer.items {
                let name = item.key.description
                if let before = known[name], item.cell.version < before.version { wentBack.append(name) }
                var value: String?
                if case .value(let bytes) = item.cell.content { value = String(decoding: bytes, as: UTF8.self) }
                known[name] = (value, item.cell.version)
            }
            position = answer.position
        }

        var live: [String: String] { known.compactMapValues(\.value) }
    }

    private func write(_ cluster: VirtualCluster, client: Int, to node: Int, _ key: String, _ value: String?) {
        let change: RegisterChange =
            value.map { .put(value: Array($0.utf8), ttlMs: nil, condition: .none) } ?? .delete(condition: .none)
        cluster.request(
            client, to: node, .writeRequest(WriteRequest(key: Key(key), consistency: .quorum, change: change)))
    }

    private func settle(_ cluster: VirtualCluster, _ watchers: [Watcher], _ expected: [String: String]) -> Bool {
        cluster.run(forMs: 20_000) {
            for watcher in watchers { watcher.turn() }
            return watchers.allSatisfy { $0.live == expected }
        }
    }

    @Test func beginsWithAllThatThereIsAndGoesOnWithWhatChanges() {
        let cluster = cluster()
        for index in 0..<5 { write(cluster, client: 10 + index, to: index % 3, "w/\(index)", "a") }
        write(cluster, client: 20, to: 0, "other", "x")
        #expect(cluster.run(forMs: 3_000) { cluster.answer(of: 20) != nil })
        let watcher = Watcher(cluster, at: 0, client: 1_000)
        var expected = Dictionary(uniqueKeysWithValues: (0..<5).map { ("w/\($0)", "a") })
        #expect(settle(cluster, [watcher], expected))
        write(cluster, client: 30, to: 1, "w/2", "b")
        write(cluster, client: 31, to: 2, "w/3", nil)
        write(cluster, client: 32, to: 2, "w/new", "c")
        expected["w/2"] = "b"
        expected["w/3"] = nil
        expected["w/new"] = "c"
        #expect(settle(cluster, [watcher], expected))
        #expect(watcher.resets == 0)
        #expect(watcher.listings == 1, "what changes is told without listing everything again")
    }

    @Test func goesOnAtAnotherNodeAndAfterARestart() {
        let cluster = cluster()
        for index in 0..<5 { write(cluster, client: 10 + index, to: index % 3, "w/\(index)", "a") }
        let watcher = Watcher(cluster, at: 0, client: 1_000)
        var expected = Dictionary(uniqueKeysWithValues: (0..<5).map { ("w/\($0)", "a") })
        #expect(settle(cluster, [watcher], expected))
        cluster.crash(0)
        write(cluster, client: 30, to: 1, "w/1", nil)
        write(cluster, client: 31, to: 1, "w/2", "b")
        expected["w/1"] = nil
        expected["w/2"] = "b"
        watcher.go(to: 1)
        #expect(settle(cluster, [watcher], expected))
        cluster.restart(0)
        write(cluster, client: 32, to: 1, "w/4", "c")
        expected["w/4"] = "c"
        watcher.go(to: 0)
        #expect(settle(cluster, [watcher], expected))
        #expect(watcher.wentBack.isEmpty)
    }

    @Test(arguments: 1...20) func missesNothingUnderLossAndRestarts(seed: Int) {
        let cluster = VirtualCluster(count: 4, founders: 3, seed: UInt64(seed))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        let watchers = (0..<3).map { Watcher(cluster, at: $0, client: 100_000 * ($0 + 1)) }
        cluster.weather.loss = 0.05
        cluster.weather.duplication = 0.05
        cluster.weather.delayMs = 1...12
        var client = 1_000
        for round in 0..<200 {
            client += 1
            write(
                cluster, client: client, to: round % 3, "w/\((round &* 7 &+ seed) % 9)",
                round % 11 == 3 ? nil : "v\(round)")
            cluster.run(forMs: 20) {
                for watcher in watchers { watcher.turn() }
                return false
            }
            if round == 60 {
                cluster.request(90_000, to: 0, .changeRing(ChangeRing(change: .add("n4"), dryRun: false)))
            }
            if round == 100 { cluster.crash(seed % 3) }
            if round == 130 {
                cluster.restart(seed % 3)
                watchers[seed % 3].go(to: seed % 3)
            }
        }
        cluster.weather.loss = 0
        cluster.weather.duplication = 0
        cluster.run(forMs: 3_000)
        var expected: [String: String] = [:]
        for index in 0..<9 {
            client += 1
            cluster.request(client, to: 1, .readRequest(ReadRequest(key: Key("w/\(index)"), consistency: .quorum)))
            #expect(cluster.run(forMs: 3_000) { cluster.answer(of: client) != nil })
            guard case .readAnswer(let answer)? = cluster.answer(of: client) else { continue }
            if let cell = answer.cell, case .value(let bytes) = cell.content {
                expected["w/\(index)"] = String(decoding: bytes, as: UTF8.self)
            }
        }
        #expect(settle(cluster, watchers, expected), "\(watchers.map(\.live)) are not \(expected)")
        for watcher in watchers { #expect(watcher.wentBack.isEmpty) }
    }

    @Test func aValueThatEndsByItselfIsToldAsDeleted() {
        let cluster = cluster()
        let watcher = Watcher(cluster, at: 2, client: 1_000)
        cluster.request(
            10, to: 0,
            .writeRequest(
                WriteRequest(
                    key: Key("w/short"), consistency: .quorum,
                    change: .put(value: [0x61], ttlMs: 1_500, condition: .none))))
        #expect(settle(cluster, [watcher], ["w/short": "a"]))
        #expect(settle(cluster, [watcher], [:]))
    }

    @Test func aPositionOlderThanTombstonesAreKeptIsReset() {
        let cluster = cluster()
        write(cluster, client: 10, to: 0, "w/a", "1")
        let watcher = Watcher(cluster, at: 0, client: 1_000)
        #expect(settle(cluster, [watcher], ["w/a": "1"]))
        watcher.position = WatchPosition(time: HybridTime(milliseconds: 1), after: nil, node: NodeID(9))
        watcher.go(to: 1)
        #expect(
            cluster.run(forMs: 5_000) {
                watcher.turn()
                return watcher.resets == 1
            })
        #expect(settle(cluster, [watcher], ["w/a": "1"]))
    }

    @Test func watchersAreBounded() {
        var limits = CoreLimits()
        limits.watchesMax = 2
        limits.watchWaitersMax = 2
        let cluster = VirtualCluster(count: 3, limits: limits)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        func ask(_ client: Int, _ prefix: String) {
            cluster.request(
                client, to: 0,
                .watchRequest(
                    WatchRequest(
                        prefix: Array(prefix.utf8),
                        position: WatchPosition(
                            time: HybridTime(milliseconds: 1_800_000_000_000), after: nil, node: NodeID(1)),
                        waitMs: 60_000)))
        }
        ask(1, "a")
        ask(2, "b")
        ask(3, "c")
        ask(4, "a")
        ask(5, "a")
        func code(_ client: Int) -> ErrorCode? {
            if case .error(let error)? = cluster.answer(of: client) { error.code } else { nil }
        }
        #expect(cluster.run(forMs: 3_000) { code(3) != nil && code(5) != nil })
        #expect(code(3) == .overloaded)
        #expect(code(5) == .overloaded)
        #expect(code(4) == nil)
    }
}
