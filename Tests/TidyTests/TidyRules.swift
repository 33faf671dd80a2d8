/// The rules of the house that a machine can check, each as a function from a file to what is wrong with it.
enum TidyRules {
    /// A place and what is wrong there.
    typealias Finding = String

    /// Longest file, in lines: a file holds one idea.
    static let linesMax = 600

    /// What the folders of deterministic code may import. They decide and do nothing, so they need neither sockets nor
    /// files, clocks, loggers or locks; `Glibc` and `Musl` are there for mathematics.
    static let allowedImports: [(folder: String, modules: Set<String>, instead: String)] = [
        ("Sources/Wire/Protocol", ["CLZ4"], "bytes in, values out: I/O belongs to Sources/Wire/Transport"),
        ("Sources/Node/Membership", ["Wire"], "give outputs and let Sources/Node/Shell act on them"),
        (
            "Sources/Node/Core", ["Wire", "Membership", "DequeModule"],
            "give outputs and let Sources/Node/Shell act on them"
        ),
        (
            "Sources/Agents/FleetRules", ["Glibc", "Musl"],
            "rules are pure functions: I/O belongs to Sources/Agents/Fleet"
        ),
        (
            "Sources/Agents/EnergyRules", ["Glibc", "Musl"],
            "rules are pure functions: I/O belongs to Sources/Agents/Energy"
        ),
    ]

    /// Modules that nothing of ours needs, and what to use.
    static let bannedImports: [(module: String, folders: String, instead: String)] = [
        ("Foundation", "Sources/", "FoundationEssentials: Foundation brings 30 MB of internationalisation along")
    ]

    /// The module that a line imports; nil when it imports none.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(of: "import"),
            words[..<at].allSatisfy({ $0.hasPrefix("@") || accessWords.contains(String($0)) })
        else { return nil }
        // `import struct Module.Type`
        let rest = words[(at + 1)...].drop {
            ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"].contains($0)
        }
        return rest.first?.split(separator: ".").first.map(String.init)
    }

    /// Imports that a file's folder must not have.
    static func imports(_ file: SourceTree.File) -> [Finding] {
        file.code.enumerated().flatMap { index, line -> [Finding] in
            guard let module = importedModule(line) else { return [] }
            var findings: [Finding] = []
            for rule in allowedImports where file.path.hasPrefix(rule.folder + "/") && !rule.modules.contains(module) {
                findings.append("\(file.path):\(index + 1): \(rule.folder) must not import \(module); \(rule.instead)")
            }
            for rule in bannedImports where file.path.hasPrefix(rule.folders) && rule.module == module {
                findings.append("\(file.path):\(index + 1): import \(rule.instead)")
            }
            return findings
        }
    }

    /// A file that is too long.
    static func length(_ file: SourceTree.File) -> [Finding] {
        let count = file.lines.last?.isEmpty ?? true ? file.lines.count - 1 : file.lines.count
        return count > linesMax ? ["\(file.path): \(count) lines, at most \(linesMax): split it by ideas"] : []
    }

    /// Ways to end the process. Each needs the reason why that is right, in a comment on its line or the one above.
    static func crashes(_ file: SourceTree.File) -> [Finding] {
        file.code.enumerated().compactMap { index, line in
            guard
                let word = ["try!", "as!", "fatalError(", "preconditionFailure("].first(where: { contains(line, $0) })
            else { return nil }
            let isExplained =
                file.lines[index].contains("//") || (index > 0 && trimmed(file.lines[index - 1]).hasPrefix("//"))
                || word.hasSuffix("(") && !line.contains("\(word))")
            return isExplained
                ? nil : "\(file.path):\(index + 1): \(word) needs its reason in a comment, or better an error"
        }
    }

    /// Declarations for other targets that nobody has described.
    static func documentation(_ file: SourceTree.File) -> [Finding] {
        file.code.enumerated().compactMap { index, line in
            guard isDeclaration(line) else { return nil }
            var above = index - 1
            // Attributes may stand between a declaration and its description.
            while above >= 0, trimmed(file.lines[above]).hasPrefix("@") { above -= 1 }
            let isDescribed = above >= 0 && trimmed(file.lines[above]).hasPrefix("///")
            return isDescribed
                ? nil : "\(file.path):\(index + 1): describe it in a /// comment: \(trimmed(Substring(line)))"
        }
    }

    /// Marks of unfinished work.
    static func unfinished(_ file: SourceTree.File) -> [Finding] {
        file.lines.enumerated().compactMap { index, line in
            ["TO" + "DO", "FIX" + "ME", "HA" + "CK:"].contains { line.contains($0) }
                ? "\(file.path):\(index + 1): finish it, or say in the documentation what is missing" : nil
        }
    }

    private static let accessWords: Set<String> = ["public", "package", "internal", "private", "fileprivate"]
    private static let modifiers: Set<String> = [
        "static", "final", "mutating", "nonmutating", "consuming", "borrowing", "indirect", "nonisolated",
        "convenience", "override",
        "required", "weak", "unowned", "lazy", "isolated", "distributed", "dynamic", "optional", "class",
    ]
    private static let declarations = [
        "func", "var", "let", "init", "struct", "class", "enum", "actor", "protocol", "typealias", "subscript", "macro",
        "associatedtype",
    ]

    /// Whether a line declares something for other targets.
    static func isDeclaration(_ line: String) -> Bool {
        var words = trimmed(Substring(line)).split(separator: " ").map(String.init)[...]
        while let first = words.first, first.hasPrefix("@") { words.removeFirst() }
        guard let access = words.popFirst(), access == "public" || access == "package" || access == "open" else {
            return false
        }
        while let first = words.first,
            modifiers.contains(first) || first.contains("(set)") || first.hasPrefix("nonisolated(")
        {
            // `class` begins a class as well as a method of one.
            if first == "class", let next = words.dropFirst().first, !declarations.contains(next) { return true }
            words.removeFirst()
        }
        guard let word = words.first else { return false }
        return declarations.contains { word == $0 || (($0 == "init" || $0 == "subscript") && isCall(word, $0)) }
    }

    private static func isCall(_ word: String, _ name: String) -> Bool {
        guard word.hasPrefix(name), let next = word.dropFirst(name.count).first else { return false }
        return next == "(" || next == "<" || next == "?"
    }

    private static func contains(_ line: String, _ word: String) -> Bool {
        var rest = Substring(line)
        while let range = rest.firstRange(of: word) {
            let before = range.lowerBound == rest.startIndex ? nil : rest[rest.index(before: range.lowerBound)]
            if before.map({ !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }) ?? true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }

    static func trimmed(_ line: Substring) -> String {
        String(line.drop { $0 == " " || $0 == "\t" })
    }
}
