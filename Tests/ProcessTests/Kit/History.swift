import NIOCore
import Simulation
import Synchronization
import Testing

/// What concurrent callers did to keys and what they were told, in the order of one monotonic clock: written down while
/// it happens, judged for each key afterwards.
final class History: Sendable {
    /// What was counted so far.
    struct Counts: Sendable {
        /// Answered writes and comparisons.
        var writes = 0
        /// Answered reads.
        var reads = 0
        /// Operations that were refused or whose outcome is unknown.
        var failed = 0
    }

    private struct State {
        var operations: [String: [RegisterOperation]] = [:]
        var counts: [String: Counts] = [:]
        var failures: [String: Int] = [:]
        var lastNs: (write: UInt64, read: UInt64)?
        var gapNs: (write: UInt64, read: UInt64) = (0, 0)
        var lastValue = 0
    }

    private let state = Mutex(State())

    /// A number that no other write uses, so that whoever reads it tells which write he saw.
    func newValue() -> Int {
        state.withLock { state in
            state.lastValue += 1
            return state.lastValue
        }
    }

    /// What each caller has been answered so far.
    var counts: [String: Counts] { state.withLock { $0.counts } }

    /// How many operations were refused or have an unknown outcome, so far.
    var failed: Int { state.withLock { $0.counts.values.reduce(0) { $0 + $1.failed } } }

    /// The same without those that were told `word`.
    func failed(exceptFor word: String) -> Int {
        state.withLock { $0.failures.reduce(0) { $1.key.contains(word) ? $0 : $0 + $1.value } }
    }

    /// How many keys and operations there are, and of how many the outcome is unknown.
    var summary: String {
        state.withLock { state in
            let all = state.operations.values.joined()
            let unknown = all.count { $0.returnedMs == .max }
            return "\(all.count) operations on \(state.operations.count) keys, \(unknown) of unknown outcome"
        }
    }

    /// What failed on the way, for messages.
    var failures: String {
        state.withLock {
            $0.failures.sorted { $0.value > $1.value }.prefix(12).map { "\($0.value) × \($0.key)" }
                .joined(separator: "\n")
        }
    }

    /// Forgets the longest gaps so far.
    func resetGaps() {
        let now = Self.nowNs
        state.withLock { state in
            state.gapNs = (0, 0)
            state.lastNs = (now, now)
        }
    }

    /// The longest times since `resetGaps` in which no caller was answered a write, and a read.
    var gaps: (write: Duration, read: Duration) {
        let now = Self.nowNs
        return state.withLock { state in
            let last = state.lastNs ?? (now, now)
            return (
                .nanoseconds(max(state.gapNs.write, now - last.write)),
                .nanoseconds(max(state.gapNs.read, now - last.read))
            )
        }
    }

    // MARK: Recording

    /// Reads a key and writes down what was read.
    @discardableResult
    func get(_ key: String, by access: any KeyAccess) async -> Sighting? {
        let invoked = Self.nowNs
        let told = await access.get(key)
        return note(told, of: key, by: access, invoked, isWrite: false) {
            .read($0.value)
        } open: {
            nil
        }
    }

    /// Overwrites a key. Whether it was acknowledged.
    @discardableResult
    func put(_ key: String, serially: Bool, by access: any KeyAccess) async -> Bool {
        let value = newValue()
        let invoked = Self.nowNs
        let told = await access.put(key, value, serially: serially)
        let kind = RegisterOperation.Kind.write(value)
        return note(told, of: key, by: access, invoked, isWrite: true) {
            kind
        } open: {
            kind
        } != nil
    }

    /// Deletes a key. Whether it was acknowledged.
    @discardableResult
    func delete(_ key: String, by access: any KeyAccess) async -> Bool {
        let invoked = Self.nowNs
        let told = await access.delete(key)
        return note(told, of: key, by: access, invoked, isWrite: true) {
            .write(nil)
        } open: {
            .write(nil)
        } != nil
    }

