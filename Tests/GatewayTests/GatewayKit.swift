import Logging
import StormoClient
import Testing
import Wire

@testable import Gateway

/// A logger that says nothing.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Waits until `condition` holds; records an issue when it does not within twenty seconds.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async rethrows {
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try? await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("waited in vain: \(what)", sourceLocation: sourceLocation)
}

/// Runs a gateway on a port of its own for the time of `body`. It asks the nodes of `seeds`; by default nobody answers
/// there, so that HTTP alone decides.
func withGateway(
    seeds: [String]? = nil, _ change: (inout GatewayConfiguration) -> Void = { _ in },
    _ body: (Int) async throws -> Void
) async throws {
    var configuration = GatewayConfiguration()
    configuration.port = 0
    configuration.name = "gw-test"
    configuration.drainMs = 0
    change(&configuration)
    var settings = ClientConfiguration(
        seeds: seeds ?? ["127.0.0.1:1"], clusterName: "c", secret: [1], role: .gateway, name: "gw")
    if seeds == nil { settings.operationTimeoutMs = 200 }
    let client = StormoClient(configuration: settings, logger: quiet)
    let (ports, port) = AsyncStream<Int>.makeStream()
    // Time stands still for those who sign in: on a busy host checking five passwords may take longer than an attempt
    // needs to be granted again.
    let server = try GatewayServer(
        configuration: configuration, client: client, logger: quiet, onListening: { port.yield($0) }, steadyMs: { 0 })
    let running = Task {
        defer { port.finish() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            group.addTask { try await server.run() }
            // The client's stub may return at once; the server decides how long this lasts.
            while !group.isEmpty { try await group.next() }
        }
    }
    defer { running.cancel() }
    var iterator = ports.makeAsyncIterator()
    guard let bound = await iterator.next() else {
        try await running.value
        Issue.record("the gateway ended before it listened")
        return
    }
    try await body(bound)
}

/// What came back over HTTP.
struct HTTPExchange {
    /// The status, in digits.
    let status: String
    /// The head, in lower case.
    let headers: String
    /// The body, when it is JSON.
    let body: JSONValue?
    /// The body as text.
    let text: String

    /// The machine word of a problem.
    var code: String? { if case .string(let code)? = body?["code"] { code } else { nil } }

    /// Sends one request on a connection of its own and waits for its answer.
    init(_ port: Int, _ head: String, headers: [String] = [], body: [UInt8] = []) async throws {
        let socket = try #require(HTTPSocket(port: port))
        var lines = ["\(head) HTTP/1.1", "Host: localhost:\(port)", "Connection: close"] + headers
        if !body.isEmpty, !headers.contains(where: { $0.lowercased().hasPrefix("content-length") }) {
            lines.append("Content-Length: \(body.count)")
        }
        socket.send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
        try self.init(await socket.receive())
    }

    /// Reads an answer.
    init(_ text: String) throws {
        let end = try #require(text.firstRange(of: "\r\n\r\n"), "\(text)")
        let head = text[..<end.lowerBound]
        status = head.split(separator: " ", maxSplits: 2).dropFirst().first.map(String.init) ?? ""
        headers = head.lowercased()
        self.text = String(text[end.upperBound...])
        body = try? JSONValue(parsing: Array(self.text.utf8))
    }
}
