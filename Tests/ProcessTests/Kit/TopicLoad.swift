import NIOCore
import StormoClient
import Synchronization
import Testing
import Wire

/// Producers that publish numbered records to every partition of a topic without pause, and a reader that follows.
///
/// Each producer has a client, and in each partition one batch under way at a time.
final class TopicLoad: Sendable {
    /// The topic of the load, which it makes.
    static let topic = "numbered"
    /// Records of a batch: more than one, so that half a batch would be noticed.
    private static let batchRecords = 3
    /// Pause after an answer, in milliseconds: it bounds the precision of the gaps and leaves the machine some air.
    private static let pauseMs = 5
    /// Pause after a failure, in milliseconds: who was refused does not ask again at once.
    private static let failurePauseMs = 20

    private struct Pulse {
        var lastNs: UInt64
        var gapNs: UInt64 = 0
    }

    private struct State {
        var history = TopicHistory()
        // By partition.
        var pulses: [Pulse]
        // By producer and partition.
        var answered: [[Int]]
        var failures: [String: Int] = [:]
    }

    /// How many partitions the topic has.
    let partitions: Int
    /// The producers' clients.
    let producers: [StormoClient]
    private let keys: [[UInt8]]
    private let reader: StormoClient
    private let state: Mutex<State>
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let tail = Mutex<Task<Void, any Error>?>(nil)
    private let isStopping = Atomic(false)

    /// Makes the topic with three replicas of each partition and starts so many producers, and a reader.
    init(_ cluster: TestCluster, partitions: Int, producers count: Int) async throws {
        self.partitions = partitions
        var producers: [StormoClient] = []
        for _ in 0..<count { producers.append(try await cluster.client()) }
        self.producers = producers
        reader = try await cluster.client()
        keys = (0..<UInt32(partitions)).map { Self.key(of: $0, of: partitions) }
        let now = Self.nowNs
        state = Mutex(
            State(
                pulses: (0..<partitions).map { _ in Pulse(lastNs: now) },
                answered: Array(repeating: Array(repeating: 0, count: partitions), count: count)))
        let configuration = TopicConfiguration(partitions: UInt32(partitions), replicationFactor: 3)
        try await eventually("topic \(Self.topic) is made", cluster.running) {
            try await reader.topic(Self.topic, creating: configuration) != nil
        }
        for producer in producers.indices {
            for partition in 0..<partitions {
                let task = Task { await self.publish(producer, UInt32(partition)) }
                tasks.withLock { $0.append(task) }
            }
        }
        let following = TopicTail(client: reader, topic: Self.topic, logger: TestCluster.logger)
        let follower = Task {
            try await following.run(start: .earliest) { records, _ in
                self.state.withLock { $0.history.read(records) }
            }
        }
        tail.withLock { $0 = follower }
    }

    /// A key whose records go to a partition.
    static func key(of partition: UInt32, of partitions: Int) -> [UInt8] {
        var number = 0
        while XXH64.hash(Array("k\(number)".utf8)) % UInt64(partitions) != UInt64(partition) { number += 1 }
        return Array("k\(number)".utf8)
    }

    /// Ends the load; publishes under way are waited for.
    func stop() async {
        isStopping.store(true, ordering: .relaxed)
        for task in tasks.withLock({ $0 }) { await task.value }
        let tail = tail.withLock { $0 }
        tail?.cancel()
        _ = await tail?.result
    }

    // MARK: Gaps

    /// Forgets the gaps so far.
    func reset() {
        let now = Self.nowNs
        state.withLock { state in
            for index in state.pulses.indices {
                state.pulses[index].lastNs = now
                state.pulses[index].gapNs = 0
            }
        }
    }

    /// The longest time since `reset` without an acknowledged publish, by partition.
    var gaps: [Duration] {
        let now = Self.nowNs
        return state.withLock { state in
            state.pulses.map { .nanoseconds(max($0.gapNs, now - min(now, $0.lastNs))) }
        }
    }

