import FoundationEssentials
import Wire

/// The files of `proto-spec`, found from this file's place.
enum Specification {
    /// The text of a file.
    static func text(_ name: String) throws -> String {
        String(decoding: try data(name), as: UTF8.self)
    }

    /// The vectors of a file in `vectors`.
    static func vectors<T: Decodable>(_ name: String, as type: T.Type = T.self) throws -> [T] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(File<T>.self, from: try data("vectors/" + name)).vectors
    }

    /// The cells of all table rows that begin with a number, and the number.
    static func numberedRows(_ text: String) -> [(number: UInt16, cells: [String])] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("|") else { return nil }
            let cells = line.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            guard let first = cells.first, let number = UInt16(first) else { return nil }
            return (number, Array(cells.dropFirst()))
        }
    }

    private static func data(_ name: String) throws -> Data {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try Data(contentsOf: URL(filePath: "/" + root + "/proto-spec/" + name))
    }
}

private struct File<T: Decodable>: Decodable {
    let vectors: [T]
}

/// The bytes that hexadecimal text stands for.
func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { UInt8($0 < 0x3A ? $0 - 0x30 : ($0 | 0x20) - 0x57) }
    precondition(digits.count.isMultiple(of: 2) && digits.allSatisfy { $0 < 16 }, "not hexadecimal: \(hex.prefix(40))")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The hexadecimal text of bytes.
func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
