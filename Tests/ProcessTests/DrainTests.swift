import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// A node that is asked to stop tells its clients, and nobody notices that it is gone.
    @Suite struct DrainTests {
        /// What somebody is told who overwrites a key by one node while another caller does by another. While callers learn
        /// of a stop or a start one after the other they meet like this now and then; it is not the stop's doing.
        private static let collision = "another write came between"

        @Test func `nodes stopped and started one after the other cost no caller an answer`() async throws {
            try await KeyScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
                let (cluster, history) = (scene.cluster, scene.load.history)
                for round in 0..<TestLength.rounds(1, long: 5) {
                    for index in 0..<3 {
                        let name = "n\(index + 1)"
                        history.resetGaps()
                        let failed = history.failed(exceptFor: Self.collision)
                        cluster[index].signal(SIGTERM)
                        #expect(try await cluster[index].waitForExit() == .code(0), "\(cluster[index].logTail())")
                        try await scene.expectRecovery(after: "the stop of \(name), round \(round + 1)")
                        let gaps = history.gaps
                        // Half of what an operation may take: without a word at the stop callers wait for answers that
                        // nobody gives any more.
                        #expect(max(gaps.write, gaps.read) < .seconds(1), "\(name): \(gaps)")
                        try cluster.start(index)
                        try await cluster.waitUntilWhole(scene.client)
                        try await scene.expectRecovery(after: "the start of \(name), round \(round + 1)")
                        #expect(
                            history.failed(exceptFor: Self.collision) == failed, "\(name): \(history.failures)")
                    }
                }
            }
        }

        @Test func `who does not leave is told why and not waited for longer than configured`() async throws {
            var places = try NodePlace.loopback(1)
            places[0].arguments = ["--clients-leave", "200ms", "--drain", "60s", "--shutdown-grace", "61s"]
            try await TestCluster.with(places, in: TestDirectory()) { cluster, client in
                try await client.put(Key("kept"), [7])
                let stubborn = try await WirePeer.connect(to: cluster.seeds[0])
                cluster[0].signal(SIGTERM)
                try await eventually("it is told that the node goes down", cluster.running) {
                    stubborn.words.contains { $0.code == .draining && $0.detail.contains("ask another node") }
                }
                stubborn.send(.readRequest(ReadRequest(key: Key("kept"), consistency: .quorum)))
                #expect(try await cluster[0].waitForExit(within: 30) == .code(0), "\(cluster[0].logTail())")
                #expect(stubborn.closed != nil)
                // It was answered with a refusal, unless the node had closed by then.
                for answer in stubborn.answers {
                    guard case .error(let error) = answer else {
                        Issue.record("a node that goes down answered \(answer)")
                        continue
                    }
                    #expect(error.code == .draining)
                }
                try cluster.start(0)
                try await cluster.waitUntilWhole(client)
                #expect(try await client.get(Key("kept"))?.value == [7])
            }
        }
    }
}