    /// Writes a key when it is still as it was seen. Whether an answer came, applied or not.
    @discardableResult
    func compareAndSet(_ key: String, if seen: Sighting, by access: any KeyAccess) async -> Bool {
        let value = newValue()
        let invoked = Self.nowNs
        let told = await access.compareAndSet(key, value, if: seen)
        let applied = RegisterOperation.Kind.compareAndSet(expected: seen.value, new: value)
        return note(told, of: key, by: access, invoked, isWrite: true) { compared in
            switch compared {
            case .applied: applied
            case .found(let found): .refused(expected: seen.value, found: found)
            }
        } open: {
            applied
        } != nil
    }

    /// Writes an operation down: as `kind` says when it was answered, as `open` says when its outcome is unknown, not at
    /// all when it was certainly not done. Gives the answer.
    private func note<Answer>(
        _ told: Told<Answer>, of key: String, by access: any KeyAccess, _ invoked: UInt64, isWrite: Bool,
        kind: (Answer) -> RegisterOperation.Kind, open: () -> RegisterOperation.Kind?
    ) -> Answer? {
        let returned = Self.nowNs
        switch told {
        case .answered(let answer):
            let operation = RegisterOperation(kind: kind(answer), invokedMs: invoked, returnedMs: returned)
            state.withLock { state in
                state.operations[key, default: []].append(operation)
                var last = state.lastNs ?? (returned, returned)
                if isWrite {
                    state.counts[access.name, default: Counts()].writes += 1
                    state.gapNs.write = max(state.gapNs.write, returned - min(last.write, returned))
                    last.write = max(last.write, returned)
                } else {
                    state.counts[access.name, default: Counts()].reads += 1
                    state.gapNs.read = max(state.gapNs.read, returned - min(last.read, returned))
                    last.read = max(last.read, returned)
                }
                state.lastNs = last
            }
            return answer
        case .refused(let why): failed(access, "refused: \(why)")
        case .unknown(let why):
            failed(access, "unknown: \(why)")
            guard let kind = open() else { return nil }
            state.withLock { state in
                state.operations[key, default: []].append(
                    RegisterOperation(kind: kind, invokedMs: invoked, returnedMs: .max))
            }
        }
        return nil
    }

    private func failed(_ access: any KeyAccess, _ why: String) {
        // Figures in a message would make every one its own.
        let text = "\(access.name), " + String(why.map { $0.isNumber ? "#" : $0 })
        state.withLock { state in
            state.counts[access.name, default: Counts()].failed += 1
            state.failures[text, default: 0] += 1
        }
    }

    // MARK: Judging

    /// Reads every key again by each of the ways given and expects every history to be linearizable: then every
    /// acknowledged write was there at the end, or what overwrote it.
    func expectLinearizable(
        _ ways: [any KeyAccess], _ processes: [StormoProcess], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let keys = state.withLock { $0.operations.keys.sorted() }
        #expect(!keys.isEmpty, sourceLocation: sourceLocation)
        for access in ways {
            for key in keys {
                try await eventually("\(key) is read by \(access.name)\n\(failures)", processes) {
                    await get(key, by: access) != nil
                }
            }
        }
        let operations = state.withLock { $0.operations }
        let violations = keys.filter { Linearizability.verdict(operations[$0] ?? []) != .holds }
        #expect(
            violations.isEmpty,
            "\(violations.count) of \(keys.count) keys: \(violations.prefix(2).map { "\($0):\n\(text(operations[$0] ?? []))" })",
            sourceLocation: sourceLocation)
    }

    private func text(_ operations: [RegisterOperation]) -> String {
        let first = operations.map(\.invokedMs).min() ?? 0
        return operations.sorted { $0.invokedMs < $1.invokedMs }.suffix(80).map { operation in
            let end = operation.returnedMs == .max ? "?" : "\((operation.returnedMs - first) / 1_000)"
            return "\((operation.invokedMs - first) / 1_000)…\(end) µs \(operation.kind)"
        }.joined(separator: "\n")
    }

    private static var nowNs: UInt64 { NIODeadline.now().uptimeNanoseconds }
}
