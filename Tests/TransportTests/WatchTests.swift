import Synchronization
import Testing
import Wire

@testable import StormoClient

@Suite struct WatchCursorTests {
    private func version(_ time: UInt64) -> Ballot { Ballot(time: HybridTime(time), node: NodeID(1)) }

    private func item(_ key: String, _ time: UInt64, _ value: [UInt8]? = [1]) -> ScanItem {
        ScanItem(
            key: Key(key),
            cell: Cell(
                version: version(time), base: nil, content: value.map { .value($0) } ?? .tombstone, expiryMs: nil))
    }

    private func position(_ time: UInt64, after: String? = nil) -> WatchPosition {
        WatchPosition(time: HybridTime(time), after: after.map { Array($0.utf8) }, node: NodeID(1))
    }

    private func names(_ events: [WatchEvent]) -> [String] {
        events.map { event in
            switch event.change {
            case .put(let key, let value): "put \(key)@\(value.version.time.rawValue)"
            case .delete(let key, let version): "delete \(key)@\(version.time.rawValue)"
            case .reset: "reset"
            case .nothing: "nothing"
            }
        }
    }

    @Test func onlyTheLastEventOfAnAnswerSkipsTheOthers() {
        var cursor = WatchCursor(position: position(5))
        let answer = WatchAnswer(
            isReset: false, items: [item("a", 7), item("b", 6, nil), item("c", 8)], position: position(9))
        let events = cursor.take(answer)
        #expect(names(events) == ["put a@7", "delete b@6", "put c@8"])
        #expect(events.map(\.position) == [position(5), position(5), position(9)])
        #expect(cursor.position == position(9))
    }

    @Test func aListingIsWalkedThroughItsPositions() {
        var cursor = WatchCursor(position: nil)
        let first = cursor.take(
            WatchAnswer(isReset: true, items: [item("a", 1), item("a2", 1, nil)], position: position(9, after: "a2")))
        #expect(names(first) == ["put a@1"], "who begins at the beginning has nothing to forget")
        #expect(first.map(\.position) == [position(9, after: "a2")])
        // Of keys that were never told it is not told that they are gone, of others it is.
        let second = cursor.take(
            WatchAnswer(isReset: false, items: [item("a", 2, nil), item("b", 2)], position: position(9)))
        #expect(names(second) == ["delete a@2", "put b@2"])
        #expect(second.map(\.position) == [position(9, after: "a2"), position(9)])
        let later = cursor.take(WatchAnswer(isReset: false, items: [item("c", 3, nil)], position: position(10)))
        #expect(names(later) == ["delete c@3"])
    }

    @Test func anotherNodeBeginsWithAListingOfWhichOnlyTheNewIsTold() {
        var cursor = WatchCursor(position: nil)
        _ = cursor.take(WatchAnswer(isReset: false, items: [item("a", 1), item("b", 2)], position: position(9)))
        let events = cursor.take(
            WatchAnswer(
                isReset: false, items: [item("a", 1), item("b", 5, nil), item("c", 6)], position: position(7)))
        #expect(names(events) == ["delete b@5", "put c@6"])
    }

    @Test func aLostPositionIsToldOnceAndForgetsVersions() {
        var cursor = WatchCursor(position: nil)
        _ = cursor.take(WatchAnswer(isReset: true, items: [item("a", 7)], position: position(9)))
        let events = cursor.take(
            WatchAnswer(isReset: true, items: [item("a", 7), item("b", 3)], position: position(12)))
        #expect(names(events) == ["reset", "put a@7", "put b@3"])
        // Until all has been told, only the beginning is a safe place to go on from.
        #expect(events.map(\.position) == [nil, nil, position(12)])
    }

    @Test func nothingIsToldTwiceOrBackwards() {
        var cursor = WatchCursor(position: position(1))
        func take(_ items: [ScanItem], _ time: UInt64) -> [String] {
            names(cursor.take(WatchAnswer(isReset: false, items: items, position: position(time))))
        }
        #expect(take([item("a", 7)], 8) == ["put a@7"])
        #expect(take([item("a", 7), item("b", 9)], 9) == ["put b@9"])
        #expect(take([item("a", 5), item("a", 6, nil)], 10) == ["nothing"])
        // The same value, expired.
        #expect(take([item("a", 7, nil)], 11) == ["delete a@7"])
        #expect(take([item("a", 7), item("a", 7, nil)], 12) == ["nothing"])
        #expect(take([item("a", 13)], 13) == ["put a@13"])
    }

    @Test func timeThatPassesIsToldAndStandstillIsNot() {
        var cursor = WatchCursor(position: position(1))
        let answer = WatchAnswer(isReset: false, items: [], position: position(2))
        #expect(cursor.take(answer) == [WatchEvent(change: .nothing, position: position(2))])
        #expect(cursor.take(answer).isEmpty)
    }

