import Foundation

/// For each broken rule a scenario that notices it, as a file that `stormo-sim mutants --record` writes and the tests read.
package struct RecordedMutants {
    /// Seed and check by the name of the rule.
    package var seeds: [String: (seed: UInt64, check: String)] = [:]

    private static let header = "rule,seed,check"

    /// Nothing yet.
    package init() {}

    /// Reads a file; one that is not there has nothing. Throws what reading throws, and `CocoaError` for other content.
    package init(contentsOf path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        for line in lines.dropFirst() {
            let parts = line.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == 3, let seed = UInt64(parts[1]) else {
                throw CocoaError(
                    .fileReadCorruptFile,
                    userInfo: [
                        NSLocalizedDescriptionKey:
                            "\(path) has a line '\(line)', expected '\(Self.header)': write it with stormo-sim mutants --record"
                    ])
            }
            seeds[String(parts[0])] = (seed, String(parts[2]))
        }
    }

    /// Writes them in the order of their names. Throws what writing throws.
    package func write(to path: String) throws {
        let lines = seeds.sorted { $0.key < $1.key }.map { "\($0.key),\($0.value.seed),\($0.value.check)" }
        try ([Self.header] + lines + [""]).joined(separator: "\n").write(
            toFile: path, atomically: true, encoding: .utf8)
    }
}
