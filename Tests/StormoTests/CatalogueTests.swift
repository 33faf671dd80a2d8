import FoundationEssentials
import Testing

@testable import Stormo

@Suite struct CatalogueTests {
    private static let scopes: [(String, [SettingDefinition])] =
        [
            ("up", UpCommand.Scope.definitions), ("node", NodeCommand.Scope.definitions),
            ("gateway", GatewayCommand.Scope.definitions), ("status", StatusCommand.Scope.definitions),
            ("kv", KeyCommand.Scope.definitions), ("bench", BenchCommand.Scope.definitions),
        ] + AgentCommand.scopes

    @Test func `every default is a value of its setting`() {
        for definition in SettingCatalogue.all {
            guard let text = definition.defaultText else { continue }
            #expect(throws: Never.self, "\(definition.key)") { try definition.check(text) }
        }
    }

    @Test func `keys and environment names are each one setting's`() {
        let keys = SettingCatalogue.all.map(\.key)
        #expect(Set(keys).count == keys.count)
        let variables = SettingCatalogue.all.flatMap { [$0.variable] + $0.aliases.map(\.name) }
        #expect(Set(variables).count == variables.count)
    }

    @Test func `flags of one command differ and are in the catalogue`() {
        let known = Set(SettingCatalogue.all.map(\.key))
        for (command, definitions) in Self.scopes {
            let flags = definitions.filter { $0.channels.contains(.flag) }.map(\.flag)
            #expect(Set(flags).count == flags.count, "\(command)")
            for definition in definitions { #expect(known.contains(definition.key), "\(command): \(definition.key)") }
        }
    }

    @Test func `every setting is one of some command`() {
        let used = Set(Self.scopes.flatMap { $0.1.map(\.key) })
        for definition in SettingCatalogue.all { #expect(used.contains(definition.key), "\(definition.key)") }
    }

    @Test func `documentation is in whole sentences`() {
        for definition in SettingCatalogue.all {
            #expect(definition.documentation.hasSuffix("."), "\(definition.key)")
            #expect(definition.documentation.first?.isUppercase ?? false, "\(definition.key)")
        }
    }

    @Test func `the reference in docs is current`() throws {
        let written = try String(
            decoding: Files.read(Project.path("docs/configuration.md"), bytesMax: 1 << 20), as: UTF8.self)
        #expect(
            written == ConfigurationReference.markdown(SettingCatalogue.all),
            "docs/configuration.md is not what the definitions say: run `make fix`")
    }

    @Test func `the example file is valid and shows defaults`() throws {
        let path = Project.path("deploy/stormo.yaml")
        let file = try ConfigurationFile(path: path, known: SettingCatalogue.all)
        #expect(!file.entries.isEmpty)
        for (key, entry) in file.entries {
            let definition = try #require(SettingCatalogue.all.first { $0.key == key })
            #expect(throws: Never.self, "\(key)") { try definition.check(entry.text) }
        }
    }
}

/// The project's folder, found from this file.
enum Project {
    static func path(_ relative: String, file: String = #filePath) -> String {
        var parts = file.split(separator: "/")
        parts.removeLast(3)
        return "/" + parts.joined(separator: "/") + "/" + relative
    }
}
