import Glibc
import StormoClient
import Testing
import Wire

@testable import Stormo

extension ProcessTests {
    /// Strangers who want more connections than a process may have.
    @Suite struct DescriptorLimitTests {
        private static let limit = 128
        private static let launcher = ["/bin/sh", "-c", "ulimit -n \(limit) && exec \"$@\"", "sh"]
        /// What it keeps for files, timers and connections of its own.
        private static let spare = 16

        @Test func `a node short of descriptors serves its cluster and clients while strangers crowd it`() async throws
        {
            var places = try NodePlace.loopback(3)
            places[0].launcher = Self.launcher
            try await KeyScene.with(places, in: TestDirectory()) { scene in
                let (cluster, client) = (scene.cluster, scene.client)
                for round in 0..<TestLength.rounds(1, long: 5) {
                    scene.load.history.resetGaps()
                    let crowd = Crowd(port: cluster.ports[0], size: 2 * Self.limit)
                    try await eventually("strangers make room for strangers", cluster.running) {
                        try await cluster.figure("handshakes_displaced", of: 0, by: client) > UInt64(4 * Self.limit)
                    }
                    try await scene.expectRecovery(after: "strangers crowd n1, round \(round + 1)")
                    // A client that knows only this node is served, and so is a node that comes back.
                    let late = try await cluster.client(seeds: [cluster.seeds[0]])
                    try await late.put(Key("late/\(round)"), [1])
                    #expect(try await late.get(Key("late/\(round)"))?.value == [1])
                    try await cluster[1].killNow()
                    try cluster.start(1)
                    try await cluster.waitUntilWhole(client)
                    #expect(try descriptors(of: cluster[0]) <= Self.limit - Self.spare)
                    await crowd.disperse()
                }
                let log = cluster[0].log
                #expect(log.contains("ended before its handshake: made room for a newer one"), "n1 says: \(log)")
                // A line a second, not one for each.
                #expect(log.split(separator: "\n").count < 200)
            }
        }

        @Test func `a stranger who says nothing is sent away`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, _ in
                let stranger = try await RawSocket.connect(port: cluster.ports[0])
                try await stranger.wait(for: "the node ends it", within: 10) { false }
                #expect(stranger.isClosed)
            }
        }

        @Test func `a gateway short of descriptors serves whoever has a connection, and others later`() async throws {
            try await TestCluster.with(nodes: 1) { cluster, client in
                var place = try NodePlace.loopback(1)[0]
                place.launcher = Self.launcher
                let gateway = try cluster.startGateway(place)
                try await cluster.waitUntilReady(gateway, at: place)
                var strangers: [RawSocket] = []
                for _ in 0..<2 * Self.limit { strangers.append(try await RawSocket.connect(port: place.port)) }
                let processes = [gateway] + cluster.running
                try await eventually("the gateway says that it is full", processes) {
                    gateway.log.contains("all places for connections are taken")
                }
                #expect(try descriptors(of: gateway) <= Self.limit - Self.spare)
                for stranger in strangers { stranger.close() }
                try await cluster.waitUntilReady(gateway, at: place)
                let metrics = try await cluster.http(place).call("GET", "/metrics")
                #expect(metrics.text.contains("stormo_gateway_connections_full_total"))
                #expect(gateway.exit == nil)
            }
        }

        @Test func `a limit that is too low is said at once`() async throws {
            let directory = try TestDirectory()
            let process = try StormoProcess(
                "n1", ["node", "--name", "n1", "--seeds", "127.0.0.1:1", "--bootstrap-expect", "1", "--data", "data"],
                log: "\(directory.path)/log",
                launcher: ["/bin/sh", "-c", "ulimit -n \(Self.limit - 1) && exec \"$@\"", "sh"])
            #expect(try await process.waitForExit() == .code(78))
            #expect(process.log.contains("raise the limit"), "\(process.log)")
        }

        /// How many descriptors a process has open.
        private func descriptors(of process: StormoProcess) throws -> Int {
            guard let folder = opendir("/proc/\(process.pid)/fd") else {
                throw WaitedInVain(description: "\(process.name) is not there: \(process.state)")
            }
            defer { closedir(folder) }
            var count = 0
            while let entry = readdir(folder) {
                // The folder itself and its parent are no descriptors.
                if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
            }
            return count
        }
    }
}

/// Strangers who connect and say nothing; whoever is closed comes again.
private final class Crowd: Sendable {
    private let tasks: [Task<Void, Never>]

    init(port: Int, size: Int) {
        tasks = (0..<size).map { _ in
            Task {
                while !Task.isCancelled {
                    guard let stranger = try? await RawSocket.connect(port: port) else { continue }
                    try? await stranger.wait(for: "it is closed", within: 60) { false }
                    stranger.close()
                }
            }
        }
    }

    /// Sends all of them away, and returns when they have gone.
    func disperse() async {
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    deinit { for task in tasks { task.cancel() } }
}
