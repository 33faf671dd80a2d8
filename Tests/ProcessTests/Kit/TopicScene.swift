import Testing
import Wire

@testable import StormoClient

/// A cluster under a load of numbered records.
struct TopicScene {
    /// The nodes.
    let cluster: TestCluster
    /// A client that is no part of the load.
    let client: StormoClient
    /// What is going on.
    let load: TopicLoad
    /// The nodes' ids, by their places.
    let ids: [NodeID]

    /// Starts a cluster with a load, hands them to `body` once every partition takes records, and expects in the end that
    /// every partition takes records again, and nothing to be lost, reordered or duplicated.
    static func with(
        _ places: [NodePlace], partitions: Int = 6, producers: Int = 2, in directory: TestDirectory,
        _ body: (TopicScene) async throws -> Void
    ) async throws {
        try await TestCluster.with(places, in: directory) { cluster, client in
            try await cluster.waitUntilWhole(client)
            // Asked while all know each other: a node that has just started does not.
            let ids = try places.indices.map { index in
                guard let member = client.cluster?.members.first(where: { $0.identity.name == "n\(index + 1)" }) else {
                    throw WaitedInVain(description: "nobody knows n\(index + 1)")
                }
                return member.identity.id
            }
            let load = try await TopicLoad(cluster, partitions: partitions, producers: producers)
            try await load.progress(cluster)
            let scene = TopicScene(cluster: cluster, client: client, load: load, ids: ids)
            try await body(scene)
            try await load.progress(cluster)
            await load.stop()
            try await load.expectNothingWrong(cluster, client)
            if TestLength.isLong { print(load.failures) }
        }
    }

    /// Returns when every partition is published to again by every producer, and prints how long that took and what the
    /// longest gap was since `load.reset()`.
    func expectRecovery(after what: String, within seconds: Double = 30) async throws {
        let pause = try await load.progress(cluster, 3, within: seconds)
        print(
            "    after \(what): all producers are served in all partitions within \(pause.text); "
                + "longest gap of a partition \((load.gaps.max() ?? .zero).text)")
    }

    /// The topic as its nodes' registers have it now.
    func topic() async throws -> TopicInfo? { try await client.router.topicDirectory.askedNow(TopicLoad.topic) }

    /// The partitions whose primary a node is, by its place among the nodes.
    func partitions(ledBy index: Int) async throws -> [Int] {
        try await topic()?.partitions.filter { $0.primary == ids[index] }.map { Int($0.index) } ?? []
    }

    /// Waits until all replicas of all partitions are in sync, and the ring is whole.
    func waitUntilWhole(within seconds: Double = 60) async throws {
        try await cluster.waitUntilWhole(client, within: seconds)
        try await eventually("every partition has all its replicas in sync", within: seconds, cluster.running) {
            guard let partitions = try await topic()?.partitions, !partitions.isEmpty else { return false }
            return partitions.allSatisfy { $0.inSync.count == $0.replicas.count && $0.primary != .none }
        }
    }
}
