import StormoClient
import Synchronization
import Testing
import Wire

/// Puts, reads and publishes without pause, and remembers what was acknowledged.
///
/// Every put of `load/put/…` is of a key of its own; every `load/counter/…` is counted up by one writer, and left
/// behind after an unknown outcome, so that its value never goes back.
final class Load: Sendable {
    private struct Seen {
        var puts: [String: String] = [:]
        var counters: [String: Int] = [:]
        var records: [RecordPosition: String] = [:]
        var reads = 0
        var wentBack: [String] = []
        var failures: [String: Int] = [:]
    }

    /// The topic that is published to.
    static let topic = "load"

    private let seen = Mutex(Seen())
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let client: StormoClient

    /// Starts writers, publishers and a reader over `client`.
    init(_ client: StormoClient, writers: Int = 4, publishers: Int = 2) {
        self.client = client
        var started: [Task<Void, Never>] = []
        for writer in 0..<writers { started.append(Task { await self.write(writer) }) }
        for publisher in 0..<publishers { started.append(Task { await self.publish(publisher) }) }
        started.append(Task { await self.read() })
        tasks.withLock { $0 = started }
    }

    /// How many puts, publishes and reads were answered so far.
    var answered: (puts: Int, publishes: Int, reads: Int) {
        seen.withLock { ($0.puts.count, $0.records.count, $0.reads) }
    }

    /// Returns when a good number of puts, publishes and reads more were answered; the time that it took.
    @discardableResult
    func progress(_ cluster: TestCluster, _ count: Int = 50, within seconds: Double = 30) async throws -> Duration {
        let start = ContinuousClock.now
        let before = answered
        try await eventually(
            "\(count) more puts, publishes and reads than \(before) are answered (now \(answered))\n\(failures)",
            within: seconds, cluster.running
        ) {
            let now = answered
            return now.puts >= before.puts + count && now.publishes >= before.publishes + count
                && now.reads >= before.reads + count
        }
        return ContinuousClock.now - start
    }

    /// Ends the load; operations in flight are waited for.
    func stop() async {
        for task in tasks.withLock({ $0 }) {
            task.cancel()
            await task.value
        }
    }

    private func write(_ writer: Int) async {
        var generation = 0
        var number = 0
        while !Task.isCancelled {
            number += 1
            let name = "load/put/\(writer)/\(number)"
            let counter = "load/counter/\(writer)/\(generation)"
            do {
                try await client.put(Key(name), Array("value \(number)".utf8))
                seen.withLock { $0.puts[name] = "value \(number)" }
                try await client.put(Key(counter), Array("\(number)".utf8))
                seen.withLock { $0.counters[counter] = number }
            } catch {
                generation += 1
                await failed("put", error)
            }
        }
    }

    private func publish(_ publisher: Int) async {
        var number = 0
        while !Task.isCancelled {
            number += 1
            let values = (0..<3).map { "\(publisher) \(number) \($0)" }
            do {
                let positions = try await client.publish(
                    Self.topic,
                    values.map { Record(key: Array($0.utf8), value: Array($0.utf8), timestampMs: 1_700_000_000_000) })
                seen.withLock { for (position, value) in zip(positions, values) { $0.records[position] = value } }
            } catch { await failed("publish", error) }
        }
    }

    private func read() async {
        var highest: [String: Int] = [:]
        while !Task.isCancelled {
            let counters = seen.withLock { $0.counters }
            for (name, acknowledged) in counters where !Task.isCancelled {
                do {
                    let value =
                        try await client.get(Key(name)).flatMap { Int(String(decoding: $0.value, as: UTF8.self)) } ?? 0
                    let least = max(acknowledged, highest[name] ?? 0)
                    highest[name] = max(least, value)
                    seen.withLock { seen in
                        seen.reads += 1
                        if value < least { seen.wentBack.append("\(name) was \(least) and read as \(value)") }
                    }
                } catch { await failed("get", error) }
            }
            if counters.isEmpty { await Task.yield() }
        }
    }

    /// Counts a failure and goes on a little later: a caller that was refused does not ask again at once.
    private func failed(_ what: String, _ error: any Error) async {
        if error is CancellationError || error as? ClientError == .closed { return }
        seen.withLock { $0.failures["\(what): \(error)", default: 0] += 1 }
        try? await Task.sleep(for: .milliseconds(20))
    }

    /// What went wrong on the way, for messages.
    var failures: String {
        seen.withLock {
            $0.failures.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: "\n")
        }
    }

    /// Expects everything acknowledged to be there, once and as it was, and no read to have gone back.
    func expectNothingLost(_ client: StormoClient, _ cluster: TestCluster) async throws {
        let seen = seen.withLock { $0 }
        #expect(seen.wentBack.isEmpty)
        #expect(!seen.puts.isEmpty && !seen.records.isEmpty)

        var found: [String: String] = [:]
        try await eventually("the keys can be listed", cluster.running) {
            for item in try await client.scanAll(prefix: "load/") {
                if case .value(let value) = item.cell.content {
                    found[item.key.description] = String(decoding: value, as: UTF8.self)
                }
            }
            return true
        }
        let lost = seen.puts.filter { found[$0.key] != $0.value }
        #expect(
            lost.isEmpty,
            "\(lost.count) of \(seen.puts.count) acknowledged puts are lost, such as \(lost.keys.sorted().prefix(5))")
        for (name, number) in seen.counters {
            let value = found[name].flatMap { Int($0) } ?? 0
            #expect(value >= number, "\(name) was acknowledged as \(number)")
        }

        var records: [RecordPosition: String] = [:]
        var values: [String: Int] = [:]
        for record in try await cluster.allRecords(of: Self.topic, client) {
            let value = String(decoding: record.record.value, as: UTF8.self)
            records[record.position] = value
            values[value, default: 0] += 1
        }
        let missing = seen.records.filter { records[$0.key] != $0.value }
        #expect(
            missing.isEmpty,
            "\(missing.count) of \(seen.records.count) acknowledged records are not in place, such as \(missing.prefix(5))"
        )
        let twice = values.filter { $0.value > 1 }
        #expect(twice.isEmpty, "\(twice.count) records are there more than once, such as \(twice.prefix(5))")
    }
}

extension TestCluster {
    /// Every record of a topic.
    func allRecords(of topic: String, _ client: StormoClient) async throws -> [PositionedRecord] {
        var records: [PositionedRecord] = []
        var partitions = 0
        try await eventually("topic \(topic) is described", running) {
            partitions = try await client.topic(topic)?.partitions.count ?? 0
            return partitions > 0
        }
        for partition in 0..<UInt32(partitions) {
            var offset: Offset = 0
            var isWhole = false
            while !isWhole {
                try await eventually("partition \(partition) of \(topic) is read from \(offset)", running) {
                    let page = try await client.fetch(topic, partition: partition, offset: offset)
                    records += page.records
                    offset = page.nextOffset
                    isWhole = offset >= page.highWatermark
                    return true
                }
            }
        }
        return records
    }
}
