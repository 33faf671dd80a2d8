import StormoClient
import Wire

/// What a caller was told of an operation.
enum Told<Answer: Sendable>: Sendable {
    /// Its answer.
    case answered(Answer)
    /// It was not done and will not be.
    case refused(String)
    /// It may have been done, now or later; what a read that failed is called, too.
    case unknown(String)
}

/// A key's value as it was seen; values are numbers here.
struct Sighting: Sendable, Hashable {
    /// The value; nil when there is none.
    var value: Int?
    /// Its version; nil when there is none.
    var version: Ballot?
}

/// What a comparison came to.
enum Compared: Sendable, Hashable {
    case applied
    /// The key was found with this value instead.
    case found(Int?)
}

/// A way to the cluster's keys.
protocol KeyAccess: Sendable {
    /// What it is called in messages.
    var name: String { get }
    func get(_ key: String) async -> Told<Sighting>
    /// Overwrites; `serially` by a prepare and an accept.
    func put(_ key: String, _ value: Int, serially: Bool) async -> Told<Void>
    func delete(_ key: String) async -> Told<Void>
    /// Writes when the key is still as it was seen.
    func compareAndSet(_ key: String, _ value: Int, if seen: Sighting) async -> Told<Compared>
}

/// Keys by the wire protocol.
struct WireKeys: KeyAccess {
    let name: String
    let client: StormoClient

    func get(_ key: String) async -> Told<Sighting> {
        await told {
            let found = try await client.get(Key(key))
            return Sighting(value: found.flatMap { Self.number($0.value) }, version: found?.version)
        }
    }

    func put(_ key: String, _ value: Int, serially: Bool) async -> Told<Void> {
        await told {
            _ = try await client.write(
                Key(key), .put(value: Array("\(value)".utf8), ttlMs: nil, condition: .none),
                consistency: serially ? .serial : .quorum)
        }
    }

    func delete(_ key: String) async -> Told<Void> { await told { try await client.delete(Key(key)) } }

    func compareAndSet(_ key: String, _ value: Int, if seen: Sighting) async -> Told<Compared> {
        await told {
            let answer = try await client.compareAndSet(
                Key(key), Array("\(value)".utf8), if: seen.version.map { .version($0) } ?? .absent)
            return answer.applied
                ? .applied : .found(VersionedValue(answer.current).flatMap { Self.number($0.value) })
        }
    }

    private static func number(_ bytes: [UInt8]) -> Int? { Int(String(decoding: bytes, as: UTF8.self)) }

    private func told<Answer>(_ body: () async throws -> Answer) async -> Told<Answer> {
        do { return .answered(try await body()) } catch {
            switch error as? ClientError {
            case .outcomeUnknown, .closed, nil: return .unknown("\(error)")
            case .noQuorum, .unreachable, .refused, .overloaded: return .refused("\(error)")
            }
        }
    }
}

/// Keys by HTTP, through one gateway.
struct HTTPKeys: KeyAccess {
    let name: String
    let http: HTTPCaller

    func get(_ key: String) async -> Told<Sighting> {
        await told("GET", "/kv/\(key)") { answer in
            if answer.status == 404 { return Sighting() }
            return answer.status == 200
                ? Sighting(
                    value: answer.json["value"].number.map { Int($0) },
                    version: answer.json["version"].text.flatMap(Ballot.init))
                : nil
        }
    }

    func put(_ key: String, _ value: Int, serially: Bool) async -> Told<Void> {
        let query = serially ? "?consistency=serial" : ""
        return await told("PUT", "/kv/\(key)\(query)", #"{"value":\#(value)}"#) { $0.status == 200 ? () : nil }
    }

    func delete(_ key: String) async -> Told<Void> {
        await told("DELETE", "/kv/\(key)") { $0.status == 204 ? () : nil }
    }

    func compareAndSet(_ key: String, _ value: Int, if seen: Sighting) async -> Told<Compared> {
        // By the value or by the version, whichever this number falls on: both are in the contract.
        let isByVersion = seen.version != nil && value.isMultiple(of: 2)
        let old =
            isByVersion
            ? #""version":"\#(seen.version ?? .zero)""# : #""old":\#(seen.value.map(String.init) ?? "null")"#
        return await told("POST", "/kv/cas", #"{"key":"\#(key)","new":\#(value),\#(old)}"#) { answer in
            if answer.status == 200 { return .applied }
            guard answer.code == "comparison_failed" else { return nil }
            return .found(answer.json["current"].number.map { Int($0) })
        }
    }

    /// Words of the contract for "not done": everything else that is no answer leaves the outcome open.
    private static let refusals: Set<String> = [
        "no_quorum", "unreachable", "overloaded", "unavailable", "read_only", "no_nodes", "shutting_down",
    ]

    private func told<Answer>(
        _ method: String, _ path: String, _ json: String? = nil, _ read: (HTTPAnswer) -> Answer?
    ) async -> Told<Answer> {
        let answer: HTTPAnswer
        do { answer = try await http.call(method, path, json) } catch is NotConnected {
            return .refused("the gateway at \(http.host):\(http.port) takes no connection")
        } catch { return .unknown("\(error)") }
        if let answer = read(answer) { return .answered(answer) }
        guard let code = answer.code else { return .unknown("status \(answer.status) without a problem") }
        let detail = "\(code): \(answer.json["detail"].text ?? "")"
        return Self.refusals.contains(code) ? .refused(detail) : .unknown(detail)
    }
}
