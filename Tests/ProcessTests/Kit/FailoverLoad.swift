import NIOCore
import StormoClient
import Synchronization
import Wire

/// Callers that write and read without pause on keys of every range: for each node a group of callers whose keys have that
/// node as their first replica, so that what its death costs is seen by those whom it costs most.
final class FailoverLoad: Sendable {
    /// The longest times in which no caller of the worst group was answered.
    struct Gaps: Sendable {
        var write = Duration.zero
        var read = Duration.zero
        /// The operations that took longest, with what came of them, for people.
        var slow: [String] = []
    }

    private static let keysPerGroup = 48
    private static let callersPerKind = 3
    /// Operations that took longer are kept for the report, in milliseconds.
    private static let slowMs: UInt64 = 150
    private static let slowMax = 60

    private enum Kind: Int, CaseIterable { case write, read }

    private struct Pulse {
        var lastNs: UInt64 = 0
        var gapNs: UInt64 = 0
        var count = 0
    }

    private struct State {
        // By group, then by kind.
        var pulses: [[Pulse]]
        var acknowledged: [Key: Int] = [:]
        var slow: [String] = []
        var resetNs: UInt64 = 0
    }

    private let names: [String]
    private let keys: [[Key]]
    private let state: Mutex<State>
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let isStopping = Atomic(false)

    /// Starts the callers, each group with a client of its own.
    init(_ cluster: TestCluster, ring: Ring) async throws {
        names = ring.members.map(\.name)
        var keys = ring.members.map { _ in [Key]() }
        var number = 0
        while keys.contains(where: { $0.count < Self.keysPerGroup }) {
            let key = Key("failover/\(number)")
            number += 1
            let first = ring.replicas(of: key.token).first
            guard let group = ring.members.firstIndex(where: { $0.id == first }) else { continue }
            if keys[group].count < Self.keysPerGroup { keys[group].append(key) }
        }
        self.keys = keys
        state = Mutex(State(pulses: keys.map { _ in Kind.allCases.map { _ in Pulse() } }))
        reset()
        for group in keys.indices {
            let client = try await cluster.client()
            for caller in 0..<Self.callersPerKind {
                let writer = Task { await self.write(group, caller, client) }
                let reader = Task { await self.read(group, caller, client) }
                tasks.withLock { $0 += [writer, reader] }
            }
        }
    }

    /// Ends the load; operations in flight are waited for.
    func stop() async {
        isStopping.store(true, ordering: .relaxed)
        for task in tasks.withLock({ $0 }) { await task.value }
    }

    /// Forgets the gaps so far.
    func reset() {
        let now = Self.nowNs
        state.withLock { state in
            state.resetNs = now
            state.slow = []
            for group in state.pulses.indices {
                for kind in Kind.allCases {
                    state.pulses[group][kind.rawValue].lastNs = now
                    state.pulses[group][kind.rawValue].gapNs = 0
                }
            }
        }
    }

    /// The worst group's gaps since `reset`.
    var gaps: Gaps {
        let now = Self.nowNs
        return state.withLock { state in
            func worst(_ kind: Kind) -> Duration {
                let gaps = state.pulses.map { max($0[kind.rawValue].gapNs, now - min(now, $0[kind.rawValue].lastNs)) }
                return .nanoseconds(gaps.max() ?? 0)
            }
            return Gaps(write: worst(.write), read: worst(.read), slow: state.slow)
        }
    }

    /// Returns when every group has been answered so many writes and reads more.
    func progress(_ cluster: TestCluster, _ count: Int = 50, within seconds: Double = 30) async throws {
        let before = state.withLock { $0.pulses }
        try await eventually("every group gets \(count) more answers of each kind", within: seconds, cluster.running) {
            let now = self.state.withLock { $0.pulses }
            return zip(now, before).allSatisfy { group in
                zip(group.0, group.1).allSatisfy { $0.count >= $1.count + count }
            }
        }
    }

