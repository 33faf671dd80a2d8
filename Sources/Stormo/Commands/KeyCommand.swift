import ArgumentParser
import StormoClient
import Wire

/// `stormo kv`: keys, one at a time.
struct KeyCommand: AsyncParsableCommand {
    enum Scope: SettingScope {
        static let definitions = ClientSession.definitions
    }

    static let configuration = CommandConfiguration(
        commandName: "kv", abstract: "Read, change and follow keys.",
        subcommands: [Get.self, Put.self, Delete.self, Scan.self, Watch.self])

    /// A key as it is printed by `-o json`.
    struct Printed: Encodable {
        var key: String
        var value: String?
        var version: String?
        var expiresAt: String?
        var applied: Bool?

        init(_ key: Key, _ value: VersionedValue) {
            self.key = key.description
            self.value = String(decoding: value.value, as: UTF8.self)
            version = value.version.description
            expiresAt = value.expiryMs.map { Timestamp.rfc3339(milliseconds: $0) }
        }

        init(_ key: Key, _ answer: WriteAnswer) {
            self.key = key.description
            let current = answer.applied ? nil : VersionedValue(answer.current)
            value = current.map { String(decoding: $0.value, as: UTF8.self) }
            version = (answer.applied ? answer.version : current?.version)?.description
            expiresAt = answer.expiryMs.map { Timestamp.rfc3339(milliseconds: $0) }
            applied = answer.applied
        }
    }

    /// A condition that failed.
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the value of a key.", discussion: "Exits with 1 when there is none.")

        @Argument(help: "The key.") var key: String
        @Option(help: "How many replicas to ask: quorum or one.") var consistency = "quorum"
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            guard let consistency = ["quorum": Consistency.quorum, "one": .one][consistency] else {
                throw ValidationError("--consistency is quorum or one")
            }
            let key = try KeyCommand.key(key)
            let session = try ClientSession(CommandContext(flags), name: "kv")
            guard let found = try await session.run({ try await $0.get(key, consistency: consistency) }) else {
                throw Refused(description: "there is no key \"\(key)\"")
            }
            switch format.output {
            case .json, .jsonl: format.tell(Printed(key, found), lines: [])
            case .table: Console.bytes(found.value + [0x0A])
            }
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set a key and print its new version.",
            discussion: """
                Exits with 1 when --if-absent or --if-version does not hold, and with 3 when nobody can tell whether the \
                value was set.
                """)

        @Argument(help: "The key.") var key: String
        @Argument(help: "The value; - for what comes in on standard input.") var value: String
        @Option(help: "Time to live, as in 30s or 7d.") var ttl: String?
        @Option(help: "How many replicas to wait for: quorum, one, all, any or serial.") var consistency = "quorum"
        @Flag(help: "Only when there is no value.") var ifAbsent = false
        @Option(help: "Only when the value has this version.") var ifVersion: String?
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let levels: [String: Consistency] = [
                "quorum": .quorum, "one": .one, "all": .all, "any": .any, "serial": .serial,
            ]
            guard let consistency = levels[consistency] else {
                throw ValidationError("--consistency is quorum, one, all, any or serial")
            }
            let ttlMs = try ttl.map { text in
                guard let ms = Quantity.durationMs(text, unit: "s"), WireLimits.ttlMsRange.contains(ms) else {
                    throw ValidationError("--ttl is a time from 1s to 3653d, as in 30s or 7d")
                }
                return ms
            }
            if ifAbsent, ifVersion != nil { throw ValidationError("give --if-absent or --if-version, not both") }
            let condition =
                ifAbsent ? Condition.absent : try ifVersion.map { .version(try KeyCommand.version($0)) } ?? .none
            let key = try KeyCommand.key(key)
            let bytes = value == "-" ? try Console.input(bytesMax: WireLimits.valueBytesMax) : Array(value.utf8)
            guard bytes.count <= WireLimits.valueBytesMax else {
                throw ValidationError(
                    "the value has \(bytes.count) bytes, at most \(WireLimits.valueBytesMax) are possible")
            }
            let session = try ClientSession(CommandContext(flags), name: "kv")
            let change = RegisterChange.put(value: bytes, ttlMs: ttlMs, condition: condition)
            let answer = try await session.run { client in
                try await client.write(key, change, consistency: change.isConditional ? .serial : consistency)
            }
            try KeyCommand.tell(key, answer, format)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a key, also when there is none.",
            discussion: """
                Exits with 1 when --if-version does not hold, and with 3 when nobody can tell whether the key was deleted.
                """)

        @Argument(help: "The key.") var key: String
        @Option(help: "Only when the value has this version.") var ifVersion: String?
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            let condition = try ifVersion.map { Condition.version(try KeyCommand.version($0)) } ?? .none
            let key = try KeyCommand.key(key)
            let session = try ClientSession(CommandContext(flags), name: "kv")
            let answer = try await session.run { try await $0.delete(key, if: condition) }
            try KeyCommand.tell(key, answer, format)
        }
    }

    struct Scan: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys that begin with a prefix, in their order.")

        @Argument(help: "What the keys begin with; left out, all keys.") var prefix = ""
        @Option(help: "At most this many keys.") var limit = 1_000
        @Flag(help: "Leave the values out.") var keysOnly = false
        @OptionGroup var flags: SettingFlags<Scope>
        @OptionGroup var format: OutputOptions

        func run() async throws {
            guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit is 1 to 1000000") }
            let session = try ClientSession(CommandContext(flags), name: "kv")
            let (prefix, limit, keysOnly) = (prefix, limit, keysOnly)
            let items = try await session.run { try await $0.scanAll(prefix: prefix, max: limit, keysOnly: keysOnly) }
                .prefix(limit)
            let printed = items.compactMap { item in VersionedValue(item.cell).map { Printed(item.key, $0) } }
            format.tell(
                printed, items: printed,
                lines: items.map { item in
                    let value = VersionedValue(item.cell)?.value ?? []
                    return keysOnly ? "\(item.key)" : "\(item.key)\t\(String(decoding: value, as: UTF8.self))"
                })
        }
    }

    private static func key(_ text: String) throws -> Key {
        do { return try Key(text).validated() } catch { throw ValidationError("\(error)") }
    }

    private static func version(_ text: String) throws -> Ballot {
        guard let version = Ballot(text) else {
            throw ValidationError("a version has 32 hexadecimal digits, as `stormo kv put` prints it")
        }
        return version
    }

    private static func tell(_ key: Key, _ answer: WriteAnswer, _ format: OutputOptions) throws {
        format.tell(
            Printed(key, answer),
            lines: answer.applied ? [answer.version?.description ?? "replaced meanwhile"] : [])
        guard !answer.applied else { return }
        let current = VersionedValue(answer.current).map { "it has version \($0.version)" } ?? "it has no value"
        throw Refused(description: "key \"\(key)\" was not changed: \(current)")
    }
}
