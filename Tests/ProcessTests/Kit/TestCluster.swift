import Glibc
import Logging
import StormoClient
import Synchronization
import Wire

/// Where and how a node of a test runs.
struct NodePlace: Sendable {
    /// The address it listens on, without the port.
    var address = "127.0.0.1"
    /// Its port.
    var port = 0
    /// The command that becomes the node, as in `StormoProcess`.
    var launcher: [String] = []
    /// Its data directory; nil for one of the cluster's.
    var data: String?
    /// Variables of its environment.
    var environment: [String: String] = [:]
    /// Arguments beside the usual ones.
    var arguments: [String] = []

    /// Places on loopback, each with a free port.
    static func loopback(_ count: Int) throws -> [NodePlace] {
        try FreePorts.take(count).map { NodePlace(port: $0) }
    }

    /// Places on the hosts of a network of their own, in order.
    static func hosts(of network: VirtualNetwork) -> [NodePlace] {
        network.hosts.enumerated().map { index, host in
            NodePlace(address: network.address(index + 1), port: 7_400, launcher: host.launcher)
        }
    }
}

/// Node processes that form a cluster, with clients to ask them.
final class TestCluster: Sendable {
    /// Where everything is.
    let directory: TestDirectory
    /// Where each node runs; what is changed counts from its next start.
    let places: Mutex<[NodePlace]>
    private let founders: Int
    private let processes: Mutex<[StormoProcess?]>
    private let gateways = Mutex<[StormoProcess]>([])
    private let clients = Mutex<[(client: StormoClient, running: Task<Void, any Error>)]>([])

    /// The cluster secret, which nodes need that listen elsewhere than on loopback.
    private let secret: String?

    private init(_ places: [NodePlace], founders: Int?, in directory: TestDirectory) {
        self.directory = directory
        self.places = Mutex(places)
        self.founders = founders ?? places.count
        secret = places.allSatisfy { $0.address.hasPrefix("127.") } ? nil : "the secret of these tests"
        processes = Mutex(Array(repeating: nil, count: places.count))
    }

    /// Starts a cluster on loopback, hands it to `body` with a client that is ready, and ends it however `body` ends.
    static func with(nodes: Int = 3, _ body: (TestCluster, StormoClient) async throws -> Void) async throws {
        try await with(NodePlace.loopback(nodes), in: TestDirectory(), body)
    }

    /// Starts a cluster of nodes at the places given. The first `founders` of them (all when nil) found it; the others
    /// are started by the test and have no keys before they are added.
    static func with(
        _ places: [NodePlace], founders: Int? = nil, in directory: TestDirectory,
        _ body: (TestCluster, StormoClient) async throws -> Void
    ) async throws {
        let cluster = TestCluster(places, founders: founders, in: directory)
        defer { cluster.end() }
        for index in 0..<cluster.founders { try cluster.start(index) }
        try await body(cluster, try await cluster.client())
    }

    private func end() {
        for client in clients.withLock({ $0 }) { client.running.cancel() }
        for process in running + gateways.withLock({ $0 }) { process.signal(SIGKILL) }
    }

    /// Each node's port.
    var ports: [Int] { places.withLock { $0.map(\.port) } }

    /// `host:port` of each founder.
    var seeds: [String] { (0..<founders).map(address) }

    private func address(_ index: Int) -> String {
        places.withLock { "\($0[index].address):\($0[index].port)" }
    }

    /// Where a node's data is, as the node sees it.
    func data(_ index: Int) -> String { places.withLock { $0[index].data } ?? "\(directory.path)/n\(index + 1)" }

    private var environment: [String: String] { secret.map { ["STORMO_SECRET": $0] } ?? [:] }

    /// Arguments of a node.
    func arguments(_ index: Int) -> [String] {
        [
            "node", "--name", "n\(index + 1)", "--listen", address(index), "--seeds", seeds.joined(separator: ","),
            "--bootstrap-expect", "\(founders)", "--data", data(index),
        ] + places.withLock { $0[index].arguments }
    }

    /// Starts a node that does not run; its output is appended to that of its former runs.
    func start(_ index: Int) throws {
        let place = places.withLock { $0[index] }
        let process = try StormoProcess(
            "n\(index + 1)", arguments(index),
            environment: environment.merging(place.environment) { $1 },
            log: "\(directory.path)/n\(index + 1).log", launcher: place.launcher)
        processes.withLock { $0[index] = process }
    }

