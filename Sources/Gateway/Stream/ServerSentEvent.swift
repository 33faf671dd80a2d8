/// The text of an event stream, as the HTML standard defines it (section "Server-sent events").
enum ServerSentEvent {
    /// Appends an event. Line breaks in JSON stand between its tokens only, where a space means the same.
    static func append(id: String, name: String, json: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "id: ".utf8)
        bytes.append(contentsOf: id.utf8)
        bytes.append(contentsOf: "\nevent: ".utf8)
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: "\ndata: ".utf8)
        let start = bytes.count
        bytes.append(contentsOf: json)
        for index in start..<bytes.count where bytes[index] == 0x0A || bytes[index] == 0x0D { bytes[index] = 0x20 }
        bytes.append(contentsOf: "\n\n".utf8)
    }

    /// The first words of a stream: how long to wait before a new connection, and where the stream stands, so that
    /// somebody who is cut off before the first event still resumes here.
    static func opening(id: String, retryMs: Int) -> [UInt8] { Array("retry: \(retryMs)\nid: \(id)\n\n".utf8) }

    /// Keeps a silent connection open.
    static let comment = Array(":\n\n".utf8)
}
