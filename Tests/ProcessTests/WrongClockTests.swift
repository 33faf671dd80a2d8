import Testing
import Wire

@testable import StormoClient

extension ProcessTests {
    /// A node whose clock is wrong by more than two clocks may differ: it is refused, and nothing is lost.
    @Suite(.enabled(if: FakeClock.obstacle == nil, Comment(rawValue: FakeClock.obstacle ?? "")))
    struct WrongClockTests {
        @Test(arguments: [3, -3] as [Int8])
        func `a node with a wrong clock is refused, and works once it is right`(seconds: Int8) async throws {
            let directory = try TestDirectory()
            let clock = try await FakeClock(in: directory)
            var places = try NodePlace.loopback(3)
            places[0].environment = clock.environment
            try await KeyScene.with(places, in: directory) { scene in
                let cluster = scene.cluster
                for round in 0..<TestLength.rounds(1, long: 3) {
                    let (refusedBefore, node) = try await refusals(scene)
                    // This client bears with the clock, so that the nodes themselves have to refuse each other.
                    let patient = cluster.connect(to: [cluster.seeds[0]], clockDriftMaxMs: 60_000)
                    try await patient.waitUntilReady(timeoutMs: 10_000)
                    scene.load.history.resetGaps()
                    try clock.set(aheadBySeconds: seconds)
                    try await eventually("the wrong clock is refused with its reason", cluster.running) {
                        do {
                            _ = try await patient.router.send(
                                .readRequest(ReadRequest(key: Key("asked of n1"), consistency: .serial)),
                                to: .primary(node), safety: .once)
                            return false
                        } catch ClientError.refused(.clockDrift, let detail) {
                            return detail.contains("ms ahead of") && detail.contains("set one of the two right")
                        }
                    }
                    try await eventually("the refusals are counted", cluster.running) {
                        try await refusals(scene).0 > refusedBefore
                    }
                    try await scene.expectRecovery(
                        after: "the clock of n1 is wrong by \(seconds) s, round \(round + 1)", within: 60)
                    #expect(cluster[0].exit == nil)

                    scene.load.history.resetGaps()
                    try clock.set(aheadBySeconds: 0)
                    try await eventually("n1 serves again", cluster.running) {
                        _ = try await patient.router.send(
                            .writeRequest(
                                WriteRequest(
                                    key: Key("written at n1"), consistency: .serial,
                                    change: .put(value: [1], ttlMs: nil, condition: .none))),
                            to: .primary(node), safety: .once)
                        return true
                    }
                    try await scene.expectRecovery(after: "the clock is right again, round \(round + 1)")
                    try await cluster.waitUntilWhole(scene.client)
                }
            }
        }

        /// How many frames the nodes with right clocks, or the one with the wrong one, have refused; and that one's id.
        private func refusals(_ scene: KeyScene) async throws -> (UInt64, NodeID) {
            let patient = scene.cluster.connect(to: scene.cluster.seeds, clockDriftMaxMs: 60_000)
            try await patient.waitUntilReady(timeoutMs: 10_000)
            var sum: UInt64 = 0
            for index in 0..<3 {
                sum += try await scene.cluster.figure("clock_drift_refused_total", of: index, by: patient)
            }
            let node = try #require(patient.cluster?.members.first { $0.identity.name == "n1" })
            return (sum, node.identity.id)
        }
    }
}
