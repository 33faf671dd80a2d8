import NIOCore
import Synchronization
import Testing
import Wire

@testable import StormoClient

/// A group whose members each have a client of their own, on a topic that is published to at a steady rate.
final class GroupScene: Sendable {
    private static let topic = "shares"
    private static let group = "readers"

    /// A member whose process was killed.
    struct Dead: Sendable {
        /// What it read.
        var partitions: [UInt32]
        /// When, by a monotonic clock, in nanoseconds.
        var atNs: UInt64
    }

    private struct Member {
        let client: StormoClient
        let running: Task<Void, any Error>
        var isAlive = true
    }

    private struct State {
        var members: [Member?] = []
        var dead: Set<Int> = []
        var log = DeliveryLog()
        var failures: [String: Int] = [:]
    }

    private let cluster: TestCluster
    private let partitions: Int
    private let periodMs: Int
    private let sessionLeaseMs: UInt64?
    private let state = Mutex(State())

    private init(_ cluster: TestCluster, partitions: Int, periodMs: Int, sessionLeaseMs: UInt64?) {
        self.cluster = cluster
        self.partitions = partitions
        self.periodMs = periodMs
        self.sessionLeaseMs = sessionLeaseMs
    }

    /// Starts a cluster and a group in which each partition gets a record every `periodMs`, hands them to `body` once the
    /// members share the partitions evenly, and expects in the end that no record was passed over. `sessionLeaseMs` is how
    /// long a member that died is waited for (as by default when nil).
    static func with(
        members: Int, partitions: Int, periodMs: Int, sessionLeaseMs: UInt64? = nil,
        _ body: (GroupScene) async throws -> Void
    ) async throws {
        try await TestCluster.with { cluster, client in
            try await cluster.waitUntilWhole(client)
            let scene = GroupScene(
                cluster, partitions: partitions, periodMs: periodMs, sessionLeaseMs: sessionLeaseMs)
            let configuration = TopicConfiguration(partitions: UInt32(partitions), replicationFactor: 3)
            try await eventually("topic \(topic) is made", cluster.running) {
                try await client.topic(topic, creating: configuration) != nil
            }
            let publisher = Task { await scene.publish(client) }
            for _ in 0..<members { _ = try await scene.addMember() }
            try await scene.settle(members: members)
            try await body(scene)
            publisher.cancel()
            await publisher.value
            let members = scene.state.withLock { $0.members.compactMap { $0 } }
            for member in members { member.running.cancel() }
            for member in members { _ = await member.running.result }
            let log = scene.log
            print("    records passed over in \(log.skipped.count) partitions; \(log.repeated) delivered again")
            #expect(log.skipped.isEmpty, "records were passed over in partitions \(log.skipped.sorted())")
        }
    }

    /// What was delivered since `mark`.
    var log: DeliveryLog { state.withLock { $0.log } }

    /// Begins a new part of the log; gives the part that is over.
    func mark() -> DeliveryLog {
        state.withLock { state in
            let former = state.log
            state.log.forget()
            return former
        }
    }

    // MARK: Members

    /// Adds a member; its number.
    func addMember() async throws -> Int {
        let client = cluster.connect(to: cluster.seeds, sessionLeaseMs: sessionLeaseMs)
        try await client.waitUntilReady(timeoutMs: 30_000)
        let number = state.withLock { state in
            state.members.append(nil)
            return state.members.count - 1
        }
        let consumer = GroupConsumer(
            client: client, topic: Self.topic, group: Self.group, logger: TestCluster.logger)
        let running = Task {
            try await consumer.run { records in self.deliver(records, to: number) }
        }
        state.withLock { $0.members[number] = Member(client: client, running: running) }
        return number
    }

    /// Ends a member like a process that is killed: it neither leaves nor gives anything back.
    func killMember(_ number: Int) async throws -> Dead {
        let (member, dead) = state.withLock { state in
            state.dead.insert(number)
            let partitions = (0..<UInt32(partitions)).filter { state.log.owner($0) == number }
            return (state.members[number], Dead(partitions: partitions, atNs: Self.nowNs))
        }
        guard let member else { throw WaitedInVain(description: "there is no member \(number)") }
        // First the connections: what it does at its end reaches nobody.
        await cluster.disconnect(member.client)
        member.running.cancel()
        _ = await member.running.result
        return dead
    }

    private func deliver(_ records: [PositionedRecord], to member: Int) {
        guard let first = records.first?.position, let last = records.last?.position else { return }
        let now = Self.nowNs
        state.withLock { state in
            guard !state.dead.contains(member) else { return }
            state.log.delivered(
                first.partition,
                DeliveryLog.Delivery(member: member, offsets: first.offset..<last.offset + 1, atNs: now))
        }
    }

    // MARK: Waiting and judging

    /// Waits until so many members share the partitions evenly, and each partition has been given to the same one for
    /// longer than members take to look who else is there.
    func settle(members: Int, within seconds: Double = 60) async throws {
        func shares() -> [Int: Int] {
            let log = log
            return (0..<UInt32(partitions)).reduce(into: [:]) { shares, partition in
                if let owner = log.owner(partition) { shares[owner, default: 0] += 1 }
            }
        }
        let range = partitions / members...(partitions + members - 1) / members
        try await eventually(
            "\(members) members share \(partitions) partitions evenly, found \(shares()); \(failures)",
            within: seconds, cluster.running
        ) {
            let now = shares()
            return now.count == members && now.values.allSatisfy(range.contains)
                && now.values.reduce(0, +) == partitions
        }
        let settled = log.moves.count
        try await deliveries(2 * Int(ClientLimits.claimMs) / periodMs)
        guard log.moves.count == settled else { return try await settle(members: members, within: seconds) }
    }

    /// Waits until each partition has had so many deliveries more.
    func deliveries(_ count: Int, within seconds: Double = 60) async throws {
        let before = log
        try await eventually(
            "\(count) more deliveries of each partition; \(failures)", within: seconds, cluster.running
        ) {
            let now = log
            return (0..<UInt32(partitions)).allSatisfy { now.count($0) >= before.count($0) + count }
        }
    }

    /// Expects that no other partitions changed hands since `mark` than those named, and each of them once.
    func expectOnly(moving partitions: Set<UInt32>, sourceLocation: SourceLocation = #_sourceLocation) {
        let moves = log.moves
        #expect(Set(moves.map(\.partition)) == partitions, "\(moves)", sourceLocation: sourceLocation)
        #expect(moves.count == partitions.count, "\(moves)", sourceLocation: sourceLocation)
    }

    private var failures: String {
        state.withLock { $0.failures.map { "\($0.value) × \($0.key)" }.joined(separator: "\n") }
    }

    // MARK: Publishing

    private func publish(_ client: StormoClient) async {
        let keys = (0..<UInt32(partitions)).map { TopicLoad.key(of: $0, of: partitions) }
        var next = ContinuousClock.now
        while !Task.isCancelled {
            let records = keys.map { Record(key: $0, value: [], timestampMs: 1) }
            do throws(ClientError) { try await client.publish(toExisting: Self.topic, records) } catch {
                state.withLock { $0.failures["\(error)", default: 0] += 1 }
            }
            next += .milliseconds(periodMs)
            try? await Task.sleep(until: next, clock: .continuous)
        }
    }

    static var nowNs: UInt64 { NIODeadline.now().uptimeNanoseconds }
}
