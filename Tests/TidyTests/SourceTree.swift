import FoundationEssentials

/// The project's files as text.
enum SourceTree {
    /// A file of Swift.
    struct File: Sendable {
        /// From the project's folder.
        let path: String
        /// Its lines as they are.
        let lines: [Substring]
        /// Its lines without comments and without what stands in string literals, so that words in them do not count.
        let code: [String]
    }

    /// The project's folder, found from this file.
    static let root: String = {
        var parts = #filePath.split(separator: "/")
        parts.removeLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// The text of a file; nil when there is none.
    static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: "\(root)/\(path)").map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether a folder is there.
    static func hasFolder(_ path: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder) && isFolder
    }

    /// All Swift files below a folder, in the order of their paths.
    static func swiftFiles(_ folder: String) -> [File] {
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(folder)")) ?? []
        return names.filter { $0.hasSuffix(".swift") }.sorted().compactMap { name in
            text("\(folder)/\(name)").map { file(path: "\(folder)/\(name)", text: $0) }
        }
    }

    /// Splits a file's text.
    static func file(path: String, text: String) -> File {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var stripper = Stripper()
        return File(path: path, lines: lines, code: lines.map { stripper.strip($0) })
    }

    /// Takes comments and the content of string literals out, line by line. What stands in `\(…)` goes with the
    /// literal.
    private struct Stripper {
        private var isInLongString = false
        private var isInComment = false

        mutating func strip(_ line: Substring) -> String {
            var code = ""
            var rest = line
            var isInString = false
            while let character = rest.first {
                if isInComment {
                    if rest.hasPrefix("*/") {
                        isInComment = false
                        rest = rest.dropFirst(2)
                    } else {
                        rest = rest.dropFirst()
                    }
                } else if isInLongString {
                    if rest.hasPrefix("\"\"\"") {
                        isInLongString = false
                        rest = rest.dropFirst(3)
                    } else {
                        rest = rest.dropFirst()
                    }
                } else if isInString {
                    if character == "\\" {
                        rest = rest.dropFirst(2)
                        continue
                    }
                    if character == "\"" {
                        isInString = false
                        code.append("\"")
                    }
                    rest = rest.dropFirst()
                } else if rest.hasPrefix("//") {
                    break
                } else if rest.hasPrefix("/*") {
                    isInComment = true
                    rest = rest.dropFirst(2)
                } else if rest.hasPrefix("\"\"\"") {
                    isInLongString = true
                    rest = rest.dropFirst(3)
                } else {
                    if character == "\"" { isInString = true }
                    code.append(character)
                    rest = rest.dropFirst()
                }
            }
            return code
        }
    }
}
