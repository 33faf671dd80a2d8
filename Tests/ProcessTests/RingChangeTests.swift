import StormoClient
import Testing
import Wire

extension ProcessTests {
    /// Nodes join, leave and are replaced while keys are in use: nobody notices.
    @Suite struct RingChangeTests {
        @Test func `a node is added and another removed under load`() async throws {
            try await KeyScene.with(NodePlace.loopback(4), founders: 3, in: TestDirectory()) { scene in
                let cluster = scene.cluster
                try cluster.start(3)
                var ring = ["n1", "n2", "n3"]
                for round in 0..<TestLength.rounds(1, long: 4) {
                    // Whoever has left, and runs on without keys, is the next that is added.
                    let (added, removed) = ("n\((round + 3) % 4 + 1)", "n\(round % 4 + 1)")
                    try await expectUnnoticed("adding \(added)", scene) {
                        try await change(.add(added), in: scene)
                        ring.append(added)
                        try await cluster.waitUntilWhole(scene.client, nodes: ring, within: 60)
                    }
                    try await expectUnnoticed("removing \(removed)", scene) {
                        try await change(.remove(removed), in: scene)
                        ring.removeAll { $0 == removed }
                        try await cluster.waitUntilWhole(scene.client, nodes: ring, within: 60)
                    }
                }
            }
        }

        @Test func `a killed node is replaced under load`() async throws {
            try await KeyScene.with(NodePlace.loopback(4), founders: 3, in: TestDirectory()) { scene in
                let cluster = scene.cluster
                scene.load.history.resetGaps()
                try await cluster[1].killNow()
                try await scene.expectRecovery(after: "kill -9 of n2")
                try await eventually("the killed node is called dead", cluster.running) {
                    scene.client.cluster?.members.contains { $0.identity.name == "n2" && $0.state == .dead } ?? false
                }
                try cluster.start(3)
                try await expectUnnoticed("replacing n2 by n4", scene) {
                    try await change(.replace("n2", with: "n4"), in: scene)
                    try await cluster.waitUntilWhole(scene.client, nodes: ["n1", "n3", "n4"], within: 60)
                }
                // The new node counts: without one of the old ones there is still a majority.
                scene.load.history.resetGaps()
                try await cluster[0].killNow()
                try await scene.expectRecovery(after: "kill -9 of n1 after the replacement")
                try cluster.start(0)
                try await cluster.waitUntilWhole(scene.client, nodes: ["n1", "n3", "n4"])
            }
        }

        /// Asks for a change until it has begun: a node that has just started is not known at once.
        private func change(_ change: RingChange, in scene: KeyScene) async throws {
            try await eventually("the change \(change) has begun", scene.cluster.running) {
                do {
                    _ = try await scene.client.changeRing(change)
                } catch ClientError.refused(.ringBusy, _) {
                    // It was this very change, asked for before.
                }
                return true
            }
        }

        /// No caller may be refused or left in doubt by what `body` does; the pause is printed.
        private func expectUnnoticed(
            _ what: String, _ scene: KeyScene, sourceLocation: SourceLocation = #_sourceLocation,
            _ body: () async throws -> Void
        ) async throws {
            let history = scene.load.history
            history.resetGaps()
            let (before, start) = (history.failed, ContinuousClock.now)
            try await body()
            let took = ContinuousClock.now - start
            try await scene.expectRecovery(after: "\(what) (\(took.text))")
            #expect(history.failed == before, "\(what): \(history.failures)", sourceLocation: sourceLocation)
        }
    }
}
