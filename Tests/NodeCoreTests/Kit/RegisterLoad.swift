import NodeCore
import Simulation
import Testing
import Wire

/// Random operations on a few registers of a cluster, with the history of each register as its clients saw it.
final class RegisterLoad {
    private struct Pending {
        let client: Int
        let key: Int
        let kind: RegisterOperation.Kind
        let invokedMs: UInt64
    }

    /// Operations that were answered with a result.
    private(set) var answered = 0

    private let cluster: VirtualCluster
    private var histories: [[RegisterOperation]]
    private var pending: [Pending] = []
    private var versions: [[Int?: Ballot]]
    private var lastRead: [Int?]
    private var nextClient = 0
    private var seenAnswers: Int

    init(_ cluster: VirtualCluster, keys: Int) {
        self.cluster = cluster
        histories = Array(repeating: [], count: keys)
        versions = Array(repeating: [:], count: keys)
        lastRead = Array(repeating: nil, count: keys)
        seenAnswers = cluster.answers.count
    }

    /// Asks a living node for one more operation, unless so many wait on its key that no checker could decide about them.
    func begin(on node: Int, _ random: inout some RandomNumberGenerator) {
        let key = histories.indices.randomElement(using: &random) ?? 0
        guard cluster.nodes[node] != nil, pending.count(where: { $0.key == key }) < 6 else { return }
        nextClient += 1
        let value = Array(String(nextClient).utf8)
        let kind: RegisterOperation.Kind
        let message: Message
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
            kind = .read(nil)
            message = .readRequest(ReadRequest(key: name(key), consistency: .quorum))
        case 5..<7:
            kind = .write(nextClient)
            message = .writeRequest(
                WriteRequest(
                    key: name(key), consistency: Bool.random(using: &random) ? .quorum : .serial,
                    change: .put(value: value, ttlMs: nil, condition: .none)))
        default:
            let expected = lastRead[key]
            kind = .compareAndSet(expected: expected, new: nextClient)
            let condition: Condition =
                expected == nil ? .absent : versions[key][expected].map { .version($0) } ?? .absent
            message = .writeRequest(
                WriteRequest(
                    key: name(key), consistency: .serial,
                    change: .put(value: value, ttlMs: nil, condition: condition)))
        }
        pending.append(Pending(client: nextClient, key: key, kind: kind, invokedMs: cluster.nowMs))
        cluster.request(nextClient, to: node, message)
    }

    /// Takes what the clients have heard meanwhile.
    func collect() {
        while seenAnswers < cluster.answers.count {
            let answer = cluster.answers[seenAnswers]
            seenAnswers += 1
            guard let index = pending.firstIndex(where: { $0.client == answer.client }) else { continue }
            take(answer, of: pending.remove(at: index))
        }
    }

    private func take(_ answer: VirtualCluster.Answer, of operation: Pending) {
        switch (answer.message, operation.kind) {
        case (.readAnswer(let body), _):
            let value = number(body.cell)
            record(operation, .read(value), answer.atMs)
            lastRead[operation.key] = value
            if let cell = body.cell { versions[operation.key][value] = cell.version }
        case (.writeAnswer(let body), .compareAndSet(let expected, _)) where !body.applied:
            let found = number(body.current)
            if found != expected { record(operation, .refused(expected: expected, found: found), answer.atMs) }
        case (.writeAnswer, let kind): record(operation, kind, answer.atMs)
        case (.error, .read): break
        case (.error(let error), let kind):
            // Every other error promises that it was not done and will not be.
            if error.code == .outcomeUnknown { record(operation, kind, .max) }
        default: Issue.record("unexpected \(answer.message)")
        }
    }

    private func record(_ operation: Pending, _ kind: RegisterOperation.Kind, _ atMs: UInt64) {
        if atMs != .max { answered += 1 }
        histories[operation.key].append(
            RegisterOperation(kind: kind, invokedMs: operation.invokedMs, returnedMs: atMs))
    }

    /// Takes what was never answered as of unknown outcome, and looks whether every history is linearizable.
    func expectLinearizable(_ what: String) {
        collect()
        for operation in pending {
            if case .read = operation.kind { continue }
            record(operation, operation.kind, .max)
        }
        pending = []
        for (key, history) in histories.enumerated() {
            let lines = history.sorted { $0.invokedMs < $1.invokedMs }.map {
                "\($0.invokedMs)–\($0.returnedMs == .max ? "?" : "\($0.returnedMs)") \($0.kind)"
            }
            #expect(
                Linearizability.verdict(history) == .holds, "\(what), key \(key):\n\(lines.joined(separator: "\n"))")
        }
    }

    private func name(_ key: Int) -> Key { Key("r\(key)") }

    private func number(_ cell: Cell?) -> Int? {
        guard let cell, case .value(let bytes) = cell.content else { return nil }
        return Int(String(decoding: bytes, as: UTF8.self))
    }
}
