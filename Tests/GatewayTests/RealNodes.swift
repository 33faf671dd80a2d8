import FoundationEssentials
import Glibc
import NodeCore
import NodeShell
import StormoClient
import Testing
import Wire

/// Nodes of a real cluster within this process: the first has founded it alone, the others wait to be added to its ring.
struct RealNodes {
    /// `host:port` of each; their names are n1, n2 and so on.
    let addresses: [String]

    /// Runs as many nodes for the time of `body`. `change` sees each one's settings before it starts.
    static func with(
        _ count: Int, _ change: (Int, inout CoreLimits) -> Void = { _, _ in }, _ body: (RealNodes) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "stormo-gateway-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let addresses = try (0..<count).map { _ in "127.0.0.1:\(try freePort())" }
        var running: [Task<Void, any Error>] = []
        func stop() async {
            for task in running { task.cancel() }
            for task in running {
                do { try await task.value } catch { Issue.record("a node ended with \(error)") }
            }
        }
        do {
            for (index, address) in addresses.enumerated() {
                var configuration = NodeConfiguration(
                    name: "n\(index + 1)", clusterName: "c", secret: [1], listen: address, seeds: [addresses[0]],
                    dataDirectory: directory.appending(path: "n\(index + 1)").path)
                // The others never found a cluster of their own, however late they hear of the first.
                configuration.core.bootstrapExpect = index == 0 ? 1 : .max
                // Gateways of tests do not say goodbye.
                configuration.clientsLeaveMs = 0
                change(index, &configuration.core)
                let node = StormoNode(configuration: configuration, logger: quiet)
                running.append(Task { try await node.run() })
                if index == 0 { try await waitUntilFounded(address) }
            }
            try await body(RealNodes(addresses: addresses))
        } catch {
            await stop()
            throw error
        }
        await stop()
    }

    /// Waits until a node tells a ring.
    private static func waitUntilFounded(_ address: String) async throws {
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: [address], clusterName: "c", secret: [1], role: .tool, name: "founding"), logger: quiet)
        let running = Task { try await client.run() }
        defer { running.cancel() }
        try await client.waitUntilReady(timeoutMs: 20_000)
    }

    /// A port of loopback that nobody listens on.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
