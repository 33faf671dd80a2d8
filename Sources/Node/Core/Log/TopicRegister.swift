package import Wire

/// A topic's own register: its life and how it is kept.
package struct TopicRegister: Hashable, Sendable {
    /// Its name.
    package var name: String
    /// Its life.
    package var id: TopicID
    /// How it is kept.
    package var configuration: TopicConfiguration

    /// The register of a topic.
    package static func key(_ name: String) -> Key { .system("topic/\(name)") }

    /// What the registers of all topics begin with.
    package static let keyPrefix = Key.system("topic/").bytes

    /// Puts a topic together.
    package init(name: String, id: TopicID, configuration: TopicConfiguration) {
        self.name = name
        self.id = id
        self.configuration = configuration
    }

    /// The bytes kept in the register.
    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.text(name)
        writer.integer(id.rawValue)
        configuration.encode(into: &writer)
        return writer.bytes
    }

    /// Reads the bytes of a register; nil when they are not a topic.
    package init?(_ bytes: [UInt8]) {
        let read: TopicRegister? = bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard let name = try? reader.text("topic"), let id: UInt64 = try? reader.integer("topic id"),
                let configuration = try? TopicConfiguration(from: &reader)
            else { return nil }
            return TopicRegister(name: name, id: TopicID(id), configuration: configuration)
        }
        guard let read else { return nil }
        self = read
    }
}
