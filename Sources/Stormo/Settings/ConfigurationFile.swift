import Yams

/// A configuration file: keys of settings with their texts and where each stands.
struct ConfigurationFile: Sendable {
    /// A value and its place, `path:line`.
    struct Entry: Sendable, Hashable {
        let text: String
        let place: String
    }

    /// By key of the setting, `node.listen`.
    let entries: [String: Entry]

    /// Largest file that is read, in bytes: a hundred times what all settings together take.
    static let bytesMax = 1 << 20

    /// No file.
    static let none = ConfigurationFile(entries: [:])

    private init(entries: [String: Entry]) { self.entries = entries }

    /// Reads a file. Every key in it must be one of `known`.
    init(path: String, known: [SettingDefinition]) throws(ConfigurationError) {
        let bytes: [UInt8]
        do { bytes = try Files.read(path, bytesMax: Self.bytesMax) } catch {
            throw .file(path: path, problem: error.reason)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .file(path: path, problem: "it is not UTF-8 text")
        }
        try self.init(text: text, path: path, known: known)
    }

    /// Reads the text of a file; `path` is only shown.
    init(text: String, path: String, known: [SettingDefinition]) throws(ConfigurationError) {
        let root: Node?
        do { root = try compose(yaml: text) } catch {
            throw .file(path: path, problem: Self.oneLine("\(error)"))
        }
        var reader = Reader(path: path, known: known)
        switch root {
        case nil: break
        case .mapping(let mapping): try reader.read(mapping, under: "")
        case .scalar(let scalar) where scalar.string.isEmpty: break
        default: throw .file(path: path, problem: "expected settings, one `name: value` to a line")
        }
        entries = reader.entries
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { Text.trimmed($0) }.filter { !$0.isEmpty }.joined(separator: " ")
    }

    private struct Reader {
        let path: String
        let known: [SettingDefinition]
        var entries: [String: Entry] = [:]

        mutating func read(_ mapping: Node.Mapping, under prefix: String) throws(ConfigurationError) {
            for (keyNode, value) in mapping {
                let place = "\(path):\(keyNode.mark?.line ?? 1)"
                guard let word = keyNode.string else { throw .file(path: place, problem: "a key must be a word") }
                let key = prefix.isEmpty ? word : "\(prefix).\(word)"
                if prefix.isEmpty,
                    SettingSection.allCases.contains(where: { !$0.rawValue.isEmpty && $0.rawValue == word })
                {
                    switch value {
                    case .mapping(let inner): try read(inner, under: word)
                    case .scalar(let scalar) where scalar.string.isEmpty: break
                    default:
                        throw .file(
                            path: place, problem: "\"\(word)\" holds settings of its own, one to a line below it")
                    }
                    continue
                }
                guard let definition = known.first(where: { $0.key == key }) else {
                    let keys = known.filter { $0.channels.contains(.file) }.map(\.key)
                    throw .unknownKey(
                        key, place: place, nearest: Suggestion.nearest(to: key, among: keys, separator: "."))
                }
                guard definition.channels.contains(.file) else {
                    throw .file(path: place, problem: "\"\(key)\" cannot stand in a file; set \(definition.variable)")
                }
                entries[key] = Entry(text: try text(of: value, key: key, place: place), place: place)
            }
        }

        private func text(of value: Node, key: String, place: String) throws(ConfigurationError) -> String {
            switch value {
            case .scalar(let scalar):
                guard !scalar.string.isEmpty else {
                    throw .file(path: place, problem: "\"\(key)\" has no value; give one or remove the line")
                }
                return scalar.string
            case .sequence(let sequence):
                var parts: [String] = []
                for element in sequence {
                    guard let text = element.scalar?.string else {
                        throw .file(path: place, problem: "\"\(key)\" is a list of plain values")
                    }
                    parts.append(text)
                }
                return parts.joined(separator: ",")
            default: throw .file(path: place, problem: "\"\(key)\" takes a value, not settings of its own")
            }
        }
    }
}
