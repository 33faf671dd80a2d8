import StormoClient
import Wire

/// What a compare-and-set by value needs of a cluster.
protocol ComparableRegisters: Sendable {
    /// The value of a key, as a majority has it.
    func get(_ key: Key, consistency: Consistency) async throws(ClientError) -> VersionedValue?
    /// Sets a key when `condition` holds of it.
    func compareAndSet(
        _ key: Key, _ value: [UInt8], if condition: Condition, ttlMs: UInt64?
    ) async throws(ClientError) -> WriteAnswer
}

extension StormoClient: ComparableRegisters {}

/// Compare-and-set by JSON value. The cluster compares versions; this reads the value, compares it as JSON, and sets it
/// under the version that was read, again when somebody else was first.
struct ValueComparison<Registers: ComparableRegisters> {
    /// What became of it.
    enum Outcome: Sendable {
        /// The value was the expected one and is now the new one.
        case applied(WriteAnswer)
        /// It is this one; nil when there is none.
        case different(VersionedValue?)
        /// Others kept changing the key between reading and setting it.
        case contended
    }

    let client: Registers
    let attemptsMax: Int

    /// Sets `key` to `value` when it has the expected value.
    func set(
        _ key: Key, to value: [UInt8], if expected: ExpectedValue, ttlMs: UInt64?
    ) async throws(ClientError) -> Outcome {
        if case .version(let text) = expected {
            guard let version = Ballot(text) else { return .different(try await client.get(key, consistency: .quorum)) }
            let answer = try await client.compareAndSet(key, value, if: .version(version), ttlMs: ttlMs)
            return answer.applied ? .applied(answer) : .different(VersionedValue(answer.current))
        }
        var current = try await client.get(key, consistency: .quorum)
        for _ in 0..<attemptsMax {
            guard expected.matches(current?.value) else { return .different(current) }
            let answer = try await client.compareAndSet(
                key, value, if: current.map { .version($0.version) } ?? .absent, ttlMs: ttlMs)
            if answer.applied { return .applied(answer) }
            current = VersionedValue(answer.current)
        }
        return .contended
    }
}

/// What a compare-and-set expects of a key.
enum ExpectedValue: Sendable {
    /// No value.
    case absent
    /// A value that is equal as JSON.
    case value(JSONValue)
    /// The value of this version.
    case version(String)

    /// Whether a stored value is the expected one; versions are compared by the cluster.
    func matches(_ stored: [UInt8]?) -> Bool {
        switch self {
        case .absent: stored == nil
        case .value(let expected):
            if let stored, let found = try? JSONValue(parsing: stored) { found == expected } else { false }
        case .version: false
        }
    }
}
