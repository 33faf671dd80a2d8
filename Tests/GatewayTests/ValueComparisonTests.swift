import StormoClient
import Synchronization
import Testing
import Wire

@testable import Gateway

/// One register in memory; `interfere` is called before each compare-and-set, as another writer would be.
private final class OneRegister: ComparableRegisters {
    struct State {
        var cell: Cell?
        var writes: UInt64 = 0
        var interfere: [[UInt8]] = []
    }

    let state = Mutex(State())

    func set(_ text: String) { state.withLock { Self.write(&$0, Array(text.utf8)) } }

    private static func write(_ state: inout State, _ value: [UInt8]) {
        state.writes += 1
        state.cell = Cell(
            version: Ballot(time: HybridTime(state.writes), node: NodeID(1)), base: nil, content: .value(value),
            expiryMs: nil)
    }

    func get(_ key: Key, consistency: Consistency) async throws(ClientError) -> VersionedValue? {
        VersionedValue(state.withLock(\.cell))
    }

    func compareAndSet(
        _ key: Key, _ value: [UInt8], if condition: Condition, ttlMs: UInt64?
    ) async throws(ClientError) -> WriteAnswer {
        state.withLock { state in
            if !state.interfere.isEmpty { Self.write(&state, state.interfere.removeFirst()) }
            let holds =
                switch condition {
                case .none: true
                case .absent: state.cell == nil
                case .version(let version): state.cell?.version == version
                }
            guard holds else { return WriteAnswer(applied: false, version: nil, expiryMs: nil, current: state.cell) }
            Self.write(&state, value)
            return WriteAnswer(applied: true, version: state.cell?.version, expiryMs: nil, current: nil)
        }
    }

    var text: String? { VersionedValue(state.withLock(\.cell)).map { String(decoding: $0.value, as: UTF8.self) } }
}

struct ValueComparisonTests {
    private let key = Key("k")

    private func value(_ text: String) throws -> ExpectedValue { .value(try JSONValue(parsing: Array(text.utf8))) }

    private func set(
        _ register: OneRegister, _ text: String, if expected: ExpectedValue, attemptsMax: Int = 4
    ) async throws -> String {
        let comparison = ValueComparison(client: register, attemptsMax: attemptsMax)
        return switch try await comparison.set(key, to: Array(text.utf8), if: expected, ttlMs: nil) {
        case .applied: "applied"
        case .different(let current): current.map { String(decoding: $0.value, as: UTF8.self) } ?? "absent"
        case .contended: "contended"
        }
    }

    @Test func comparesByValue() async throws {
        let register = OneRegister()
        #expect(try await set(register, "{\"n\": 1, \"m\":[]}", if: .absent) == "applied")
        #expect(try await set(register, "2", if: .absent) == "{\"n\": 1, \"m\":[]}")
        #expect(try await set(register, "2", if: value("{\"m\":[],\"n\":1.0}")) == "applied")
        #expect(try await set(register, "3", if: value("2.5")) == "2")
        #expect(register.text == "2")
    }

    @Test func anAbsentKeyIsNotANull() async throws {
        let register = OneRegister()
        #expect(try await set(register, "1", if: value("null")) == "absent")
        register.set("null")
        #expect(try await set(register, "1", if: .absent) == "null")
        #expect(try await set(register, "1", if: value("null")) == "applied")
    }

    @Test func triesAgainWhenTheSameValueWasWrittenMeanwhile() async throws {
        let register = OneRegister()
        register.set("1")
        register.state.withLock { $0.interfere = [Array("1.0".utf8), Array("1e0".utf8)] }
        #expect(try await set(register, "2", if: value("1")) == "applied")
        #expect(register.text == "2")
    }

    @Test func seesAnotherValueThatWasWrittenMeanwhile() async throws {
        let register = OneRegister()
        register.set("1")
        register.state.withLock { $0.interfere = [Array("7".utf8)] }
        #expect(try await set(register, "2", if: value("1")) == "7")
    }

    @Test func givesUpAfterItsBound() async throws {
        let register = OneRegister()
        register.set("1")
        register.state.withLock { $0.interfere = Array(repeating: Array("1".utf8), count: 3) }
        #expect(try await set(register, "2", if: value("1"), attemptsMax: 3) == "contended")
    }

    @Test func comparesByVersion() async throws {
        let register = OneRegister()
        register.set("1")
        let version = try #require(register.state.withLock(\.cell)?.version.description)
        #expect(try await set(register, "2", if: .version("nonsense")) == "1")
        #expect(try await set(register, "2", if: .version(version)) == "applied")
        #expect(try await set(register, "3", if: .version(version)) == "2")
    }

    @Test func storedBytesThatAreNoJSONEqualNothing() async throws {
        let register = OneRegister()
        register.set("not json")
        #expect(try await set(register, "2", if: value("\"not json\"")) == "not json")
    }
}