    /// Returns when every group has been answered a write since `reset`: the time from `reset` to the first write of all,
    /// and to the first write of the last group.
    func firstWrites(_ cluster: TestCluster, since counts: [Int]) async throws -> (any: Duration, all: Duration) {
        var first: Duration?
        let resetNs = state.withLock { $0.resetNs }
        while true {
            let answered = zip(writes, counts).map { $0 > $1 }
            let passed = Duration.nanoseconds(Self.nowNs - resetNs)
            if answered.contains(true), first == nil { first = passed }
            if let first, answered.allSatisfy({ $0 }) { return (first, passed) }
            guard passed < .seconds(60) else {
                throw WaitedInVain(
                    description: "no write was acknowledged in \(passed.text)\n"
                        + cluster.running.map { "--- \($0.name)\n\($0.logTail())" }.joined(separator: "\n"))
            }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Acknowledged writes of each group.
    var writes: [Int] { state.withLock { $0.pulses.map { $0[Kind.write.rawValue].count } } }

    /// Reads every key: how many acknowledged writes are lost, and how many keys had one.
    func lost(_ client: StormoClient) async throws -> (lost: Int, keys: Int) {
        let acknowledged = state.withLock { $0.acknowledged }
        var lost = 0
        for (key, value) in acknowledged {
            let found = try await client.get(key).flatMap { Int(String(decoding: $0.value, as: UTF8.self)) }
            // A later write of unknown outcome may have come in its place.
            if found ?? 0 < value { lost += 1 }
        }
        return (lost, acknowledged.count)
    }

    private func write(_ group: Int, _ caller: Int, _ client: StormoClient) async {
        // Every key has one writer, so that its numbers only grow.
        let own = keys[group].indices.filter { $0 % Self.callersPerKind == caller }.map { keys[group][$0] }
        var value = 0
        while !isStopping.load(ordering: .relaxed) {
            value += 1
            let key = own[value % own.count]
            let bytes = Array("\(value)".utf8)
            let isAnswered = await run(group, .write) { () async throws(ClientError) in
                _ = try await client.put(key, bytes)
            }
            if isAnswered { state.withLock { [value] in $0.acknowledged[key] = value } }
            await pause(isAnswered)
        }
    }

    private func read(_ group: Int, _ caller: Int, _ client: StormoClient) async {
        var turn = caller
        while !isStopping.load(ordering: .relaxed) {
            turn += Self.callersPerKind
            let key = keys[group][turn % keys[group].count]
            await pause(await run(group, .read) { () async throws(ClientError) in _ = try await client.get(key) })
        }
    }

    private func pause(_ isAnswered: Bool) async { try? await Task.sleep(for: .milliseconds(isAnswered ? 5 : 10)) }

    /// Does an operation and writes down what it came to. Whether it was answered.
    private func run(_ group: Int, _ kind: Kind, _ body: () async throws(ClientError) -> Void) async -> Bool {
        let invoked = Self.nowNs
        var failure: ClientError?
        do throws(ClientError) { try await body() } catch { failure = error }
        let returned = Self.nowNs
        state.withLock { state in
            if failure == nil {
                var pulse = state.pulses[group][kind.rawValue]
                pulse.count += 1
                pulse.gapNs = max(pulse.gapNs, returned - min(returned, pulse.lastNs))
                pulse.lastNs = max(pulse.lastNs, returned)
                state.pulses[group][kind.rawValue] = pulse
            }
            let tookMs = (returned - invoked) / 1_000_000
            guard tookMs >= Self.slowMs, state.slow.count < Self.slowMax, returned > state.resetNs else { return }
            let atMs = (Int64(bitPattern: invoked) - Int64(bitPattern: state.resetNs)) / 1_000_000
            let outcome = failure.map { "\($0)" } ?? "answered"
            state.slow.append("\(kind) first at \(names[group]), begun at \(atMs) ms, \(tookMs) ms: \(outcome)")
        }
        return failure == nil
    }

    private static var nowNs: UInt64 { NIODeadline.now().uptimeNanoseconds }
}
