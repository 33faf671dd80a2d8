import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    @Suite struct FaultTests {
        @Test func `a killed node takes nothing with it, and the others go on`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = Load(client)
                try await load.progress(cluster)
                try await cluster[1].killNow()
                let pause = try await load.progress(cluster)
                print("after kill -9 of one node under load, 50 more of each kind were answered in \(pause)")
                try cluster.start(1)
                try await cluster.waitUntilWhole(client)
                try await load.progress(cluster)
                await load.stop()
                try await load.expectNothingLost(client, cluster)
                try await eventually("every partition has its three replicas in step", cluster.running) {
                    let partitions = try await client.topic(Load.topic)?.partitions ?? []
                    return !partitions.isEmpty && partitions.allSatisfy { $0.inSync.count == 3 }
                }
            }
        }

        @Test func `nothing acknowledged is lost when all nodes are killed at once`() async throws {
            try await TestCluster.with { cluster, client in
                let load = Load(client)
                try await load.progress(cluster, 100)
                for process in cluster.running { process.signal(SIGKILL) }
                for process in cluster.running { #expect(try await process.waitForExit() == .signal(SIGKILL)) }
                for index in 0..<3 { try cluster.start(index) }
                let pause = try await load.progress(cluster)
                print("after kill -9 of all nodes under load, 50 more of each kind were answered in \(pause)")
                await load.stop()
                try await load.expectNothingLost(client, cluster)
            }
        }

        @Test func `a node that hangs does not hold up the others`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = Load(client)
                try await load.progress(cluster)
                let hung = cluster[2]
                hung.signal(SIGSTOP)
                let pause = try await load.progress(cluster)
                print("after SIGSTOP of one node under load, 50 more of each kind were answered in \(pause)")
                try await eventually("the hung node is called dead", cluster.running) {
                    client.cluster?.members.contains { $0.identity.name == "n3" && $0.state == .dead } ?? false
                }
                hung.signal(SIGCONT)
                try await cluster.waitUntilWhole(client)
                try await load.progress(cluster)
                await load.stop()
                try await load.expectNothingLost(client, cluster)
            }
        }

        @Test func `nodes stopped and started one after the other under load cost no caller anything`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = Load(client)
                for index in 0..<3 {
                    try await load.progress(cluster)
                    cluster[index].signal(SIGTERM)
                    #expect(try await cluster[index].waitForExit() == .code(0), "\(cluster[index].logTail())")
                    try cluster.start(index)
                    try await cluster.waitUntilWhole(client)
                }
                await load.stop()
                #expect(load.failures == "")
            }
        }

        @Test func `a node stopped under load leaves at once and comes back`() async throws {
            try await TestCluster.with { cluster, client in
                try await cluster.waitUntilWhole(client)
                let load = Load(client)
                try await load.progress(cluster)
                cluster[0].signal(SIGTERM)
                #expect(try await cluster[0].waitForExit() == .code(0), "\(cluster[0].logTail())")
                try await load.progress(cluster)
                try cluster.start(0)
                try await cluster.waitUntilWhole(client)
                await load.stop()
                try await load.expectNothingLost(client, cluster)
            }
        }
    }
}
