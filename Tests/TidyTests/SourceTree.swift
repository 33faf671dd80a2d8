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

        // Bytes rather than characters: this runs over every line of the project, mostly in debug builds.
        mutating func strip(_ line: Substring) -> String {
            let bytes = Array(line.utf8)
            let quote = UInt8(ascii: "\"")
            let slash = UInt8(ascii: "/")
            let star = UInt8(ascii: "*")
            var code: [UInt8] = []
            code.reserveCapacity(bytes.count)
            var at = 0
            var isInString = false
            func next(_ distance: Int) -> UInt8? { at + distance < bytes.count ? bytes[at + distance] : nil }
            while at < bytes.count {
                let isTriple = bytes[at] == quote && next(1) == quote && next(2) == quote
                if isInComment {
                    let ends = bytes[at] == star && next(1) == slash
                    isInComment = !ends
                    at += ends ? 2 : 1
                } else if isInLongString {
                    isInLongString = !isTriple
                    at += isTriple ? 3 : 1
                } else if isInString {
                    if bytes[at] == UInt8(ascii: "\\") {
                        at += 2
                    } else {
                        if bytes[at] == quote {
                            isInString = false
                            code.append(quote)
                        }
                        at += 1
                    }
                } else if bytes[at] == slash, next(1) == slash {
                    break
                } else if bytes[at] == slash, next(1) == star {
                    isInComment = true
                    at += 2
                } else if isTriple {
                    isInLongString = true
                    at += 3
                } else {
                    isInString = bytes[at] == quote
                    code.append(bytes[at])
                    at += 1
                }
            }
            return String(decoding: code, as: UTF8.self)
        }
    }
}
