import Synchronization
import Testing

/// Callers that read, write, delete and compare without pause on a set of keys that they share, recorded in a history.
final class KeyLoad: Sendable {
    /// Keys in use at a time: few enough that callers meet on them.
    private static let slots = 16
    /// Operations after which a key is left and a new one taken: histories that are longer are slow to judge, and new
    /// keys reach all ranges of the ring.
    private static let operationsMax = 50

    /// What was done.
    let history = History()
    private let accesses: [any KeyAccess]
    private let uses = Mutex(Array(repeating: 0, count: slots))
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let isStopping = Atomic(false)
    private let prefix: String

    /// Starts a caller for each of the ways given. Two loads on one cluster need different prefixes.
    init(_ accesses: [any KeyAccess], prefix: String = "history") {
        self.accesses = accesses
        self.prefix = prefix
        tasks.withLock { $0 = accesses.map { access in Task { await self.run(access) } } }
    }

    /// Ends the load; operations in flight are waited for.
    func stop() async {
        isStopping.store(true, ordering: .relaxed)
        for task in tasks.withLock({ $0 }) { await task.value }
    }

    /// Returns when each of the callers named (all when none is) has been answered so many writes and reads more that
    /// it began later than now; the time that it took.
    @discardableResult
    func progress(
        _ cluster: TestCluster, _ count: Int = 10, of names: [String]? = nil, within seconds: Double = 30
    ) async throws -> Duration {
        let start = ContinuousClock.now
        let before = history.counts
        let names = names ?? accesses.map(\.name)
        // One of each may have begun before.
        func isDone(_ name: String) -> Bool {
            let now = history.counts[name] ?? History.Counts()
            let then = before[name] ?? History.Counts()
            return now.writes > then.writes + count && now.reads > then.reads + count
        }
        try await eventually(
            "\(names) get \(count) more answers of each kind, since \(before); now \(history.counts)\n\(history.failures)",
            within: seconds, cluster.running
        ) {
            names.allSatisfy(isDone)
        }
        return ContinuousClock.now - start
    }

    private func run(_ access: any KeyAccess) async {
        while !isStopping.load(ordering: .relaxed) {
            let key = nextKey()
            let isAnswered: Bool
            switch Int.random(in: 0..<100) {
            case 0..<35: isAnswered = await history.get(key, by: access) != nil
            case 35..<65: isAnswered = await history.put(key, serially: Int.random(in: 0..<4) == 0, by: access)
            case 65..<72: isAnswered = await history.delete(key, by: access)
            default:
                guard let seen = await history.get(key, by: access) else {
                    isAnswered = false
                    break
                }
                isAnswered = await history.compareAndSet(key, if: seen, by: access)
            }
            // A caller that was refused does not ask again at once; others leave the machine some air.
            try? await Task.sleep(for: .milliseconds(isAnswered ? Int.random(in: 0...3) : 20))
        }
    }

    private func nextKey() -> String {
        let slot = Int.random(in: 0..<Self.slots)
        let generation = uses.withLock { uses in
            uses[slot] += 1
            return uses[slot] / Self.operationsMax
        }
        return "\(prefix)/\(slot)/\(generation)"
    }
}
