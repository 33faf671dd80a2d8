import ArgumentParser
import StormoClient
import Wire

extension KeyCommand {
    /// `stormo kv watch`: the keys of a prefix as they change.
    struct Watch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the keys that begin with a prefix, and what becomes of them, until Ctrl-C.",
            discussion: "States, not history: changes in quick succession may be shown as one.")

        @Argument(help: "What the keys begin with; left out, all keys.") var prefix = ""
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        /// An event as it is printed by `-o json`, one on each line.
        struct Event: Encodable, Sendable {
            var event: String
            var key: String?
            var value: String?
            var version: String?
        }

        func run() async throws {
            guard prefix.utf8.count <= WireLimits.keyBytesMax else {
                throw ValidationError("a prefix has at most \(WireLimits.keyBytesMax) bytes")
            }
            let session = try ClientSession(CommandContext(flags), name: "kv")
            let (prefix, output) = (Array(prefix.utf8), format.output)
            try await session.run { client in
                for try await event in client.watch(prefix: prefix) { Self.tell(event, output) }
            }
        }

        private static func tell(_ event: WatchEvent, _ output: OutputFormat) {
            let told: Event
            switch event.change {
            case .put(let key, let value):
                told = Event(
                    event: "put", key: key.description, value: String(decoding: value.value, as: UTF8.self),
                    version: value.version.description)
            case .delete(let key, let version):
                told = Event(event: "delete", key: key.description, value: nil, version: version.description)
            case .reset: told = Event(event: "reset")
            case .nothing: return
            }
            switch output {
            case .json: Console.bytes(JSONText.bytes(told))
            case .table:
                let text = [told.event, told.key, told.value].compactMap { $0 }.joined(separator: "\t")
                Console.line(text)
            }
        }
    }
}
