import StormoClient
import Synchronization
import Testing
import Wire

/// How long those who publish and read wait when nodes and members of groups die, with default settings: `make figures`.
/// It measures and does not judge, except that nothing may be lost, reordered or duplicated, and that no partition may
/// change hands without need.
@Suite(
    .serialized, .timeLimit(.minutes(30)), .enabled(if: Repetitions.wanted > 0, "only on demand: make figures"))
struct TopicFiguresTests {
    @Test func `the gap in publishes after the kill of a primary`() async throws {
        try await TopicScene.with(NodePlace.loopback(3), in: TestDirectory()) { scene in
            var (own, others, back): ([Duration], [Duration], [Duration]) = ([], [], [])
            var (suspicions, elections, rests): ([Duration], [Duration], [Duration]) = ([], [], [])
            for round in 0..<Repetitions.wanted {
                try await scene.waitUntilWhole()
                guard let primary = try await scene.topic()?.partitions[round % scene.load.partitions].primary,
                    let index = scene.ids.firstIndex(of: primary)
                else { throw WaitedInVain(description: "partition \(round % scene.load.partitions) has no primary") }
                let led = try await scene.partitions(ledBy: index)
                let watch = FailoverWatch(scene, victim: index, partitions: led)
                scene.load.reset()
                watch.begin()
                try await scene.cluster[index].killNow()
                try await scene.load.progress(scene.cluster)
                let times = try await watch.end()
                let gaps = scene.load.gaps
                let worst = led.map { gaps[$0] }.max() ?? .zero
                let worstOther = gaps.indices.filter { !led.contains($0) }.map { gaps[$0] }.max()
                own.append(worst)
                if let worstOther { others.append(worstOther) }
                suspicions.append(times.suspected)
                elections.append(times.elected)
                rests.append(max(.zero, worst - times.elected))
                scene.load.reset()
                try scene.cluster.start(index)
                try await scene.waitUntilWhole()
                try await scene.load.progress(scene.cluster)
                back.append(scene.load.gaps.max() ?? .zero)
                print(
                    "    kill \(round + 1) (n\(index + 1), primary of \(led.count) of \(scene.load.partitions)): gap "
                        + "\(worst.text), of other partitions \(worstOther?.text ?? "none"); suspected after "
                        + "\(times.suspected.text), other primaries after \(times.elected.text); "
                        + "restart \(back.last?.text ?? "")")
            }
            print("gap in publishes to a partition after kill -9 of its primary: \(Summary(own))")
            print("    until both others suspect the node: \(Summary(suspicions))")
            print("    until all of its partitions have another primary: \(Summary(elections))")
            print("    from then to the first acknowledged publish: \(Summary(rests))")
            print("gap in publishes to a partition after kill -9 of another replica: \(Summary(others))")
            print("gap in publishes while the node comes back: \(Summary(back))")
        }
    }

    @Test func `random kills under load`() async throws { try await RandomKills.run(50) }

    @Test func `a member of a group dies, and comes`() async throws {
        try await GroupScene.with(members: 8, partitions: 64, periodMs: 200) { scene in
            // About as long before as the death will be watched.
            _ = scene.mark()
            try await scene.deliveries(40)
            let before = scene.mark()
            let dead = try await scene.killMember(0)
            try await scene.settle(members: 7)
            let after = scene.log
            let moved = Set(dead.partitions)
            let stay = (0..<UInt32(64)).filter { !moved.contains($0) }
            print("a group of 8 members on 64 partitions, a record every 200 ms in each; one member dies:")
            print("    partitions that stay (\(stay.count)), longest pause in deliveries")
            print("        before: \(Summary(stay.map { before.longestPause($0, until: dead.atNs) }))")
            print("        after: \(Summary(stay.map { after.longestPause($0, since: dead.atNs) }))")
            print(
                "    partitions that move (\(moved.count)), until delivery goes on: "
                    + "\(Summary(moved.compactMap { after.firstDelivery($0, since: dead.atNs) }))")
            scene.expectOnly(moving: moved)

            _ = scene.mark()
            try await scene.deliveries(40)
            let marked = scene.mark()
            let comeAt = GroupScene.nowNs
            let newcomer = try await scene.addMember()
            try await scene.settle(members: 8)
            let log = scene.log
            let taken = log.moves.map(\.partition)
            let kept = (0..<UInt32(64)).filter { !taken.contains($0) }
            print("a member comes:")
            print("    partitions that stay (\(kept.count)), longest pause in deliveries")
            print("        before: \(Summary(kept.map { marked.longestPause($0, until: comeAt) }))")
            print("        after: \(Summary(kept.map { log.longestPause($0, since: comeAt) }))")
            print(
                "    partitions that move (\(taken.count)), longest pause: "
                    + "\(Summary(taken.map { log.longestPause($0, since: comeAt) }))")
            #expect(log.moves.allSatisfy { $0.to == newcomer } && taken.count <= 8, "\(log.moves)")
        }
    }
}

/// Looks at those who are left when a node dies: when they suspect it, and when its partitions have other primaries.
private final class FailoverWatch: Sendable {
    /// Counted from `begin`.
    struct Times: Sendable {
        /// Until both others took the node for alive no more.
        var suspected = Duration.zero
        /// Until all its partitions had another primary.
        var elected = Duration.zero
    }

    private let scene: TopicScene
    private let victim: Int
    private let partitions: [Int]
    private let started = Mutex<ContinuousClock.Instant>(.now)
    private let tasks = Mutex<[Task<ContinuousClock.Instant, any Error>]>([])

    init(_ scene: TopicScene, victim: Int, partitions: [Int]) {
        self.scene = scene
        self.victim = victim
        self.partitions = partitions
    }

    func begin() {
        started.withLock { $0 = .now }
        let (scene, victim, partitions) = (scene, victim, partitions)
        var tasks: [Task<ContinuousClock.Instant, any Error>] = []
        for other in 0..<3 where other != victim {
            tasks.append(
                Task {
                    try await Self.moment {
                        try await scene.cluster.figure("members_alive", of: other, by: scene.client) < 3
                    }
                })
        }
        tasks.append(
            Task {
                try await Self.moment {
                    guard let now = try await scene.topic()?.partitions else { return false }
                    return partitions.allSatisfy { now[$0].primary != scene.ids[victim] }
                }
            })
        self.tasks.withLock { $0 = tasks }
    }

    func end() async throws -> Times {
        let start = started.withLock { $0 }
        var moments: [ContinuousClock.Instant] = []
        for task in tasks.withLock({ $0 }) { moments.append(try await task.value) }
        return Times(
            suspected: (moments.dropLast().max() ?? start) - start, elected: (moments.last ?? start) - start)
    }

    /// When something came to hold, asked for every few milliseconds.
    private static func moment(_ condition: () async throws -> Bool) async throws -> ContinuousClock.Instant {
        while !Task.isCancelled {
            if (try? await condition()) ?? false { return .now }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw CancellationError()
    }
}
