import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// Keys while processes die and hang: what was acknowledged is there, and every history is linearizable.
    @Suite struct KeyFaultTests {
        @Test func `keys outlive the kill of any node`() async throws {
            try await KeyScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
                for round in 0..<TestLength.rounds(1, long: 5) {
                    for index in 0..<3 {
                        scene.load.history.resetGaps()
                        try await scene.cluster[index].killNow()
                        try await scene.expectRecovery(after: "kill -9 of n\(index + 1), round \(round + 1)")
                        try scene.cluster.start(index)
                        try await scene.cluster.waitUntilWhole(scene.client)
                    }
                }
            }
        }

        @Test func `keys outlive the kill of a gateway`() async throws {
            try await KeyScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
                var gateway = scene.gateway
                for round in 0..<TestLength.rounds(2, long: 10) {
                    try await gateway.killNow()
                    try await scene.load.progress(scene.cluster, of: KeyScene.wireCallers)
                    scene.load.history.resetGaps()
                    gateway = try scene.cluster.startGateway(scene.gatewayPlace)
                    try await scene.cluster.waitUntilReady(gateway, at: scene.gatewayPlace)
                    try await scene.expectRecovery(after: "the restart of a killed gateway, round \(round + 1)")
                }
            }
        }

        @Test func `keys outlive the kill of all nodes at once, again and again`() async throws {
            try await KeyScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
                for round in 0..<TestLength.rounds(5, long: 20) {
                    for process in scene.cluster.running { process.signal(SIGKILL) }
                    for process in scene.cluster.running {
                        #expect(try await process.waitForExit() == .signal(SIGKILL))
                    }
                    scene.load.history.resetGaps()
                    for index in 0..<3 { try scene.cluster.start(index) }
                    try await scene.expectRecovery(after: "kill -9 of all nodes, round \(round + 1)")
                }
                try await scene.cluster.waitUntilWhole(scene.client)
            }
        }

        @Test func `keys outlive a node that hangs for longer than the failure timeout`() async throws {
            try await KeyScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
                for index in 0..<TestLength.rounds(1, long: 3) {
                    let hung = scene.cluster[index]
                    scene.load.history.resetGaps()
                    hung.signal(SIGSTOP)
                    try await scene.expectRecovery(after: "SIGSTOP of n\(index + 1)")
                    try await eventually("the hung node is called dead", scene.cluster.running) {
                        scene.client.cluster?.members.contains {
                            $0.identity.name == "n\(index + 1)" && $0.state == .dead
                        } ?? false
                    }
                    // It wakes with answers to questions of a past that the others have left behind.
                    hung.signal(SIGCONT)
                    try await scene.load.progress(scene.cluster)
                    try await scene.cluster.waitUntilWhole(scene.client)
                }
            }
        }

        @Test func `the check of a history finds a key that was lost`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                let history = History()
                let access = WireKeys(name: "wire", client: client)
                #expect(await history.put("lost", serially: false, by: access))
                #expect(await history.put("kept", serially: true, by: access))
                try await history.expectLinearizable([access], cluster.running)
                try await client.delete(Key("lost"))
                await withKnownIssue { try await history.expectLinearizable([access], cluster.running) }
            }
        }
    }
}
