import NodeCore
import Simulation
import Testing
import Wire

/// Values that expire while they are looked at and changed.
@Suite struct ExpiryTests {
    private let key = Key("lock")

    private func cluster() -> VirtualCluster {
        let cluster = VirtualCluster(count: 3)
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        cluster.weather.delayMs = 5...5
        return cluster
    }

    private func ask(_ cluster: VirtualCluster, _ client: Int, of node: Int, _ message: Message) -> Message? {
        cluster.request(client, to: node, message)
        cluster.run(forMs: 4_000) { cluster.answer(of: client) != nil }
        return cluster.answer(of: client)
    }

    private func write(_ change: RegisterChange) -> Message {
        .writeRequest(WriteRequest(key: key, consistency: .quorum, change: change))
    }

    private func isThere(_ answer: Message?) -> Bool? {
        guard case .readAnswer(let body)? = answer else { return nil }
        return body.cell.map { $0.content != .tombstone } ?? false
    }

    /// Acquires a lease of a second, and renews it with accepts that take long to arrive. Whoever is told meanwhile, by a
    /// node whose clock is ahead, that there is no lease, must not see it come back.
    @Test(arguments: [false, true]) func aLeaseThatWasSeenToHaveEndedIsNotRenewed(byListing: Bool) throws {
        let cluster = cluster()
        guard case .writeAnswer(let granted)? = ask(cluster, 1, of: 1, write(.acquire(owner: "a", ttlMs: 1_000))) else {
            return #expect(Bool(false), "no lease: \(String(describing: cluster.answer(of: 1)))")
        }
        let token = try #require(granted.version)
        // The clock of n3 goes ahead by 300 ms, and nobody hears of it yet.
        cluster.setSkew(of: 2, toMs: 300)
        cluster.run(forMs: 720)
        cluster.cut(2, 0)
        cluster.cut(2, 1)
        cluster.request(2, to: 0, write(.renew(token: token, ttlMs: 60_000)))
        cluster.run(forMs: 9)
        cluster.weather.delayMs = 200...200
        cluster.run(forMs: 10)
        cluster.weather.delayMs = 1...1
        cluster.heal()
        let read: Message =
            byListing
            ? .scanRequest(ScanRequest(prefix: Array("lock".utf8), after: [], limit: 10, keysOnly: false))
            : .readRequest(ReadRequest(key: key, consistency: .quorum))
        var isSeen = isThere(ask(cluster, 3, of: 2, read))
        if case .scanAnswer(let page)? = cluster.answer(of: 3) { isSeen = !page.items.isEmpty }
        cluster.run(forMs: 3_000) { cluster.answer(of: 2) != nil }
        if case .writeAnswer(let renewed)? = cluster.answer(of: 2), renewed.applied { #expect(isSeen == true) }
        let later = isThere(ask(cluster, 4, of: 0, .readRequest(ReadRequest(key: key, consistency: .quorum))))
        #expect(later == isSeen)
    }
}
