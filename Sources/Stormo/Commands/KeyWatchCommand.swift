import ArgumentParser
import StormoClient
import Wire

extension KeyCommand {
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow the keys that begin with a prefix: first all there are, then every change.",
            discussion: """
                Prints one line for each event: put, key and value; delete and key; or reset, when everything printed so \
                far is to be forgotten. Changes in quick succession may be told as one. Ends with an interrupt.
                """)

        @Argument(help: "What the keys begin with; left out, all keys.") var prefix = ""
        @Option(help: "Go on from the position of an event, as -o json prints it.") var from: String?
        @Option(help: "End after this many events.") var limit: Int?
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// An event as it is printed by `-o json`, one to a line.
        struct PrintedEvent: Encodable {
            var event: String
            var key: String?
            var value: String?
            var version: String?
            var expiresAt: String?
            var position: String?

            init?(_ event: WatchEvent) {
                position = event.position?.text
                switch event.change {
                case .put(let key, let value):
                    self.event = "put"
                    self.key = key.description
                    self.value = String(decoding: value.value, as: UTF8.self)
                    version = value.version.description
                    expiresAt = value.expiryMs.map { Timestamp.rfc3339(milliseconds: $0) }
                case .delete(let key, let version):
                    self.event = "delete"
                    self.key = key.description
                    self.version = version.description
                case .reset: self.event = "reset"
                case .nothing: return nil
                }
            }

            var line: String { [event, key, value].compactMap { $0 }.joined(separator: "\t") }
        }

        func run() async throws {
            let position = try from.map { text in
                guard let position = WatchPosition(text) else {
                    throw ValidationError("--from is a position as `stormo kv watch -o json` prints it")
                }
                return position
            }
            if let limit, limit < 1 { throw ValidationError("--limit is at least 1") }
            guard prefix.utf8.count <= WireLimits.keyBytesMax else {
                throw ValidationError("a prefix has at most \(WireLimits.keyBytesMax) bytes")
            }
            let (prefix, limit, output) = (Array(prefix.utf8), limit ?? .max, format.output)
            let session = try ClientSession(CommandContext(flags), name: "kv")
            try await session.runUntilInterrupt { client in
                var printed = 0
                for try await event in client.watch(prefix: prefix, from: position) {
                    guard let event = PrintedEvent(event) else { continue }
                    let line = output == .table ? Array((event.line + "\n").utf8) : JSONText.line(event)
                    guard Console.bytes(line) else { return }
                    printed += 1
                    if printed >= limit { return }
                }
            }
        }
    }
}
