import Glibc
import Logging
import StormoClient
import Synchronization
import Wire

/// Node processes on loopback that form a cluster, with clients to ask them.
final class TestCluster: Sendable {
    /// Where everything is.
    let directory: TestDirectory
    /// Each node's port.
    let ports: [Int]
    private let processes: Mutex<[StormoProcess?]>
    private let clients = Mutex<[Task<Void, any Error>]>([])

    private init(nodes: Int) throws {
        directory = try TestDirectory()
        ports = try FreePorts.take(nodes)
        processes = Mutex(Array(repeating: nil, count: nodes))
    }

    /// Starts a cluster, hands it to `body` with a client that is ready, and ends it however `body` ends.
    static func with(nodes: Int = 3, _ body: (TestCluster, StormoClient) async throws -> Void) async throws {
        let cluster = try TestCluster(nodes: nodes)
        defer { cluster.end() }
        for index in 0..<nodes { try cluster.start(index) }
        try await body(cluster, try await cluster.client())
    }

    private func end() {
        for client in clients.withLock({ $0 }) { client.cancel() }
        for process in running { process.signal(SIGKILL) }
    }

    /// `host:port` of each node.
    var seeds: [String] { ports.map { "127.0.0.1:\($0)" } }

    /// Where a node's data is.
    func data(_ index: Int) -> String { "\(directory.path)/n\(index + 1)" }

    /// Arguments of a node.
    func arguments(_ index: Int) -> [String] {
        [
            "node", "--name", "n\(index + 1)", "--listen", seeds[index], "--seeds", seeds.joined(separator: ","),
            "--bootstrap-expect", "\(ports.count)", "--data", data(index),
        ]
    }

    /// Starts a node that does not run; its output is appended to that of its former runs.
    func start(_ index: Int) throws {
        let process = try StormoProcess(
            "n\(index + 1)", arguments(index), log: "\(directory.path)/n\(index + 1).log")
        processes.withLock { $0[index] = process }
    }

    /// A node's present or last process.
    subscript(index: Int) -> StormoProcess {
        guard let process = processes.withLock({ $0[index] }) else {
            preconditionFailure("n\(index + 1) was never started")
        }
        return process
    }

    /// All nodes' present or last processes.
    var running: [StormoProcess] { processes.withLock { $0.compactMap { $0 } } }

    /// A client that is ready and knows at first only the nodes named (all when none is).
    func client(seeds: [String]? = nil) async throws -> StormoClient {
        let client = try await Self.client(seeds: seeds ?? self.seeds, tasks: clients)
        do { try await client.waitUntilReady(timeoutMs: 30_000) } catch {
            throw WaitedInVain(
                description: "no cluster: \(error)\n"
                    + running.map { "--- \($0.name) (\($0.state))\n\($0.logTail())" }.joined(separator: "\n"))
        }
        return client
    }

    private static func client(seeds: [String], tasks: borrowing Mutex<[Task<Void, any Error>]>) async throws
        -> StormoClient
    {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let client = StormoClient(
            configuration: ClientConfiguration(
                seeds: seeds, clusterName: "stormo", secret: [], role: .tool, name: "test"), logger: logger)
        tasks.withLock { $0.append(Task { try await client.run() }) }
        return client
    }

    /// Waits until the cluster calls every node alive.
    func waitUntilWhole(_ client: StormoClient, within seconds: Double = 30) async throws {
        try await eventually("all \(ports.count) nodes are alive", within: seconds, running) {
            guard let cluster = client.cluster, let ring = cluster.ring else { return false }
            let alive = Set(cluster.members.filter { $0.state == .alive }.map(\.identity.id))
            return ring.members.count == ports.count && ring.members.allSatisfy { alive.contains($0.id) }
        }
    }
}
