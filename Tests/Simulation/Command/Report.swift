import Glibc
import Simulation

/// What runs came to, as lined-up tables.
enum Report {
    /// Prints a line that shows at once, also in a file.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    static func text(_ statistics: Statistics, elapsed: Duration) -> String {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let perMinute = Double(statistics.count(.checked, "histories")) / max(seconds, 0.001) * 60
        var text = ""
        for group in Statistics.Group.allCases {
            let items = statistics.items(group)
            guard !items.isEmpty else { continue }
            text += "\(group)\n"
            text += table(items.map { [$0.name, String($0.count)] }, indent: "  ")
        }
        return text + "\(Int(seconds * 10)) tenths of a second, \(Int(perMinute)) histories per minute"
    }

    /// Rows in columns: the first to the left, the others to the right.
    static func table(_ rows: [[String]], indent: String = "") -> String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + pad : pad + cell
            }
            return indent + cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
