import FoundationEssentials
import WireTransport

/// What `stormo up` keeps in its data directory, so that a second start goes on where the first one was, and so that
/// other commands find the cluster and its processes.
struct UpState: Codable, Sendable, Hashable {
    /// A running child.
    struct Process: Codable, Sendable, Hashable {
        /// Its name.
        var name: String
        /// Its process id.
        var pid: Int32
    }

    /// Number of this format; another one is refused.
    static let currentFormat = 1

    /// Number of the format.
    var format = UpState.currentFormat
    /// Name of the cluster.
    var cluster: String
    /// Port of each node on 127.0.0.1.
    var nodePorts: [Int]
    /// Port of each gateway on 127.0.0.1.
    var gatewayPorts: [Int]
    /// The supervisor's process id, while it runs.
    var supervisor: Int32?
    /// The children that run.
    var processes: [Process] = []

    /// Where the nodes are.
    var seeds: [HostPort] { nodePorts.map { HostPort(host: "127.0.0.1", port: $0) } }
}

/// The data directory of `stormo up`.
struct UpDirectory: Sendable {
    /// From the root.
    let path: String

    /// The directory of a path, which need not exist.
    init(path: String) { self.path = Files.absolute(path) }

    /// The file of ports and processes.
    var statePath: String { "\(path)/up.json" }
    /// The file of the cluster secret.
    var secretPath: String { "\(path)/secret" }
    /// The file of the token that may do everything at the gateways.
    var adminTokenPath: String { "\(path)/admin-token" }
    /// The directory of the logs.
    var logsPath: String { "\(path)/logs" }

    /// The log of a child.
    func logPath(_ child: String) -> String { "\(logsPath)/\(child).log" }

    /// The data of a node.
    func nodePath(_ child: String) -> String { "\(path)/\(child)" }

    /// What an earlier start left; nil when there was none.
    func state() throws(FileError) -> UpState? {
        let bytes: [UInt8]
        // A megabyte is a thousand times what it takes.
        do { bytes = try Files.read(statePath, bytesMax: 1 << 20) } catch {
            if Files.exists(statePath) { throw error }
            return nil
        }
        let state: UpState
        do { state = try JSONText.decode(UpState.self, bytes) } catch {
            throw FileError(
                path: statePath, reason: "is not what `stormo up` writes; move it away, or use another --data")
        }
        guard state.format == UpState.currentFormat else {
            throw FileError(
                path: statePath,
                reason:
                    "has format \(state.format), this version knows \(UpState.currentFormat); use the version that made it"
            )
        }
        return state
    }

    /// Keeps the state.
    func save(_ state: UpState) throws(FileError) {
        try Files.replace(statePath, with: JSONText.bytes(state))
    }

    /// The log of the run before is kept beside the new one; older ones go, so that logs do not grow without bound.
    func rotateLog(_ child: String) { Files.rename(logPath(child), to: "\(logPath(child)).1") }
}

/// JSON for people and programs: names in lower case joined by `_`, members in the order of their names, one to a line.
enum JSONText {
    /// Reads what `bytes` wrote.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(bytes))
    }

    /// The text's bytes on one line, with its end.
    static func line(_ value: some Encodable) -> [UInt8] { bytes(value, [.sortedKeys, .withoutEscapingSlashes]) }

    /// The text's bytes, with a line end.
    static func bytes(_ value: some Encodable) -> [UInt8] {
        bytes(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    private static func bytes(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = formatting
        // Only numbers that JSON does not have can fail, and nothing that is printed here holds any.
        guard let data = try? encoder.encode(value) else { return Array("{}\n".utf8) }
        return Array(data) + [0x0A]
    }
}
