import Glibc
import StormoClient
import Testing

/// A cluster under a load of keys, by the wire protocol and through a gateway.
struct KeyScene {
    /// The nodes.
    let cluster: TestCluster
    /// A client that is no part of the load.
    let client: StormoClient
    /// What is going on.
    let load: KeyLoad
    /// Where the gateway runs.
    let gatewayPlace: NodePlace
    /// The gateway that was started first.
    let gateway: StormoProcess

    /// Callers by the wire protocol.
    static let wireCallers = ["wire 1", "wire 2", "wire 3", "wire 4"]
    /// Callers by HTTP.
    static let httpCallers = ["http 1", "http 2"]

    /// Starts a cluster with a gateway and a load, hands them to `body` once all callers are served, and expects in the
    /// end that all are served again, and every key's history to be linearizable, as read through both ways. `founders`
    /// is as for `TestCluster`.
    static func with(
        _ places: [NodePlace], founders: Int? = nil, gateway gatewayPlace: NodePlace? = nil,
        in directory: TestDirectory, _ body: (KeyScene) async throws -> Void
    ) async throws {
        try await TestCluster.with(places, founders: founders, in: directory) { cluster, client in
            try await cluster.waitUntilWhole(client)
            let place = try gatewayPlace ?? NodePlace.loopback(1)[0]
            let gateway = try cluster.startGateway(place)
            try await cluster.waitUntilReady(gateway, at: place)
            var http = cluster.http(place)
            // Longer than a gateway waits for the cluster: what is given up here is open.
            http.timeoutSeconds = 5
            var accesses: [any KeyAccess] = httpCallers.map { [http] in HTTPKeys(name: $0, http: http) }
            for name in wireCallers { accesses.append(WireKeys(name: name, client: try await cluster.client())) }
            let load = KeyLoad(accesses)
            try await load.progress(cluster)
            try await body(
                KeyScene(cluster: cluster, client: client, load: load, gatewayPlace: place, gateway: gateway))
            try await load.progress(cluster)
            await load.stop()
            try await load.history.expectLinearizable(
                [WireKeys(name: "a wire client", client: client), HTTPKeys(name: "HTTP", http: http)], cluster.running)
            print("    \(load.history.summary)")
            if TestLength.isLong { print(load.history.failures) }
        }
    }

    /// Waits until every caller (or those named) is served again, and prints how long that took and how long at most
    /// nobody was.
    func expectRecovery(after what: String, of names: [String]? = nil, within seconds: Double = 30) async throws {
        let pause = try await load.progress(cluster, 3, of: names, within: seconds)
        let gaps = load.history.gaps
        print(
            "    after \(what): all callers are served again within \(pause.text); "
                + "nobody was for at most \(gaps.write.text) (writes), \(gaps.read.text) (reads)")
    }
}

extension Duration {
    /// As people read it, in milliseconds.
    var text: String {
        let (seconds, attoseconds) = components
        return "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000) ms"
    }
}
