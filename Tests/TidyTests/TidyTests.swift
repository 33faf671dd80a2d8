import Testing

/// The rules of the house, checked over the whole project.
@Suite struct TidyTests {
    private static let sources = SourceTree.swiftFiles("Sources")
    private static let tests = SourceTree.swiftFiles("Tests")

    private func findings(_ files: [SourceTree.File], _ rule: (SourceTree.File) -> [TidyRules.Finding]) -> String {
        files.flatMap(rule).joined(separator: "\n")
    }

    @Test func `the sources are found`() {
        #expect(Self.sources.count > 50)
        #expect(Self.tests.contains { $0.path == "Tests/TidyTests/TidyTests.swift" })
    }

    @Test func `the core does not know what it must not know`() {
        #expect(findings(Self.sources, TidyRules.imports) == "")
    }

    @Test func `no file is too long`() {
        #expect(findings(Self.sources + Self.tests, TidyRules.length) == "")
    }

    @Test func `nothing ends the process without a reason`() {
        #expect(findings(Self.sources, TidyRules.crashes) == "")
    }

    @Test func `what other targets use is described`() {
        #expect(findings(Self.sources, TidyRules.documentation) == "")
    }

    @Test func `nothing is left unfinished`() {
        #expect(findings(Self.sources + Self.tests, TidyRules.unfinished) == "")
    }

    @Test func `the rooms of the house are there`() {
        for room in [
            "Sources/Wire/Protocol", "Sources/Wire/CLZ4", "Sources/Wire/Transport", "Sources/Wire/Client",
            "Sources/Node/Membership",
            "Sources/Node/Core", "Sources/Node/Storage", "Sources/Node/CSQLite", "Sources/Node/Shell",
            "Sources/Gateway",
            "Sources/Gateway/Web", "Sources/Agents/FleetRules", "Sources/Agents/EnergyRules", "Sources/Agents/Fleet",
            "Sources/Agents/Energy", "Sources/Stormo", "proto-spec", "docs/adr", "deploy", "Tests",
        ] {
            #expect(SourceTree.hasFolder(room), "\(room)")
        }
    }

    @Test func `the documents are there`() {
        for path in [
            "README.md", "ARCHITECTURE.md", "GLOSSARY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile",
            ".ci/run",
            "docs/configuration.md", "docs/adr/0001-configuration.md", "deploy/stormo.yaml",
        ] {
            #expect(SourceTree.text(path) != nil, "\(path)")
        }
    }

    @Test func `what the documents tell to make can be made`() throws {
        let makefile = try #require(SourceTree.text("Makefile"))
        let targets = Set(
            makefile.split(separator: "\n").compactMap { line in
                line.first?.isLetter ?? false ? line.split(separator: ":").first.map(String.init) : nil
            })
        for path in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
            let text = try #require(SourceTree.text(path))
            for match in text.matches(of: /`?make ([a-z-]+)(?:`|\n| )/) {
                // "make sure" and the like are no commands: those stand in code.
                guard match.output.0.hasPrefix("`") || match.output.0.hasSuffix("`") else { continue }
                #expect(targets.contains(String(match.output.1)), "\(path): make \(match.output.1)")
            }
        }
        #expect(try #require(SourceTree.text("README.md")).contains("make up"))
        #expect(try #require(SourceTree.text("README.md")).contains("make test"))
    }

    @Test func `links in the documents lead somewhere`() throws {
        for path in ["README.md", "ARCHITECTURE.md", "GLOSSARY.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
            for match in try #require(SourceTree.text(path)).matches(of: /\]\(([^)#:]+)\)/) {
                let target = String(match.output.1)
                #expect(SourceTree.text(target) != nil || SourceTree.hasFolder(target), "\(path): \(target)")
            }
        }
    }
}
