import Foundation
import NodeCore
import Simulation
import Testing
import Wire

/// Protocol traces as files: lines that begin with `>` are commands, the others are what the core did. A change of
/// behaviour shows as a change of a file. `STORMO_GOLDEN=write` writes them anew.
@Suite struct GoldenScriptTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static var scripts: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []).filter { $0.hasSuffix(".txt") }
            .sorted()
    }

    @Test func thereAreScripts() { #expect(Self.scripts.count >= 8) }

    @Test(arguments: scripts) func traceIsAsWritten(script: String) throws {
        let file = Self.folder.appending(path: script)
        let written = try String(contentsOf: file, encoding: .utf8)
        var runner = ScriptRunner()
        var actual: [String] = []
        for line in written.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") || line.isEmpty { actual.append(String(line)) }
            guard line.hasPrefix("> ") else { continue }
            actual.append(String(line))
            actual += try runner.run(line.dropFirst(2).split(separator: " ").map(String.init))
        }
        let text =
            actual.joined(separator: "\n") + (written.hasSuffix("\n") && actual.last?.isEmpty != true ? "\n" : "")
        if ProcessInfo.processInfo.environment["STORMO_GOLDEN"] == "write" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(
                text == written,
                "the trace of \(script) differs; look at what changed with STORMO_GOLDEN=write and git diff")
        }
    }
}

/// Executes the commands of a script.
private struct ScriptRunner {
    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private var cluster = VirtualCluster(count: 1)
    private var client = 0
    private var partition = PartitionID(topic: TopicID(0), index: 0)
    private var token = Ballot.zero

    mutating func run(_ words: [String]) throws -> [String] {
        cluster.clearTrace()
        let node = words.count > 1 ? (Int(words[1].dropFirst()) ?? 1) - 1 : 0
        switch words[0] {
        case "cluster":
            cluster = VirtualCluster(count: Int(words[1]) ?? 1)
            cluster.weather.delayMs = 2...2
            cluster.syncMs = 1...1
            cluster.isTracing = words.contains("trace")
            guard cluster.run(forMs: 5_000, until: { [cluster] in cluster.nodes.allSatisfy { $0?.ring != nil } }) else {
                throw Failure(description: "the cluster was not founded")
            }
            let trace = cluster.trace
            cluster.isTracing = true
            return trace
        case "put": request(node, write(words[2], words[3], .none))
        case "put-serial": request(node, write(words[2], words[3], .none, .serial))
        case "put-if-absent": request(node, write(words[2], words[3], .absent))
        case "delete":
            request(
                node,
                .writeRequest(WriteRequest(key: Key(words[2]), consistency: .quorum, change: .delete(condition: .none)))
            )
        case "get":
            request(node, .readRequest(ReadRequest(key: Key(words[2]), consistency: words.count > 3 ? .one : .quorum)))
        case "scan":
            request(
                node, .scanRequest(ScanRequest(prefix: Array(words[2].utf8), after: [], limit: 10, keysOnly: false)))
        case "acquire":
            request(
                node,
                .writeRequest(
                    WriteRequest(
                        key: Key(words[2]), consistency: .serial, change: .acquire(owner: words[3], ttlMs: 1_000))))
            if case .writeAnswer(let answer)? = cluster.answer(of: client), let version = answer.version {
                token = version
            }
        case "renew":
            request(
                node,
                .writeRequest(
                    WriteRequest(key: Key(words[2]), consistency: .serial, change: .renew(token: token, ttlMs: 1_000))))
        case "release":
            request(
                node,
                .writeRequest(WriteRequest(key: Key(words[2]), consistency: .serial, change: .release(token: token))))
        case "topic":
            cluster.isTracing = false
            request(node, .createTopic(CreateTopic(name: words[2], configuration: TopicConfiguration(partitions: 1))))
            guard case .topics(let topics)? = cluster.answer(of: client), let topic = topics.topics.first else {
                throw Failure(description: "no topic")
            }
            partition = PartitionID(topic: topic.id, index: 0)
            cluster.isTracing = true
            return ["primary is nominated: n\(topic.partitions[0].primary.rawValue)"]
        case "produce":
            let batch = try RecordBatch(records: [Record(key: nil, value: Array(words[2].utf8), timestampMs: 0)])
            request(node, .produce(Produce(partition: partition, batch: batch)))
        case "fetch":
            request(
                node, .fetch(Fetch(partition: partition, offset: Offset(words[2]) ?? 0, bytesMax: 1 << 20, waitMs: 0)))
        case "crash": cluster.crash(node)
        case "restart": cluster.restart(node)
        case "dead": cluster.announce(node, .dead)
        case "cut": cluster.cut(node, (Int(words[2].dropFirst()) ?? 1) - 1)
        case "heal": cluster.heal()
        case "run": cluster.run(forMs: UInt64(words[1]) ?? 0)
        case "quiet":
            // Time passes, and only what is asked for is of interest.
            cluster.isTracing = false
            cluster.run(forMs: UInt64(words[1]) ?? 0)
            cluster.isTracing = true
        default: throw Failure(description: "unknown command \(words[0])")
        }
        return cluster.trace
    }

    private func write(_ key: String, _ value: String, _ condition: Condition, _ consistency: Consistency = .quorum)
        -> Message
    {
        .writeRequest(
            WriteRequest(
                key: Key(key), consistency: consistency,
                change: .put(value: Array(value.utf8), ttlMs: nil, condition: condition)))
    }

    /// Sends a request and runs until its answer has come and the messages that it caused have settled.
    private mutating func request(_ node: Int, _ message: Message) {
        client += 1
        cluster.request(client, to: node, message)
        cluster.run(forMs: 3_000) { [cluster, client] in cluster.answer(of: client) != nil }
        cluster.run(forMs: 8)
    }
}
