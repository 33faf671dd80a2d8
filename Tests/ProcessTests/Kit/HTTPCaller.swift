import Foundation

/// An answer over HTTP.
struct HTTPAnswer: Sendable, CustomStringConvertible {
    /// The status.
    var status: Int
    /// Headers by their names in lower case.
    var headers: [String: String]
    /// What has come of the body, without the framing of chunks.
    var body: [UInt8]
    /// Whether the whole body is there.
    var isComplete: Bool

    /// The body as text.
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The body as JSON; null when it is none.
    var json: JSON { (try? JSON(body)) ?? .null }
    /// The machine word of a problem document.
    var code: String? {
        headers["content-type"]?.hasPrefix("application/problem+json") == true ? json["code"].text : nil
    }

    var description: String { "\(status) \(headers.sorted { $0.key < $1.key })\n\(text.prefix(2_000))" }

    /// Reads what came over a connection; nil while the head is not whole. `isClosed` ends a body of no told length.
    init?(_ bytes: [UInt8], isClosed: Bool) {
        let mark = Array("\r\n\r\n".utf8)
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: mark) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        headers = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        let rest = bytes[(end + 4)...]
        if headers["transfer-encoding"] == "chunked" {
            (body, isComplete) = Self.dechunked(rest)
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            body = Array(rest.prefix(length))
            isComplete = rest.count >= length
        } else {
            body = Array(rest)
            isComplete = isClosed || status == 204 || status == 304
        }
    }

    private static func dechunked(_ bytes: ArraySlice<UInt8>) -> ([UInt8], Bool) {
        var body: [UInt8] = []
        var rest = bytes
        while let lineEnd = rest.firstIndex(of: 0x0A) {
            let line = String(decoding: rest[rest.startIndex..<lineEnd], as: UTF8.self)
            guard let count = Int(line.prefix(while: \.isHexDigit), radix: 16) else { break }
            if count == 0 { return (body, true) }
            let chunk = rest[(lineEnd + 1)...]
            body += chunk.prefix(count)
            guard chunk.count >= count + 2 else { break }
            rest = chunk.dropFirst(count + 2)
        }
        return (body, false)
    }
}

/// Calls one gateway.
struct HTTPCaller: Sendable {
    /// The gateway's address.
    var host = "127.0.0.1"
    /// The gateway's port.
    let port: Int
    /// Headers of every call.
    var headers: [String: String] = [:]
    /// How long an answer may take.
    var timeoutSeconds = 10.0

    /// One call on a connection of its own. `json` is the body. Throws `NotConnected` when nobody listens, another error
    /// when no whole answer comes in time.
    @discardableResult
    func call(
        _ method: String, _ path: String, _ json: String? = nil, headers more: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        var fields = ["Host": "\(host):\(port)", "Connection": "close"]
        if let json {
            fields["Content-Type"] = "application/json"
            fields["Content-Length"] = "\(json.utf8.count)"
        }
        for (name, value) in headers.merging(more, uniquingKeysWith: { $1 }) { fields[name] = value }
        var head = "\(method) \(path) HTTP/1.1\r\n"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        return try await raw(Array("\(head)\r\n\(json ?? "")".utf8), what: "\(method) \(path)")
    }

    /// Sends bytes as they are and waits for an answer.
    func raw(_ bytes: [UInt8], what: String) async throws -> HTTPAnswer {
        let socket = try await RawSocket.connect(host: host, port: port)
        defer { socket.close() }
        await socket.write(bytes)
        let what = "the gateway at \(host):\(port) answers \(what)"
        try await socket.wait(for: what, within: timeoutSeconds) {
            HTTPAnswer(socket.bytes, isClosed: socket.isClosed)?.isComplete ?? false
        }
        guard let answer = HTTPAnswer(socket.bytes, isClosed: socket.isClosed), answer.isComplete else {
            throw WaitedInVain(description: "the connection closed in vain: \(what)")
        }
        return answer
    }

    /// All items of a paged list.
    func all(_ path: String, limit: Int) async throws -> [JSON] {
        var items: [JSON] = []
        var cursor: String?
        repeat {
            let mark = path.contains("?") ? "&" : "?"
            let answer = try await call("GET", "\(path)\(mark)limit=\(limit)\(cursor.map { "&cursor=\($0)" } ?? "")")
            guard answer.status == 200 else { throw WaitedInVain(description: "GET \(path): \(answer)") }
            items += answer.json["items"].items
            cursor = answer.json["next_cursor"].text
        } while cursor != nil
        return items
    }
}

/// An open stream of server-sent events.
final class EventStream: Sendable {
    /// One event.
    struct Event: Sendable, Hashable {
        var id: String?
        var name: String?
        var data: String
    }

    private let socket: RawSocket

    /// Opens a stream; `lastEventID` resumes one.
    init(_ caller: HTTPCaller, _ path: String, lastEventID: String? = nil) async throws {
        socket = try await RawSocket.connect(host: caller.host, port: caller.port)
        var head = "GET \(path) HTTP/1.1\r\nHost: \(caller.host):\(caller.port)\r\nAccept: text/event-stream\r\n"
        for (name, value) in caller.headers { head += "\(name): \(value)\r\n" }
        if let lastEventID { head += "Last-Event-ID: \(lastEventID)\r\n" }
        await socket.write(Array("\(head)\r\n".utf8))
        let socket = socket
        try await eventually("the stream \(path) opens", within: 10) {
            HTTPAnswer(socket.bytes, isClosed: false)?.status == 200
        }
    }

    /// The whole events so far.
    var events: [Event] {
        guard let text = HTTPAnswer(socket.bytes, isClosed: socket.isClosed)?.text else { return [] }
        var events: [Event] = []
        for block in text.components(separatedBy: "\n\n").dropLast() {
            var event = Event(data: "")
            for line in block.split(separator: "\n") {
                if line.hasPrefix("id:") { event.id = line.dropFirst(3).trimmingCharacters(in: .whitespaces) }
                if line.hasPrefix("event:") { event.name = line.dropFirst(6).trimmingCharacters(in: .whitespaces) }
                if line.hasPrefix("data:") { event.data += line.dropFirst(5).trimmingCharacters(in: .whitespaces) }
            }
            if !event.data.isEmpty { events.append(event) }
        }
        return events
    }

    /// How much of the answer is here, in bytes.
    var byteCount: Int { socket.bytes.count }

    /// Takes nothing more of the stream.
    func stopReading() async throws { try await socket.stopReading() }

    /// Goes on where `stopReading` stopped.
    func goOnReading() async { await socket.goOnReading() }

    /// The first event that fits.
    func first(
        _ what: String, within seconds: Double = 20, _ processes: [StormoProcess] = [],
        where fits: (Event) -> Bool = { _ in true }
    ) async throws -> Event {
        var found: Event?
        try await eventually("an event: \(what)", within: seconds, processes) {
            found = events.first(where: fits)
            return found != nil
        }
        return found ?? Event(data: "")
    }
}
