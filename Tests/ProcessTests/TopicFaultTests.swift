import Glibc
import StormoClient
import Testing
import Wire

extension ProcessTests {
    /// Topics while nodes die: what was acknowledged is there, once and in order.
    @Suite struct TopicFaultTests {
        @Test func `records outlive kills of random nodes under load`() async throws {
            try await RandomKills.run(TestLength.rounds(5, long: 50))
        }
    }
}

/// Kills of nodes of three, one after the other, in one of the ways in which a partition can lose replicas.
enum RandomKills {
    /// What dies.
    private enum Victim: CaseIterable {
        /// Any node; it comes back when the others are served again.
        case anyone
        /// The primary of a random partition.
        case primary
        /// All in the in-sync set of a random partition but one, one right after the other: no majority is left until
        /// they come back.
        case allButOne
        /// The primary, and when there is another one, that.
        case successors
    }

    /// Kills so many times and expects nothing to be lost, reordered or duplicated.
    static func run(_ kills: Int) async throws {
        try await TopicScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
            var done = 0
            var gaps: [Duration] = []
            while done < kills {
                // The first of each kind comes in any case, the rest is drawn.
                let victim = Victim.allCases[done < 2 ? done + 1 : .random(in: Victim.allCases.indices)]
                scene.load.reset()
                let dead = try await kill(victim, scene)
                done += dead.count
                // Alone a node serves nobody: it is then the others' return that ends the pause.
                if dead.count < 2 { try await scene.load.progress(scene.cluster, 2) }
                for index in dead { try scene.cluster.start(index) }
                try await scene.load.progress(scene.cluster, 2, within: 60)
                let gap = scene.load.gaps.max() ?? .zero
                gaps.append(gap)
                print(
                    "    kill \(done): \(victim), \(dead.map { "n\($0 + 1)" }.joined(separator: " and ")): "
                        + "longest gap of a partition \(gap.text)")
                // Half of the time the next one comes before the replicas have caught up.
                if Bool.random() { try await scene.waitUntilWhole() }
            }
            print("\(done) random kill -9 under load: longest gap of a partition \(Summary(gaps))")
            try await scene.waitUntilWhole()
        }
    }

    /// Kills, and gives who is dead now.
    private static func kill(_ victim: Victim, _ scene: TopicScene) async throws -> [Int] {
        let ids = scene.ids
        guard let partition = try await scene.topic()?.partitions.randomElement() else { return [] }
        let primary = ids.firstIndex(of: partition.primary)
        let inSync = partition.inSync.compactMap { ids.firstIndex(of: $0) }
        switch victim {
        case .anyone:
            let index = Int.random(in: 0..<3)
            try await scene.cluster[index].killNow()
            return [index]
        case .primary:
            let index = primary ?? 0
            try await scene.cluster[index].killNow()
            return [index]
        case .allButOne:
            let dead = Array(inSync.shuffled().dropLast())
            for index in dead { scene.cluster[index].signal(SIGKILL) }
            for index in dead { _ = try await scene.cluster[index].waitForExit() }
            return dead
        case .successors:
            let index = primary ?? 0
            try await scene.cluster[index].killNow()
            var next: Int?
            try await eventually("another primary of partition \(partition.index)", scene.cluster.running) {
                let now = try await scene.topic()?.partitions[Int(partition.index)].primary
                next = now.flatMap { ids.firstIndex(of: $0) }
                return next != nil && next != index
            }
            guard let next else { return [index] }
            // The first one comes back as soon as the second dies: a majority is there again, of whom has the log.
            try await scene.cluster[next].killNow()
            return [index, next]
        }
    }
}
