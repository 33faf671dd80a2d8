import Membership
import NodeCore
import Simulation
import Testing
import Wire

/// Random operations under random faults; every key's history must be linearizable. The simulator proper looks much
/// longer; this keeps the core honest in seconds.
@Suite struct RandomHistoriesTests {
    @Test(arguments: Seeds.range) func registersAreLinearizable(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed) &* 7919)
        let cluster = VirtualCluster(count: 3, seed: UInt64(seed))
        #expect(cluster.run(forMs: 5_000) { cluster.nodes.allSatisfy { $0?.ring != nil } })
        cluster.loss = Double.random(in: 0...0.08, using: &random)
        cluster.duplication = Double.random(in: 0...0.1, using: &random)
        cluster.delayMs = 1...UInt64.random(in: 2...25, using: &random)
        for index in 0..<3 { cluster.skewMs[index] = Int64.random(in: -200...200, using: &random) }

        struct Pending {
            let client: Int
            let key: Int
            let kind: RegisterOperation.Kind
            let invokedMs: UInt64
        }
        var histories: [[RegisterOperation]] = [[], []]
        var pending: [Pending] = []
        var versions: [[Int?: Ballot]] = [[:], [:]]
        var lastRead: [Int?] = [nil, nil]
        var nextClient = 0
        var seenAnswers = 0
        var down: Int?
        var answered = 0

        func collect() {
            while seenAnswers < cluster.answers.count {
                let answer = cluster.answers[seenAnswers]
                seenAnswers += 1
                guard let index = pending.firstIndex(where: { $0.client == answer.client }) else { continue }
                let operation = pending.remove(at: index)
                func record(_ kind: RegisterOperation.Kind, known: Bool = true) {
                    if known { answered += 1 }
                    histories[operation.key].append(
                        RegisterOperation(
                            kind: kind, invokedMs: operation.invokedMs, returnedMs: known ? answer.atMs : .max))
                }
                switch (answer.message, operation.kind) {
                case (.readAnswer(let body), _):
                    let value = number(body.cell)
                    record(.read(value))
                    lastRead[operation.key] = value
                    if let cell = body.cell { versions[operation.key][value] = cell.version }
                case (.writeAnswer(let body), .compareAndSet(let expected, _)) where !body.applied:
                    let found = number(body.current)
                    if found != expected { record(.refused(expected: expected, found: found)) }
                case (.writeAnswer, let kind): record(kind)
                case (.error(let error), .read): #expect(error.code != .internalError)
                case (.error(let error), let kind):
                    #expect(error.code == .noQuorum || error.code == .outcomeUnknown, "\(error)")
                    // `noQuorum` promises that it was not done and will not be.
                    if error.code == .outcomeUnknown { record(kind, known: false) }
                default: Issue.record("unexpected \(answer.message)")
                }
            }
        }

        for round in 0..<160 {
            let node = Int.random(in: 0..<3, using: &random)
            let key = Int.random(in: 0..<2, using: &random)
            // More at a time would only make histories that no checker can decide.
            if cluster.nodes[node] != nil, pending.count(where: { $0.key == key }) < 8 {
                nextClient += 1
                let register = Key("k\(key)")
                let message: Message
                let kind: RegisterOperation.Kind
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<4:
                    kind = .read(nil)
                    message = .readRequest(ReadRequest(key: register, consistency: .quorum))
                case 4..<7:
                    kind = .write(nextClient)
                    message = .writeRequest(
                        WriteRequest(
                            key: register, consistency: Bool.random(using: &random) ? .quorum : .serial,
                            change: .put(value: bytes(nextClient), ttlMs: nil, condition: .none)))
                case 7:
                    kind = .write(nil)
                    message = .writeRequest(
                        WriteRequest(key: register, consistency: .quorum, change: .delete(condition: .none)))
                default:
                    let expected = lastRead[key]
                    kind = .compareAndSet(expected: expected, new: nextClient)
                    let condition: Condition =
                        expected == nil ? .absent : versions[key][expected].map { .version($0) } ?? .absent
                    message = .writeRequest(
                        WriteRequest(
                            key: register, consistency: .serial,
                            change: .put(value: bytes(nextClient), ttlMs: nil, condition: condition)))
                }
                pending.append(Pending(client: nextClient, key: key, kind: kind, invokedMs: cluster.nowMs))
                cluster.request(nextClient, to: node, message)
            }
            cluster.run(forMs: UInt64.random(in: 1...60, using: &random))
            collect()
            if round % 25 == 24 {
                if let index = down {
                    cluster.restart(index)
                    down = nil
                } else {
                    let index = Int.random(in: 0..<3, using: &random)
                    cluster.crash(index)
                    down = index
                }
            }
            if round % 40 == 20 {
                cluster.cut(Int.random(in: 0..<3, using: &random), Int.random(in: 0..<3, using: &random))
            }
            if round % 40 == 35 { cluster.heal() }
        }
        cluster.heal()
        if let down { cluster.restart(down) }
        cluster.run(forMs: 5_000)
        collect()
        // A client whose coordinator crashed never hears: its writes are of unknown outcome.
        for operation in pending {
            if case .read = operation.kind { continue }
            histories[operation.key].append(
                RegisterOperation(kind: operation.kind, invokedMs: operation.invokedMs, returnedMs: .max))
        }
        #expect(answered > 30, "only \(answered) operations were answered: the faults leave nothing to check")
        for (key, history) in histories.enumerated() {
            let verdict = Linearizability.verdict(history)
            let lines = history.sorted { $0.invokedMs < $1.invokedMs }.map {
                "\($0.invokedMs)–\($0.returnedMs == .max ? "?" : "\($0.returnedMs)") \($0.kind)"
            }
            #expect(verdict == .holds, "seed \(seed), key \(key):\n\(lines.joined(separator: "\n"))")
        }
    }

    private func bytes(_ value: Int) -> [UInt8] { Array(String(value).utf8) }

    private func number(_ cell: Cell?) -> Int? {
        guard let cell, case .value(let bytes) = cell.content else { return nil }
        return Int(String(decoding: bytes, as: UTF8.self))
    }
}
