import Testing

/// The rules themselves, on small texts.
@Suite struct TidyRulesTests {
    private func file(_ text: String, path: String = "Sources/Node/Core/Thing.swift") -> SourceTree.File {
        SourceTree.file(path: path, text: text)
    }

    @Test(arguments: [
        "import NIOCore", "internal import Foundation", "@preconcurrency import CSQLite",
        "import struct Logging.Logger",
    ])
    func `the core cannot import the world`(_ line: String) {
        #expect(TidyRules.imports(file(line)).contains { $0.contains("Sources/Node/Core must not import") })
    }

    @Test func `what it may import is fine, and so are comments`() {
        #expect(
            TidyRules.imports(file("package import Wire\nimport DequeModule\n// import NIOCore\n/* import NIOCore */"))
                .isEmpty)
        #expect(TidyRules.imports(file("import NIOCore", path: "Sources/Node/Shell/Thing.swift")).isEmpty)
        #expect(!TidyRules.imports(file("import Foundation", path: "Sources/Stormo/Thing.swift")).isEmpty)
    }

    @Test(arguments: ["let x = try! f()", "let x = y as! Z", "fatalError()"])
    func `an unexplained crash is found`(_ line: String) {
        #expect(TidyRules.crashes(file(line)).count == 1)
        #expect(TidyRules.crashes(file("// It is fine here.\n" + line)).isEmpty)
        #expect(TidyRules.crashes(file(line + "  // It is fine here.")).isEmpty)
        #expect(TidyRules.crashes(file("// " + line)).isEmpty)
        #expect(TidyRules.crashes(file("let text = \"\(line)\"")).isEmpty)
    }

    @Test func `a message is a reason`() {
        #expect(TidyRules.crashes(file("fatalError(\"two primaries of one epoch\")")).isEmpty)
    }

    @Test(
        arguments: [
            "package func f() {}", "public static let x = 1", "package init() {}", "package init?(_ a: Int) {}",
            "    package struct S {}",
            "@discardableResult package mutating func g() {}", "package private(set) var y = 2",
            "package subscript(i: Int) -> Int { 0 }",
            "public final class C {}", "package class D {}", "package class func h() {}",
            "package nonisolated(unsafe) var z = 1",
        ])
    func `an undescribed declaration is found`(_ line: String) {
        #expect(TidyRules.documentation(file(line)).count == 1)
        #expect(TidyRules.documentation(file("/// Does it.\n" + line)).isEmpty)
        #expect(TidyRules.documentation(file("/// Does it.\n@inlinable\n" + line)).isEmpty)
        #expect(TidyRules.documentation(file("// Does it.\n" + line)).count == 1)
    }

    @Test(arguments: [
        "package import Wire", "func f() {}", "let package = Package()", "initialize()", "private func g() {}",
    ])
    func `other lines need no description`(_ line: String) {
        #expect(TidyRules.documentation(file(line)).isEmpty)
    }

    @Test func `lines are counted without the last line end`() {
        #expect(TidyRules.length(file(String(repeating: "x\n", count: 600))).isEmpty)
        #expect(TidyRules.length(file(String(repeating: "x\n", count: 601))).count == 1)
    }

    @Test func `text of several lines is no code`() {
        #expect(TidyRules.crashes(file("let t = \"\"\"\n  fatalError()\n  \"\"\"\nlet x = 1")).isEmpty)
    }
}