    @Test func versionsAreRememberedOfTheKeysToldLast() {
        var told = ToldVersions(max: 3)
        func news(_ names: String, at time: UInt64) -> String {
            String(names.filter { told.isNews(item(String($0), time)) })
        }
        #expect(news("abcd", at: 5) == "abcd")
        #expect(told.count == 3)
        #expect(news("bd", at: 4) == "" && news("bd", at: 5) == "")
        // The oldest was forgotten, and makes room for itself again.
        #expect(news("a", at: 5) == "a" && news("b", at: 5) == "b")
        #expect(told.count == 3)
        told.removeAll()
        #expect(told.count == 0 && news("d", at: 1) == "d")
    }
}

@Suite struct WatchPositionTests {
    @Test(arguments: [nil, [], [0x61], [0, 255, 16], [UInt8](repeating: 7, count: 512)] as [[UInt8]?])
    func positionsComeBackFromTheirText(after: [UInt8]?) {
        let position = WatchPosition(time: HybridTime(0x1234_5678_9ABC_0007), after: after, node: NodeID(.max))
        #expect(WatchPosition(position.text) == position)
    }

    @Test func otherTextIsNoPosition() {
        let place = String(repeating: "0", count: 31)
        for text in [
            "", place, place + "00", place + "g", place + "0.6", place + "0.6g", place + "0.+1", place + "0.61.61",
            place + "0." + String(repeating: "61", count: 513), "0.61", "last",
        ] {
            #expect(WatchPosition(text) == nil, "\(text)")
        }
    }
}

@Suite struct WatchTests {
    /// Answers watch requests from the shared store.
    private func serve(_ cluster: FakeCluster) {
        for node in cluster.nodes {
            node.script { message in
                guard case .watchRequest(let request) = message else { return nil }
                return cluster.store.state.withLock { state in
                    // Another node's position is no help.
                    let since = request.position.map { $0.node == node.id ? $0.time.rawValue : 0 } ?? 0
                    let items = state.cells.filter {
                        $0.key.bytes.starts(with: request.prefix) && $0.value.version.time.rawValue > since
                    }.map { ScanItem(key: $0.key, cell: $0.value) }.sorted { $0.key < $1.key }
                    let answer = WatchAnswer(
                        isReset: false, items: items,
                        position: WatchPosition(time: HybridTime(UInt64(state.writes)), after: nil, node: node.id))
                    return .answer(.watchAnswer(answer))
                }
            }
        }
    }

    private static func line(_ event: WatchEvent) -> String? {
        switch event.change {
        case .put(let key, let value): "\(key)=\(value.value[0])"
        case .delete(let key, _): "\(key) gone"
        case .reset: "reset"
        case .nothing: nil
        }
    }

    @Test func changesAreToldOverTheLossOfTheNodeThatTellsThem() async throws {
        let cluster = try await FakeCluster.start(3)
        serve(cluster)
        let seen = Mutex<[String]>([])
        try await cluster.withClient { client in
            try await client.put(Key("w/a"), [1])
            try await client.put(Key("other"), [9])
            let watching = Task { @Sendable in
                for try await event in client.watch(prefix: Array("w/".utf8)) {
                    guard let line = Self.line(event) else { continue }
                    seen.withLock { $0.append(line) }
                }
            }
            await eventually("the listing") { seen.withLock { $0 } == ["w/a=1"] }
            let asked = cluster.nodes.filter { node in
                node.received.contains { if case .watchRequest = $0 { true } else { false } }
            }
            #expect(asked.count == 1, "one node is asked as long as it answers")
            try await client.put(Key("w/b"), [2])
            await eventually("the change") { seen.withLock { $0.last } == "w/b=2" }
            await asked.first?.stop()
            await eventually("a write by another node") { (try? await client.put(Key("w/c"), [3])) != nil }
            await eventually("it goes on at another node") { seen.withLock { $0.contains("w/c=3") } }
            await eventually("a deletion") { (try? await client.delete(Key("w/a"))) != nil }
            await eventually("it is told") { seen.withLock { $0.last } == "w/a gone" }
            watching.cancel()
            await #expect(throws: CancellationError.self) { try await watching.value }
        }
        // The other node began with a listing, of which only the new is told.
        #expect(seen.withLock { $0 }.filter { $0.hasPrefix("w/b") } == ["w/b=2"])
        #expect(!seen.withLock { $0.contains("reset") })
        await cluster.stop()
    }

    @Test func aWatchEndsWithTheClientAndRefusesALongPrefix() async throws {
        let cluster = try await FakeCluster.start(1)
        try await cluster.withClient { client in
            let long = client.watch(prefix: [UInt8](repeating: 1, count: 513)).makeAsyncIterator()
            await #expect(throws: ClientError.self) {
                var long = long
                _ = try await long.next()
            }
        }
        await cluster.stop()
        // Nobody is there any more to refuse it: it waits until the client ends.
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: [cluster.nodes[0].address], clusterName: "test", secret: Array("secret".utf8), role: .tool,
                name: "client"), logger: quiet)
        let running = Task { try await client.run() }
        let watching = Task {
            var iterator = client.watch(prefix: []).makeAsyncIterator()
            _ = try await iterator.next()
        }
        running.cancel()
        _ = try await running.value
        await #expect(throws: ClientError.closed) { try await watching.value }
    }
}