    /// Starts a gateway to the nodes. Callers need the token of `http(_:)`.
    func startGateway(_ place: NodePlace) throws -> StormoProcess {
        let gateway = try StormoProcess(
            "gateway",
            [
                "gateway", "--name", "gateway", "--listen", "\(place.address):\(place.port)", "--seeds",
                seeds.joined(separator: ","), "--drain", "0s",
            ] + place.arguments,
            environment: environment.merging(
                ["ADMIN_PASS": "correct horse battery", "ADMIN_TOKEN": Self.adminToken]
            ) { $1 }.merging(place.environment) { $1 },
            log: "\(directory.path)/gateway.log", launcher: place.launcher)
        gateways.withLock { $0.append(gateway) }
        return gateway
    }

    private static let adminToken = "the token of these tests"

    /// A caller of a gateway that `startGateway` has started.
    func http(_ place: NodePlace) -> HTTPCaller {
        HTTPCaller(
            host: place.address, port: place.port, headers: ["Authorization": "Bearer \(Self.adminToken)"])
    }

    /// Waits until a gateway serves.
    func waitUntilReady(_ gateway: StormoProcess, at place: NodePlace) async throws {
        try await eventually("\(gateway.name) is ready", [gateway] + running) {
            try await http(place).call("GET", "/ready").status == 200
        }
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
        let client = connect(to: seeds ?? self.seeds)
        do { try await client.waitUntilReady(timeoutMs: 30_000) } catch {
            throw WaitedInVain(
                description: "no cluster: \(error)\n"
                    + running.map { "--- \($0.name) (\($0.state))\n\($0.logTail())" }.joined(separator: "\n"))
        }
        return client
    }

    /// A client that may not be ready, and knows at first only the nodes named. It bears with clocks that are
    /// `clockDriftMaxMs` ahead, and its leases last for `sessionLeaseMs` (as by default when nil).
    func connect(
        to seeds: [String], clockDriftMaxMs: UInt64? = nil, sessionLeaseMs: UInt64? = nil
    ) -> StormoClient {
        var configuration = ClientConfiguration(
            seeds: seeds, clusterName: "stormo", secret: Array((secret ?? "").utf8), role: .tool, name: "test")
        configuration.clockDriftMaxMs = clockDriftMaxMs ?? configuration.clockDriftMaxMs
        configuration.sessionLeaseMs = sessionLeaseMs ?? configuration.sessionLeaseMs
        let client = StormoClient(configuration: configuration, logger: Self.logger)
        clients.withLock { $0.append((client, Task { try await client.run() })) }
        return client
    }

    /// Cuts a client off for ever, like the end of its process: its connections close, and nothing more is sent.
    func disconnect(_ client: StormoClient) async {
        let task = clients.withLock { clients in clients.first { $0.client === client }?.running }
        task?.cancel()
        _ = await task?.result
    }

    /// For parts of the client that want to tell what they do.
    static let logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    /// Waits until the ring is at rest with the nodes named (the founders when nil), and all of them are alive.
    func waitUntilWhole(_ client: StormoClient, nodes: [String]? = nil, within seconds: Double = 30) async throws {
        let names = Set(nodes ?? (1...founders).map { "n\($0)" })
        try await eventually("\(names.sorted()) are the ring and alive", within: seconds, running) {
            guard let cluster = client.cluster, let ring = cluster.ring, ring.next == nil else { return false }
            let alive = Set(cluster.members.filter { $0.state == .alive }.map(\.identity.id))
            return Set(ring.members.map(\.name)) == names && ring.members.allSatisfy { alive.contains($0.id) }
        }
    }

    /// A figure of a node, as that node says; throws when the node cannot be asked or has no such figure.
    func figure(_ name: String, of index: Int, by client: StormoClient) async throws -> UInt64 {
        guard let node = client.cluster?.members.first(where: { $0.identity.name == "n\(index + 1)" }) else {
            throw WaitedInVain(description: "nobody knows n\(index + 1)")
        }
        let items = try await client.statistics(of: node.identity.id).items
        guard let item = items.first(where: { $0.name == name }) else {
            throw WaitedInVain(description: "n\(index + 1) has no figure \(name)")
        }
        return item.value
    }
}