    /// Returns when every producer has had so many batches more acknowledged in every partition; the time that it took.
    @discardableResult
    func progress(_ cluster: TestCluster, _ count: Int = 5, within seconds: Double = 30) async throws -> Duration {
        let start = ContinuousClock.now
        let before = state.withLock { $0.answered }
        func missing() -> [String] {
            let now = state.withLock { $0.answered }
            return producers.indices.flatMap { producer in
                (0..<partitions).filter { now[producer][$0] < before[producer][$0] + count }
                    .map { "\(producer)/\($0)" }
            }
        }
        try await eventually(
            "\(count) more batches of every producer in every partition; missing (producer/partition) \(missing())\n\(failures)",
            within: seconds, cluster.running
        ) {
            missing().isEmpty
        }
        return ContinuousClock.now - start
    }

    /// Records by what became of them.
    var counts: (acknowledged: Int, refused: Int, unknown: Int) { state.withLock { $0.history.counts } }

    /// What failed on the way, for messages.
    var failures: String {
        state.withLock {
            $0.failures.sorted { $0.value > $1.value }.prefix(12).map { "\($0.value) × \($0.key)" }
                .joined(separator: "\n")
        }
    }

    // MARK: Judging

    /// Reads everything back and expects nothing to be lost, reordered, duplicated or otherwise wrong. To be called when
    /// the load has stopped.
    func expectNothingWrong(
        _ cluster: TestCluster, _ client: StormoClient, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let records = try await cluster.allRecords(of: Self.topic, client)
        let history = state.withLock { $0.history }
        let faults = history.faults(in: records)
        let kinds = ["lost", "reordered", "duplicated", "otherwise wrong"].map { kind in
            "\(faults.count { $0.kind == kind }) \(kind)"
        }
        let counts = history.counts
        print(
            "    \(counts.acknowledged) records acknowledged, \(counts.refused) refused, \(counts.unknown) of unknown "
                + "outcome, \(records.count) read back: \(kinds.joined(separator: ", "))")
        #expect(counts.acknowledged > 0, sourceLocation: sourceLocation)
        #expect(faults.isEmpty, "\(faults.prefix(10))\n\(failures)", sourceLocation: sourceLocation)
    }

    // MARK: Publishing

    private func publish(_ producer: Int, _ partition: UInt32) async {
        var number = 0
        while !isStopping.load(ordering: .relaxed) {
            let names = (1...Self.batchRecords).map {
                RecordName(producer: producer, partition: partition, number: number + $0)
            }
            number += names.count
            let records = names.map { Record(key: keys[Int(partition)], value: $0.bytes, timestampMs: 1) }
            // Until the answer is here a reader may see what nobody has told of yet.
            state.withLock { state in for name in names { state.history.told(name, .unknown) } }
            do throws(ClientError) {
                let positions = try await producers[producer].publish(toExisting: Self.topic, records)
                acknowledged(names, positions, by: producer)
                try? await Task.sleep(for: .milliseconds(Self.pauseMs))
            } catch {
                failed(names, error)
                try? await Task.sleep(for: .milliseconds(Self.failurePauseMs))
            }
        }
    }

    private func acknowledged(_ names: [RecordName], _ positions: [RecordPosition], by producer: Int) {
        let now = Self.nowNs
        state.withLock { state in
            for (name, position) in zip(names, positions) { state.history.told(name, .acknowledged(position)) }
            guard let partition = names.first.map({ Int($0.partition) }) else { return }
            state.answered[producer][partition] += 1
            var pulse = state.pulses[partition]
            pulse.gapNs = max(pulse.gapNs, now - min(now, pulse.lastNs))
            pulse.lastNs = max(pulse.lastNs, now)
            state.pulses[partition] = pulse
        }
    }

    private func failed(_ names: [RecordName], _ error: ClientError) {
        let isCertain =
            switch error {
            case .outcomeUnknown, .closed: false
            case .noQuorum, .unreachable, .refused, .overloaded: true
            }
        // Figures in a message would make every one its own.
        let text = String("\(error)".map { $0.isNumber ? "#" : $0 })
        state.withLock { state in
            if isCertain { for name in names { state.history.told(name, .refused) } }
            state.failures[text, default: 0] += 1
        }
    }

    private static var nowNs: UInt64 { NIODeadline.now().uptimeNanoseconds }
}
