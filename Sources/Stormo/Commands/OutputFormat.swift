import ArgumentParser

/// How a command prints its result.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// For people.
    case table
    /// For programs: one document.
    case json
    /// For programs that read lines: each item of a list is a document on a line of its own.
    case jsonl
}

/// `-o`.
struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "How to print the result: table, json, or jsonl (one document a line).")
    var output = OutputFormat.table

    /// Prints one thing.
    func tell(_ document: some Encodable, lines: @autoclosure () -> [String]) {
        tell(document, items: [document], lines: lines())
    }

    /// Prints a list: `document` is all of it.
    func tell(_ document: some Encodable, items: [some Encodable], lines: @autoclosure () -> [String]) {
        switch output {
        case .json: Console.bytes(JSONText.bytes(document))
        case .jsonl: for item in items { guard Console.bytes(JSONText.line(item)) else { return } }
        case .table: for line in lines() { guard Console.bytes(Array((line + "\n").utf8)) else { return } }
        }
    }
}

/// Rows lined up in columns.
struct TextTable: Sendable {
    /// A column's heading and side.
    struct Column: Sendable {
        let title: String
        let right: Bool

        /// A column of text, or of numbers (to the right).
        init(_ title: String, right: Bool = false) {
            self.title = title
            self.right = right
        }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    /// A table without rows.
    init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; missing cells are empty.
    mutating func add(_ row: [String]) { rows.append(row) }

    /// The lines: headings, then rows, two spaces between columns, none at the end of a line.
    var lines: [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in all.map { index < $0.count ? $0[index].count : 0 }.max() ?? 0 }
        return all.map { row in
            var line = columns.indices.map { index in
                Text.padded(index < row.count ? row[index] : "", widths[index], right: columns[index].right)
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
